"""The judge's sound: MFCCs at 100 steps a second, and the 0.36 s of them around each frame."""

from __future__ import annotations

import librosa
import numpy as np

from g4g.audio import window_starts
from g4g.config import AudioConfig
from g4g.errors import ShapeError

SOUND = AudioConfig(
    n_fft=512, hop_length=160, n_mels=40, f_min_hz=20.0, f_max_hz=7600.0, window_mel_steps=36, window_frames=9
)
"""The judge's front end: 100 steps/s, a window of 0.36 s has 36."""

COEFFICIENTS = 20
"""MFCCs per step; as many deltas come with them."""

_WIN_LENGTH = 400
_DELTA_STEPS = 5


def mfcc(waveform: np.ndarray, f_max_hz: float = SOUND.f_max_hz) -> np.ndarray:
    """Compute MFCCs and their deltas, each coefficient with mean 0 and about deviation 1 over the sound.

    Args:
        waveform: mono at 16 kHz, shape (N,), float in [-1, 1].
        f_max_hz: top of the mel bands; another value in training shifts the formants.
    Returns:
        Shape (2 * COEFFICIENTS, steps), float32; step s is centred on sample s * 160.
    Raises:
        ShapeError: not mono, or no sample.
    Source:
        MFCCs at 100 Hz as in SyncNet (Chung & Zisserman 2016); number, deltas and normalisation our choice.
    """
    if waveform.ndim != 1 or len(waveform) == 0:
        raise ShapeError(f"expected a mono waveform (N,), N > 0, got shape {waveform.shape}; mix the channels first")
    samples = np.asarray(waveform, dtype=np.float32)
    emphasised = np.append(samples[:1], samples[1:] - np.float32(SOUND.pre_emphasis) * samples[:-1])
    values = librosa.feature.mfcc(
        y=emphasised, sr=SOUND.sample_rate, n_mfcc=COEFFICIENTS, n_fft=SOUND.n_fft, win_length=_WIN_LENGTH,
        hop_length=SOUND.hop_length, n_mels=SOUND.n_mels, fmin=SOUND.f_min_hz, fmax=f_max_hz, center=True,
        pad_mode="constant",
    )  # fmt: skip
    values = (values - values.mean(1, keepdims=True)) / (values.std(1, keepdims=True) + 1.0)
    half = _DELTA_STEPS // 2
    padded = np.pad(values, ((0, 0), (half, half)), mode="edge")
    deltas = librosa.feature.delta(padded, width=_DELTA_STEPS)[:, half:-half] * 2
    return np.concatenate([values, deltas]).astype(np.float32)


def mfcc_windows(features: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Cut the 0.36 s around each frame time (T,) out of `mfcc`'s (40, S), shape (T, 40, 36); the ends repeat."""
    columns = window_starts(times_s, SOUND)[:, None] + np.arange(SOUND.window_mel_steps)
    return features[:, np.clip(columns, 0, features.shape[1] - 1)].transpose(1, 0, 2)
