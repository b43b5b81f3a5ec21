"""Clips once more with other voices, at other speeds and under other sounds, so that motion hears anyone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import librosa
import numpy as np

from g4g.config import AudioConfig
from g4g.training.data import Shot

_CHANGED, _COPIES = 0.5, 3
"""This share of the shots is changed, each in so many ways."""
_HIGHER, _LOWER, _SNR_DB = (4.0, 7.0), (-5.0, -3.0), (5.0, 10.0)
"""Semitones, and decibels of speech over noise."""
_FASTER, _SLOWER = 1.25, 0.8
_TALKERS = 5
KINDS = ("higher", "lower", "noise", "babble", "faster", "slower")


def change_voices(shots: Sequence[Shot], encode: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> list[Shot]:
    """Change the sounds of some shots; mouths keep their moments, at other speeds all moments move alike.

    Args:
        shots: with sound.
        encode: turns a waveform (N,) float32 of 16 kHz into speech features.
        seed: decides what happens.
    Returns:
        The changed shots alone, three for every second shot.
    Source:
        Our choice.
    """
    rng, changed = np.random.default_rng(seed), []
    for shot in shots:
        if rng.random() < _CHANGED:
            changed += [change_voice(shot, kind, shots, encode, rng) for kind in rng.permutation(KINDS)[:_COPIES]]
    return changed


def change_voice(
    shot: Shot, kind: str, others: Sequence[Shot], encode: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator
) -> Shot:
    """Change a shot's sound in one of KINDS; arguments as for `change_voices`, `others` talk in babble."""
    rate, waveform, times_s = AudioConfig().sample_rate, _to_floats(shot), shot.times_s
    if kind in ("higher", "lower"):
        steps = rng.uniform(*(_HIGHER if kind == "higher" else _LOWER))
        waveform = librosa.effects.pitch_shift(waveform, sr=rate, n_steps=steps)
    elif kind in ("faster", "slower"):
        speed = _FASTER if kind == "faster" else _SLOWER
        waveform, times_s = librosa.effects.time_stretch(waveform, rate=speed), times_s / speed
    else:
        noise = rng.normal(size=len(waveform)) if kind == "noise" else _babble(others, len(waveform), rng)
        noise *= np.sqrt(np.square(waveform).mean() / max(np.square(noise).mean(), 1e-12))
        waveform = waveform + noise * 10 ** (-rng.uniform(*_SNR_DB) / 20)
    waveform = np.clip(waveform, -1, 1).astype(np.float32)
    return replace(
        shot, name=f"{shot.name}-{kind}", times_s=times_s, speech=encode(waveform),
        waveform=(waveform * 32767).astype(np.int16),
    )  # fmt: skip


def _babble(others: Sequence[Shot], length: int, rng: np.random.Generator) -> np.ndarray:
    """Let a few people talk at once, each begun anywhere."""
    chosen = rng.choice(len(others), min(_TALKERS, len(others)), replace=False)
    return np.sum([np.resize(np.roll(_to_floats(others[i]), rng.integers(length)), length) for i in chosen], axis=0)


def _to_floats(shot: Shot) -> np.ndarray:
    return shot.waveform.astype(np.float32) / 32767
