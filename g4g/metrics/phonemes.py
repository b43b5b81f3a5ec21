"""Phonemes with their times: what the lips do at each, and the JSON that keeps them beside a sound."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError

CLOSURES = frozenset("pbm")
"""First letters of sounds for which the lips meet, long, aspirated and palatal ones and "pf" included."""
LABIODENTALS = frozenset("fvʋɱ")
"""The lower lip touches the upper teeth."""
ROUNDED_VOWELS = frozenset("uyoɔøœʊʏ")
ROUNDED = ROUNDED_VOWELS | frozenset("wɥ")
"""The lips are drawn together. English "ɒ" is too little rounded to count as either."""
UNROUNDED_VOWELS = frozenset("aɑæɐɛeiɪəɜʌɨᵻɚɝɤ")
OPEN_VOWELS = frozenset("aɑæɐ")
"""The mouth is at its widest open."""
CLOSE_VOWELS = frozenset("iɪɨᵻuʊyʏ")
VOWELS = ROUNDED_VOWELS | UNROUNDED_VOWELS | frozenset("ɒɵʉɘɞ")


@dataclass(frozen=True)
class Phoneme:
    """One sound of speech: its IPA symbol, and from when to when it lasts, in seconds of the sound file.

    A stop lasts from the moment at which the mouth closes to the end of its burst, not from the burst on.
    """

    symbol: str
    start_s: float
    stop_s: float

    @property
    def letters(self) -> str:
        """The symbol with accents parted from their letters: a nasal vowel begins with the plain one."""
        return unicodedata.normalize("NFD", self.symbol)

    @property
    def is_closure(self) -> bool:
        """Whether the lips meet, as for p, b and m."""
        return self.letters[:1] in CLOSURES

    @property
    def is_labiodental(self) -> bool:
        """Whether the lower lip meets the upper teeth, as for f and v."""
        return self.letters[:1] in LABIODENTALS

    @property
    def is_vowel(self) -> bool:
        """Whether it is a vowel or begins as one."""
        return self.letters[:1] in VOWELS

    @property
    def is_open_vowel(self) -> bool:
        """Whether it is an open vowel or begins as one, as in "eye" and "now"."""
        return self.letters[:1] in OPEN_VOWELS

    @property
    def is_rounded(self) -> bool | None:
        """Whether the lips are rounded; None for consonants other than w and for vowels that change between the two."""
        letters = [letter for letter in self.letters if letter in VOWELS | ROUNDED]
        if letters and all(letter in ROUNDED for letter in letters):
            return True
        return False if letters and all(letter in UNROUNDED_VOWELS for letter in letters) else None


def write_phonemes(path: str | Path, phonemes: Sequence[Phoneme]) -> None:
    """Write phonemes as JSON, {"phonemes": [{"symbol", "start_s", "stop_s"}, ...]}, whole or not at all."""
    rows = [asdict(phoneme) for phoneme in phonemes]
    write_whole(Path(path), (json.dumps({"phonemes": rows}, ensure_ascii=False, indent=1) + "\n").encode())


def read_phonemes(path: str | Path) -> list[Phoneme]:
    """Read what `write_phonemes` wrote.

    Raises:
        DataError: no such file, or one that holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the JSON with the phonemes of the sound")
    try:
        return [
            Phoneme(str(row["symbol"]), float(row["start_s"]), float(row["stop_s"]))
            for row in json.loads(path.read_text(encoding="utf-8"))["phonemes"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{path} holds no phonemes ({error!r}); write {{"phonemes": [{{"symbol": "p", "start_s": 0.1, '
            f'"stop_s": 0.2}}, ...]}}'
        ) from error
