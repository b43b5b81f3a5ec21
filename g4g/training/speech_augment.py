"""The same speech with another voice, in other rooms, over bad lines and under other sounds; its rows keep their place."""

from __future__ import annotations

from functools import lru_cache

import librosa
import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from g4g.audio.speech import SPEECH_AUDIO

_RATE_HZ = SPEECH_AUDIO.sample_rate
_LOUDEST_DB, _SOFTEST_DB = 6.0, -26.0
_ROOM, _LINE, _NOISE, _BABBLE, _TONES, _THROAT = 0.3, 0.15, 0.4, 0.2, 0.08, 0.5
"""Shares of sounds that get each change."""


def augment_sound(waveform: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change a sound, its timing kept: room, telephone band, noise, other talk, tones, loudness.

    Args:
        waveform: shape (N,), float32, 16 kHz.
        other: another sound of any length, heard as babble.
        rng: decides what happens.
    Returns:
        Shape (N,), float32.
    """
    level = float(np.sqrt(np.mean(waveform**2))) + 1e-4
    if rng.random() < _ROOM:
        waveform = _add_room(waveform, rng)
    if rng.random() < _BABBLE:
        waveform = waveform + _match(np.resize(np.roll(other, rng.integers(len(other))), len(waveform)), level, rng, 4, 20)
    if rng.random() < _TONES:
        waveform = waveform + _match(_play_tones(len(waveform), rng), level, rng, 3, 20)
    if rng.random() < _NOISE:
        waveform = waveform + _match(_make_noise(len(waveform), rng), level, rng, 3, 35)
    if rng.random() < _LINE:
        band = (rng.uniform(60, 350), rng.uniform(2800, 6500))
        waveform = sosfilt(butter(2, band, "bandpass", fs=_RATE_HZ, output="sos"), waveform)
    gain = 10 ** (rng.uniform(_SOFTEST_DB, _LOUDEST_DB) / 20)
    return np.clip(waveform * gain, -1, 1).astype(np.float32)


def warp_throat(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sometimes make the throat of a log-mel (n_mels, S) longer or shorter: frequencies times 0.82 to 1.22."""
    if rng.random() >= _THROAT:
        return mel
    centres = _band_centres()
    where = np.interp(centres * np.exp(rng.uniform(-0.2, 0.2)), centres, np.arange(len(mel)))
    low = np.minimum(where.astype(int), len(mel) - 2)
    share = (where - low)[:, None].astype(np.float32)
    return mel[low] * (1 - share) + mel[low + 1] * share


def change_speed(waveform: np.ndarray, rows: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Play a sound and its rows `factor` times as fast, which raises the pitch too."""
    samples = np.arange(int(len(waveform) / factor)) * factor
    faster = np.interp(samples, np.arange(len(waveform)), waveform).astype(np.float32)
    where = np.minimum(np.arange(max(int(len(rows) / factor), 1)) * factor, len(rows) - 1)
    low = where.astype(int)
    share = (where - low)[:, None].astype(np.float32)
    return faster, rows[low] * (1 - share) + rows[np.minimum(low + 1, len(rows) - 1)] * share


def _match(sound: np.ndarray, level: float, rng: np.random.Generator, loudest_db: float, softest_db: float) -> np.ndarray:
    """Set a sound so many dB below a level."""
    below = 10 ** (-rng.uniform(loudest_db, softest_db) / 20)
    return sound * (level * below / (float(np.sqrt(np.mean(sound**2))) + 1e-6))


def _add_room(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a decaying tail of noise behind the direct sound; 60 dB of decay take 0.15 to 0.7 s."""
    decay_s = rng.uniform(0.15, 0.7)
    tail = rng.normal(size=int(decay_s * _RATE_HZ)).astype(np.float32)
    tail *= 10 ** (-3 * np.arange(len(tail), dtype=np.float32) / len(tail))
    tail[: rng.integers(16, 320)] = 0
    tail *= rng.uniform(0.2, 0.9) / np.sqrt(np.sum(tail**2))
    return waveform + fftconvolve(waveform, lfilter([1], [1, -0.5], tail).astype(np.float32))[: len(waveform)]


def _make_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise between white and brown, or its loudness waves slowly."""
    noise = rng.standard_normal(count, dtype=np.float32)
    noise = lfilter([1], [1, -rng.choice([0.0, 0.6, 0.9, 0.98])], noise)
    if rng.random() < 0.4:
        noise *= 1 + 0.8 * np.sin(np.arange(count) * (2 * np.pi * rng.uniform(0.2, 3) / _RATE_HZ))
    return noise


def _play_tones(count: int, rng: np.random.Generator) -> np.ndarray:
    """A few notes, each with overtones, one after the other."""
    notes = 2.0 ** (rng.integers(-24, 12, size=max(count * 3 // _RATE_HZ, 1)) / 12) * 440
    pitch = np.repeat(notes, -(-count // len(notes)))[:count]
    phase = np.cumsum(pitch) * (2 * np.pi / _RATE_HZ)
    return sum(np.sin(k * phase) / k for k in (1, 2, 3))


@lru_cache(maxsize=1)
def _band_centres() -> np.ndarray:
    low, high = SPEECH_AUDIO.f_min_hz, SPEECH_AUDIO.f_max_hz
    return librosa.mel_frequencies(n_mels=SPEECH_AUDIO.n_mels + 2, fmin=low, fmax=high)[1:-1]
