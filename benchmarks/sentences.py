"""Sentences rich in p, b, m, f, v and in open and rounded vowels, in six languages, by espeak-ng's name of each."""

SENTENCES = {
    "en": (
        "My mother bought a fabulous apple pie.",
        "Five vans move past the farm by the moon.",
        "Bob hopes to make a map for Papa.",
        "Move the blue book above my bed.",
        "A brave man baked plum jam for a bee.",
        "Who put my father's favourite paper boat in the pool?",
    ),
    "de": (
        "Mama und Papa backen ein Brot am Abend.",
        "Fünf Vögel fliegen über den Apfelbaum.",
        "Am Montag kommt mein Bruder mit dem Boot.",
        "Bitte bring mir bald warme blaue Blumen.",
        "Vater fand viele Pilze im Wald am Fluss.",
        "Wo bleibt mein guter alter Mantel, fragt Oma.",
    ),
    "es": (
        "Mi mamá me compra una bufanda bonita.",
        "Pablo fuma una pipa frente al mar.",
        "Un buen amigo me mandó un mapa famoso.",
        "La familia baila mambo bajo la luna.",
        "Papá prepara un pan para mi abuela.",
        "Febrero fue un mes muy bueno para el campo.",
    ),
    "fr": (
        "Ma maman prépare un bon repas pour Papa.",
        "Vous avez vu le beau bateau bleu au fond du port.",
        "Mon ami Paul boit beaucoup de café.",
        "Un pauvre homme porte une pomme à sa femme.",
        "La fumée monte vers la vieille montagne.",
        "Il faut ouvrir la porte avant le bal masqué.",
    ),
    "it": (
        "La mamma compra un bel vaso per papà.",
        "Fabio beve un buon vino bianco in famiglia.",
        "Il bambino ama la pappa e la panna.",
        "Povera farfalla, vola piano sopra il mare.",
        "Un amico famoso mi porta una bomba di crema.",
        "Dove abita la vecchia madre di Paolo?",
    ),
    "pt": (
        "Minha mãe comprou uma bela boneca para mim.",
        "O pai fuma na frente da porta azul.",
        "Meu amigo bebe vinho bom em família.",
        "A vaca branca come a palha do campo.",
        "Fui ver o mapa famoso do Brasil.",
        "Papai abre a mala e pega a bola da moça.",
    ),
}
"""Language -> its sentences; the first three last 6 to 8 s."""
