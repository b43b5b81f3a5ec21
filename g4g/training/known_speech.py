"""Speech whose sounds are known to the moment: spoken by espeak-ng, it teaches motion languages that no video has."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
from scipy.ndimage import gaussian_filter1d

from g4g.audio import SPEECH_RATE
from g4g.media import read_waveform
from g4g.metrics.espeak import speak
from g4g.metrics.phonemes import Phoneme
from g4g.training.speech_features import Encode

_SLOWEST, _FASTEST = 130, 210
"""Words per minute."""
_BLUR_S = 0.035
"""Lips need some time from sound to sound."""
_FEWEST = 5
"""A sound's own mean needs so many occurrences; of fewer the mean of its class is taken."""
_GRID_WORDS = (
    dict(zip("blps", ("bin", "lay", "place", "set"), strict=True)),
    dict(zip("bgrw", ("blue", "green", "red", "white"), strict=True)),
    dict(zip("abiw", ("at", "by", "in", "with"), strict=True)),
    {letter: letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"},
    dict(zip("z123456789", "zero one two three four five six seven eight nine".split(), strict=True)),
    dict(zip("anps", ("again", "now", "please", "soon"), strict=True)),
)


@dataclass(frozen=True)
class KnownSound:
    """Features of spoken text (S, D), 50 rows a second, and when each of its sounds is heard."""

    speech: np.ndarray
    phonemes: list[Phoneme]


@dataclass(frozen=True)
class Spoken:
    """A known sound, and the name of the shot that says the same, if any."""

    known: KnownSound
    shot: str | None = None


def say(text: str, language: str, encode: Encode, rng: np.random.Generator) -> KnownSound:
    """Let espeak-ng say a text at some speed, and encode it. Raises MediaError where espeak-ng is not there."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        phonemes = speak(text, language, file, words_per_minute=int(rng.integers(_SLOWEST, _FASTEST)))
        return KnownSound(encode(read_waveform(file)).astype(np.float32), phonemes)


def read_grid_code(clip: str) -> str | None:
    """Tell what is said in a clip of GRID by its name, such as s1_bbaf2n: "bin blue at F two now"; None for others."""
    code = clip.rsplit("_", 1)[-1]
    if len(code) != len(_GRID_WORDS) or any(c not in words for c, words in zip(code, _GRID_WORDS, strict=True)):
        return None
    return " ".join(words[c] for c, words in zip(code, _GRID_WORDS, strict=True))


def align_shapes(known: KnownSound, speech: np.ndarray, rows: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Carry the shapes of a real clip over to another voice that says the same.

    Args:
        known: the other voice.
        speech: features of the clip (R, D); `rows` (T,): its frames' rows among them; `shapes` (T, C).
    Returns:
        Shapes at the rows of `known`, (S, C).
    Source:
        Dynamic time warping of the features, which know words and not voices (Sakoe & Chiba 1978).
    """
    _, path = librosa.sequence.dtw(known.speech.T, np.asarray(speech, np.float32).T, metric="cosine")
    here, there = path[::-1].T
    meets = np.interp(np.arange(len(known.speech)), here, there)
    return np.stack([np.interp(meets, rows, column) for column in shapes.T], 1)


def average_sounds(pairs: list[tuple[KnownSound, np.ndarray]]) -> dict[str, np.ndarray]:
    """Average the shapes of each sound, by its letter and by its class, over voices with shapes (S, C)."""
    seen = defaultdict(list)
    for known, shapes in pairs:
        for phoneme in known.phonemes:
            start, stop = phoneme.start_s * SPEECH_RATE, phoneme.stop_s * SPEECH_RATE
            row = int(np.clip(round((start + stop) / 2), 0, len(shapes) - 1))
            for key in (phoneme.letters[:1], _class_of(phoneme)):
                seen[key].append(shapes[row])
    return {key: np.mean(rows, 0) for key, rows in seen.items() if len(key) > 1 or len(rows) >= _FEWEST}


def expect_shapes(known: KnownSound, means: dict[str, np.ndarray]) -> np.ndarray:
    """Tell what a mouth does at known sounds: shapes (S, C), rest in pauses."""
    shapes = np.zeros((len(known.speech), len(next(iter(means.values())))))
    for phoneme in known.phonemes:
        span = slice(round(phoneme.start_s * SPEECH_RATE), max(round(phoneme.stop_s * SPEECH_RATE), 1))
        mean = means.get(phoneme.letters[:1], means.get(_class_of(phoneme)))
        if mean is not None:
            shapes[span] = mean
    return gaussian_filter1d(shapes, _BLUR_S * SPEECH_RATE, axis=0)


def _class_of(phoneme: Phoneme) -> str:
    for name in ("closure", "labiodental", "rounded", "open_vowel", "vowel"):
        if getattr(phoneme, f"is_{name}"):
            return name
    return "consonant"
