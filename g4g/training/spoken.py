"""What motion learns from espeak-ng: its sentences and their features, made once and kept beside the prepared shots."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from g4g.checkpoints.atomic import write_whole
from g4g.metrics.espeak import has_espeak
from g4g.metrics.phonemes import Phoneme
from g4g.training.known_speech import KnownSound, Spoken, read_grid_code, say
from g4g.training.sentences import make_sentence
from g4g.training.speech_features import Encode

_CODES, _FREE = 110, 16
"""Sentences of GRID that clips say too, and free sentences of each language."""
_VOICES = ("en", "en-us", "en-gb-scotland", "en-029")
_LANGUAGES = ("de", "es", "fr", "it", "pt", "en")


def gather_spoken(
    folder: str | Path, encoder: str, encode: Encode | None, clips: dict[str, str], log: Callable[[str], None]
) -> list[Spoken]:
    """Read what espeak-ng said for motion out of FOLDER/spoken/ENCODER; where there is nothing let it speak.

    Args:
        folder: what `g4g prepare` wrote.
        encoder: name of the features, as for `add_speech`.
        encode: computes features; None: what is not there stays away.
        clips: names of shots, with their clips' names.
        log: told why nothing is spoken.
    """
    home = Path(folder) / "spoken" / encoder
    if not home.is_dir():
        if encode is None or not has_espeak():
            log("motion learns no other language: that takes espeak-ng and the speech encoder (apt install espeak-ng)")
            return []
        _speak_all(home, encode, clips)
    lessons = [_read(file) for file in sorted(home.glob("*.npz"))]
    return [one for one in lessons if one.shot is None or one.shot in clips]


def _speak_all(home: Path, encode: Encode, clips: dict[str, str]) -> None:
    rng = np.random.default_rng(0)
    coded = sorted((shot, code) for shot, clip in clips.items() if (code := read_grid_code(clip)))
    texts = [(coded[i][1], _VOICES[n % len(_VOICES)], coded[i][0]) for n, i in enumerate(rng.permutation(len(coded)))]
    texts = texts[:_CODES] + [(make_sentence(name, rng), name, "") for name in _LANGUAGES for _ in range(_FREE)]
    whole: dict[Path, bytes] = {}
    for number, (text, voice, shot) in enumerate(texts):
        known, buffer = say(text, voice, encode, rng), io.BytesIO()
        np.savez(
            buffer, speech=known.speech.astype(np.float16), shot=shot, symbols=[p.symbol for p in known.phonemes],
            times_s=[(p.start_s, p.stop_s) for p in known.phonemes],
        )  # fmt: skip
        whole[home / f"{number:03}.npz"] = buffer.getvalue()
    home.mkdir(parents=True)
    for file, content in whole.items():
        write_whole(file, content)


def _read(file: Path) -> Spoken:
    with np.load(file) as kept:
        sounds = zip(kept["symbols"], kept["times_s"], strict=True)
        phonemes = [Phoneme(str(symbol), float(start_s), float(stop_s)) for symbol, (start_s, stop_s) in sounds]
        return Spoken(KnownSound(kept["speech"].astype(np.float32), phonemes), str(kept["shot"]) or None)
