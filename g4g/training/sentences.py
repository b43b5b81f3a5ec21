"""Sentences that synthetic voices say: beginnings and ends in nine languages, joined by a seeded generator; our own.

Mandarin is written in pinyin with tone numbers and Japanese in hiragana: espeak-ng reads both letter by letter.
"""

from __future__ import annotations

import numpy as np

_TEXT = {
    "en": (
        """the old fisherman mended his net|my younger brother painted the fence
        five brave pilots flew above the clouds|she bought a purple velvet dress
        nobody believed the baker's story|we planted beans and pumpkins|the museum opened its heavy doors
        both boys built a boat of paper|your aunt makes wonderful blueberry jam|a quiet voice answered the phone
        their puppy chewed my favourite shoe|the judge asked another question
        he whispered something to the child|thirty people waited for the bus|the moon shone through the window
        I would rather have a cup of tea|please move those boxes out of the way|the chef chopped fresh mushrooms
        the weather changed without a warning|most of us have never been this far north
        open your mouth and say a vowel|maybe papa bought me a big map|who threw the yellow ball over the wall
        measure the beige garage twice""",
        """before breakfast|in the middle of the village|because it was already dark|and then everybody laughed
        while the church bells were ringing|on a warm evening in July|with both hands
        near the bridge by the mill|until the music stopped|for the very first time|although nobody had asked
        as usual at this hour|behind the grey stone house|when the summer was over|just to please her mother
        under a huge oak tree|after a long and boring journey|without saying a word|if you think that is better
        from Monday to Thursday""",
    ),
    "de": (
        """der alte Fischer flickte sein Netz|meine Schwester malt ein buntes Bild
        fünf mutige Piloten flogen über die Wolken|die Bäckerin verkauft frische Brötchen
        niemand glaubte dem müden Boten|wir pflanzen Bohnen und Kürbisse|das Museum öffnete seine schweren Türen
        zwei Jungen bauen ein Boot aus Papier|deine Tante kocht köstliche Marmelade
        eine leise Stimme sprach am Telefon|unser Hund frisst gern Schuhe|der Richter stellte noch eine Frage
        er flüsterte dem Mädchen etwas ins Ohr|dreißig Leute warteten auf den Bus
        der Mond schien durch das Fenster|ich möchte lieber eine Tasse Tee|bitte räumen Sie die Bücher weg
        der Koch schneidet Pilze und Zwiebeln|das Wetter änderte sich plötzlich
        viele von uns waren noch nie so weit im Norden|Papa bummelt mit Mama zum Bahnhof
        öffne den Mund und sage ein langes U|wer warf den gelben Ball über die Mauer|manchmal hilft nur Geduld""",
        """vor dem Frühstück|mitten im Dorf|weil es schon dunkel war|und dann lachten alle
        während die Glocken läuteten|an einem warmen Abend im Juli|mit beiden Händen|in der Nähe der Brücke
        bis die Musik verstummte|zum allerersten Mal|obwohl niemand gefragt hatte|wie üblich um diese Zeit
        hinter dem grauen Haus|als der Sommer vorbei war|nur um der Mutter zu gefallen
        unter einer riesigen Eiche|nach einer langen Reise|ohne ein Wort zu sagen|wenn du das besser findest
        von Montag bis Donnerstag""",
    ),
    "es": (
        """el viejo pescador arregla su red|mi hermano menor pintó la valla
        cinco pilotos valientes volaron sobre las nubes|ella compró un vestido morado
        nadie creyó la historia del panadero|plantamos judías y calabazas|el museo abrió sus pesadas puertas
        los niños hicieron un barco de papel|tu tía prepara una mermelada exquisita
        una voz tranquila contestó el teléfono|el perro mordió mi zapato favorito|el juez hizo otra pregunta
        le susurró algo al niño pequeño|treinta personas esperaban el autobús|la luna brillaba en la ventana
        yo prefiero una taza de té|por favor mueve esas cajas|el cocinero cortó champiñones frescos
        el tiempo cambió de repente|muchos de nosotros nunca fuimos tan lejos|papá bebe un vaso de agua
        abre la boca y di una vocal|quién lanzó la pelota amarilla|mañana vamos a bailar juntos""",
        """antes del desayuno|en medio del pueblo|porque ya era de noche|y después todos se rieron
        mientras sonaban las campanas|en una tarde cálida de julio|con las dos manos|cerca del puente viejo
        hasta que paró la música|por primera vez|aunque nadie lo había pedido|como siempre a esta hora
        detrás de la casa gris|cuando terminó el verano|para complacer a su madre|bajo un roble enorme
        después de un largo viaje|sin decir una palabra|si te parece mejor|de lunes a jueves""",
    ),
    "fr": (
        """le vieux pêcheur répare son filet|mon petit frère a peint la barrière
        cinq pilotes courageux volaient au-dessus des nuages|elle achète une robe violette
        personne ne croyait le boulanger|nous plantons des haricots et des citrouilles
        le musée ouvrit ses lourdes portes|les garçons font un bateau en papier
        ta tante prépare une bonne confiture de mûres|une voix douce répondit au téléphone
        notre chien a mangé ma chaussure|le juge posa une autre question|il murmura quelque chose à l'enfant
        trente personnes attendaient l'autobus|la lune brillait par la fenêtre
        je voudrais plutôt une tasse de thé|veuillez pousser ces cartons|le chef coupe des champignons frais
        le temps changea sans prévenir|beaucoup d'entre nous ne sont jamais venus|papa boit un peu d'eau
        ouvre la bouche et dis une voyelle|qui a jeté le ballon jaune|maman pense au beau jardin""",
        """avant le petit déjeuner|au milieu du village|parce qu'il faisait déjà nuit|et puis tout le monde a ri
        pendant que sonnaient les cloches|par un chaud soir de juillet|avec les deux mains|près du vieux pont
        jusqu'à la fin de la musique|pour la toute première fois|bien que personne ne l'ait demandé
        comme d'habitude à cette heure|derrière la maison grise|quand l'été fut terminé
        pour faire plaisir à sa mère|sous un chêne immense|après un long voyage|sans dire un mot
        si tu trouves cela mieux|du lundi au jeudi""",
    ),
    "it": (
        """il vecchio pescatore ripara la rete|mio fratello minore dipinge il cancello
        cinque piloti coraggiosi volavano sopra le nuvole|lei ha comprato un vestito viola
        nessuno credeva alla storia del fornaio|abbiamo piantato fagioli e zucche
        il museo aprì le sue porte pesanti|i ragazzi fanno una barca di carta
        tua zia prepara una marmellata squisita|una voce calma rispose al telefono
        il cane ha morso la mia scarpa|il giudice fece un'altra domanda|sussurrò qualcosa al bambino
        trenta persone aspettavano l'autobus|la luna splendeva dalla finestra|io preferisco una tazza di tè
        per favore spostate quelle scatole|il cuoco taglia i funghi freschi|il tempo cambiò all'improvviso
        molti di noi non sono mai stati così lontano|papà beve un bicchiere d'acqua
        apri la bocca e di' una vocale|chi ha lanciato la palla gialla|gli gnocchi sono pronti""",
        """prima di colazione|in mezzo al paese|perché era già buio|e poi tutti risero|mentre suonavano le campane
        in una calda sera di luglio|con tutte e due le mani|vicino al vecchio ponte|finché la musica finì
        per la prima volta|anche se nessuno l'aveva chiesto|come sempre a quest'ora|dietro la casa grigia
        quando l'estate era finita|per far piacere a sua madre|sotto una quercia enorme|dopo un lungo viaggio
        senza dire una parola|se ti sembra meglio|da lunedì a giovedì""",
    ),
    "pt": (
        """o velho pescador conserta a rede|meu irmão mais novo pintou a cerca
        cinco pilotos corajosos voavam sobre as nuvens|ela comprou um vestido roxo
        ninguém acreditou na história do padeiro|plantamos feijões e abóboras|o museu abriu as portas pesadas
        os meninos fizeram um barco de papel|sua tia prepara uma geleia maravilhosa
        uma voz calma atendeu o telefone|o cachorro mordeu meu sapato|o juiz fez outra pergunta
        ele sussurrou alguma coisa para a criança|trinta pessoas esperavam o ônibus|a lua brilhava na janela
        eu prefiro uma xícara de chá|por favor tire essas caixas daí|o cozinheiro cortou cogumelos frescos
        o tempo mudou de repente|muitos de nós nunca fomos tão longe|papai bebe um copo de água
        abra a boca e diga uma vogal|quem jogou a bola amarela|a manhã está bonita""",
        """antes do café da manhã|no meio da aldeia|porque já estava escuro|e depois todos riram
        enquanto os sinos tocavam|numa noite quente de julho|com as duas mãos|perto da ponte velha
        até a música parar|pela primeira vez|embora ninguém tivesse pedido|como sempre a esta hora
        atrás da casa cinzenta|quando o verão acabou|só para agradar à mãe|debaixo de um carvalho enorme
        depois de uma longa viagem|sem dizer uma palavra|se você achar melhor|de segunda a quinta""",
    ),
    "hi": (
        """बूढ़ा मछुआरा अपना जाल ठीक करता है|मेरा छोटा भाई दीवार रंग रहा है|पाँच बहादुर पायलट बादलों के ऊपर उड़े
        उसने बैंगनी कपड़े ख़रीदे|किसी ने उसकी बात नहीं मानी|हमने बाग में फूल लगाए|अजायबघर का दरवाज़ा खुला
        बच्चों ने काग़ज़ की नाव बनाई|तुम्हारी मौसी अच्छा अचार बनाती है|किसी ने धीमी आवाज़ में फ़ोन उठाया
        कुत्ते ने मेरा जूता चबा लिया|उसने एक और सवाल पूछा|माँ ने बच्चे के कान में कुछ कहा
        तीस लोग बस का इंतज़ार कर रहे थे|चाँद खिड़की से चमक रहा था|मुझे एक प्याला चाय चाहिए
        कृपया ये डिब्बे हटा दीजिए|रसोइया ताज़ी सब्ज़ी काटता है|मौसम अचानक बदल गया|हम कभी इतनी दूर नहीं गए
        पिताजी पानी पी रहे हैं|मुँह खोलो और कुछ बोलो|पीली गेंद किसने फेंकी|भाभी ने मीठी खीर बनाई""",
        """नाश्ते से पहले|गाँव के बीच में|क्योंकि अँधेरा हो गया था|और फिर सब हँस पड़े|जब घंटियाँ बज रही थीं
        जुलाई की एक गर्म शाम को|दोनों हाथों से|पुराने पुल के पास|जब तक संगीत चलता रहा|पहली बार
        हालाँकि किसी ने नहीं पूछा|हमेशा की तरह|उस घर के पीछे|जब गर्मी ख़त्म हुई|अपनी माँ की ख़ुशी के लिए
        एक बड़े पेड़ के नीचे|लंबी यात्रा के बाद|बिना कुछ कहे|अगर तुम चाहो|सोमवार से गुरुवार तक""",
    ),
    "ja": (
        """おじいさんは あみを なおします|おとうとは かべを ぬっています|ごにんの ひとが そらを とびました
        あねは むらさきの ふくを かいました|だれも その はなしを しんじませんでした
        わたしたちは まめを うえました|びじゅつかんの とびらが あきました
        こどもたちは かみの ふねを つくりました|おばさんは おいしい ジャムを つくります
        しずかな こえが でんわに でました|いぬが わたしの くつを かみました
        せんせいは もういちど ききました|かれは こどもに なにか ささやきました
        さんじゅうにんが バスを まっていました|つきが まどから ひかっていました|わたしは おちゃが いいです
        はこを どけてください|りょうりにんは きのこを きります|てんきが きゅうに かわりました
        わたしは こんなに とおくへ きたことが ありません|ちちは みずを のみます
        くちを あけて あと いってください|だれが きいろい ボールを なげましたか
        ゆきが ふって やまが しろい""",
        """あさごはんの まえに|むらの まんなかで|もう くらかったからです|そして みんな わらいました
        かねが なっているときに|しちがつの あつい よるに|りょうてで|ふるい はしの そばで
        おんがくが おわるまで|はじめて|だれも たのまなかったのに|いつものように|はいいろの いえの うしろで
        なつが おわったころ|おかあさんの ために|おおきな きの したで|ながい たびの あとで|なにも いわずに
        よかったら どうぞ|げつようびから もくようびまで""",
    ),
    "zh": (
        """lao3 ren2 zai4 he2 bian1 bu3 yu2 wang3|wo3 di4 di5 zai4 hua4 hua4
        wu3 ge5 fei1 xing2 yuan2 fei1 guo4 le5 yun2 ceng2|ta1 mai3 le5 yi2 jian4 zi3 se4 de5 yi1 fu5
        mei2 you3 ren2 xiang1 xin4 zhe4 ge5 gu4 shi5|wo3 men5 zhong4 le5 dou4 zi5 he2 nan2 gua1
        bo2 wu4 guan3 da3 kai1 le5 da4 men2|hai2 zi5 men5 yong4 zhi3 zuo4 le5 yi4 tiao2 chuan2
        ni3 a1 yi2 zuo4 de5 guo3 jiang4 hen3 hao3 chi1|yi2 ge5 xiao3 sheng1 yin1 jie1 le5 dian4 hua4
        xiao3 gou3 yao3 le5 wo3 de5 xie2 zi5|lao3 shi1 you4 wen4 le5 yi2 ge5 wen4 ti2
        ta1 dui4 hai2 zi5 shuo1 le5 ji3 ju4 hua4|san1 shi2 ge5 ren2 zai4 deng3 che1
        yue4 liang5 zhao4 zhe5 chuang1 hu5|wo3 xiang3 he1 yi4 bei1 cha2|qing3 ba3 xiang1 zi5 ban1 zou3
        chu2 shi1 zai4 qie1 mo2 gu5|tian1 qi4 tu1 ran2 bian4 le5
        wo3 men5 cong2 lai2 mei2 you3 zou3 zhe4 me5 yuan3|ba4 ba5 he1 shui3 ma1 ma5 chi1 fan4
        zhang1 kai1 zui3 ba5 shuo1 yi2 ge5 zi4|shui2 reng1 le5 huang2 se4 de5 qiu2|nü3 er2 xi3 huan5 lü4 se4""",
        """zai4 zao3 fan4 yi3 qian2|zai4 cun1 zi5 zhong1 jian1|yin1 wei4 tian1 yi3 jing1 hei1 le5
        ran2 hou4 da4 jia1 dou1 xiao4 le5|zhong1 sheng1 xiang3 de5 shi2 hou5
        zai4 qi1 yue4 de5 yi2 ge5 wan3 shang5|yong4 liang3 zhi1 shou3|zai4 lao3 qiao2 pang2 bian1
        yi4 zhi2 dao4 yin1 yue4 ting2 zhi3|zhe4 shi4 di4 yi1 ci4|sui1 ran2 mei2 you3 ren2 wen4
        xiang4 ping2 chang2 yi2 yang4|zai4 hui1 se4 de5 fang2 zi5 hou4 mian4|xia4 tian1 jie2 shu4 yi3 hou4
        wei4 le5 rang4 ma1 ma5 gao1 xing4|zai4 yi4 ke1 da4 shu4 xia4 mian4|zai4 chang2 tu2 lü3 xing2 zhi1 hou4
        yi2 ju4 hua4 ye3 bu4 shuo1|ru2 guo3 ni3 jue2 de5 hao3|cong2 xing1 qi1 yi1 dao4 xing1 qi1 si4""",
    ),
}  # fmt: skip

LANGUAGES = tuple(_TEXT)
"""Languages that `make_sentence` knows."""


def sentence_parts(language: str) -> tuple[list[str], list[str]]:
    """List the beginnings and the ends of a language's sentences; any two make one."""
    return tuple([part.strip() for line in text.splitlines() for part in line.split("|")] for text in _TEXT[language])


def make_sentence(language: str, rng: np.random.Generator) -> str:
    """Join a beginning and an end; one sentence in three has a comma and one in six is a question.

    Example:
        >>> make_sentence("en", np.random.default_rng(3)).endswith((".", "?"))
        True
    """
    begins, ends = sentence_parts(language)
    comma = "," if rng.random() < 1 / 3 else ""
    return f"{rng.choice(begins)}{comma} {rng.choice(ends)}{'?' if rng.random() < 1 / 6 else '.'}"
