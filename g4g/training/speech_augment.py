"""The same speech with another voice, in other rooms, over bad lines, under other sounds; its rows keep their place."""

from __future__ import annotations

from functools import lru_cache

import librosa
import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from g4g.audio.causal import SPEECH_AUDIO

_RATE_HZ = SPEECH_AUDIO.sample_rate
_LOUDEST_DB, _SOFTEST_DB = 6.0, -26.0
_ROOM, _LINE, _NOISE, _BABBLE, _TONES, _THROAT = 0.3, 0.15, 0.4, 0.2, 0.08, 0.5
"""Shares of sounds that get each change."""
_NOISES = 24


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
        talk = np.resize(np.roll(other, rng.integers(len(other))), len(waveform))
        waveform = waveform + _match(talk, level, rng, (4, 20))
    if rng.random() < _TONES:
        waveform = waveform + _match(_play_tones(len(waveform), rng), level, rng, (3, 20))
    if rng.random() < _NOISE:
        waveform = waveform + _match(_make_noise(len(waveform), rng), level, rng, (3, 35))
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
    return _sample(waveform, factor), _sample(rows, factor)


def _sample(values: np.ndarray, factor: float) -> np.ndarray:
    """Read values (N, ...) at 0, factor, 2 factor and so on, by linear interpolation."""
    where = np.arange(max(int((len(values) - 1) / factor), 1), dtype=np.float32) * np.float32(factor)
    low = where.astype(np.int32)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - share) + values[np.minimum(low + 1, len(values) - 1)] * share


def _match(sound: np.ndarray, level: float, rng: np.random.Generator, below_db: tuple[float, float]) -> np.ndarray:
    """Set a sound a random number of dB below a level."""
    below = 10 ** (-rng.uniform(*below_db) / 20)
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
    """Noise between white and brown, whose loudness may wave slowly."""
    noise = np.resize(np.roll(_noises()[rng.integers(_NOISES)], rng.integers(_RATE_HZ)), count)
    if rng.random() < 0.3:
        phase = np.arange(count, dtype=np.float32) * (2 * np.pi * rng.uniform(0.2, 3) / _RATE_HZ)
        noise = noise * (1 + 0.8 * np.sin(phase))
    return noise


@lru_cache(maxsize=1)
def _noises() -> np.ndarray:
    """Noises to choose from, 12 s each: drawing new ones every time costs too much."""
    rng = np.random.default_rng(0)
    raw = rng.standard_normal((_NOISES, 12 * _RATE_HZ), dtype=np.float32)
    return np.stack([lfilter([1], [1, -rng.uniform(0, 0.99)], noise).astype(np.float32) for noise in raw])


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
