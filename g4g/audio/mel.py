"""Log-mel spectrogram by librosa, computed block by block, and where its sync windows begin."""

from __future__ import annotations

from functools import lru_cache

import librosa
import numpy as np

from g4g.audio.mel_bands import mel_bands
from g4g.config import AudioConfig
from g4g.errors import ShapeError

_FLOOR = 1e-5
"""Amplitudes below it count as silence (-100 dB, the field's value)."""


def count_mel_steps(num_samples: int, config: AudioConfig = AudioConfig()) -> int:
    """Count the mel steps of a waveform: step s is centred on sample s * hop_length."""
    return num_samples // config.hop_length + 1


def log_mel(
    waveform: np.ndarray, first_step: int = 0, steps: int | None = None, config: AudioConfig = AudioConfig()
) -> np.ndarray:
    """Compute log-mel steps of a waveform; any span gives the same values as the whole.

    Args:
        waveform: mono sound at `config.sample_rate`, shape (N,), float in [-1, 1].
        first_step: first mel step wanted; negative steps lie before the sound and are silent.
        steps: how many; all that remain by default. Steps after the end are silent.
    Returns:
        Shape (n_mels, steps), float32; -1 is silence (-100 dB), 0 is -50 dB, 1 is 0 dB.
    Raises:
        ShapeError: the waveform is not one-dimensional.
    Source:
        Window, hop, bands and pre-emphasis of Wav2Lip (Prajwal et al. 2020); padding and scale our choice.
    """
    if waveform.ndim != 1:
        raise ShapeError(f"log_mel expects a mono waveform (N,), got shape {waveform.shape}; mix the channels first")
    if steps is None:
        steps = count_mel_steps(len(waveform), config) - first_step
    # One sample more on the left feeds the pre-emphasis filter.
    start = first_step * config.hop_length - config.n_fft // 2 - 1
    stop = (first_step + steps - 1) * config.hop_length + config.n_fft // 2
    samples = np.asarray(waveform[max(start, 0) : max(stop, 0)], dtype=np.float32)
    samples = np.pad(samples, (max(-start, 0) if stop > 0 else 0, 0))
    samples = np.pad(samples, (0, max(stop - start - len(samples), 0)))
    emphasised = samples[1:] - config.pre_emphasis * samples[:-1]
    power = np.abs(librosa.stft(emphasised, n_fft=config.n_fft, hop_length=config.hop_length, center=False))
    amplitude = _mel_bands(config) @ power
    mel = np.log10(np.maximum(amplitude, _FLOOR)) * 0.4 + 1.0
    # Logarithms differ in the last bit between CPUs; silence is exactly -1 on all of them.
    return np.where(amplitude > _FLOOR, mel, -1.0).astype(np.float32)


def window_starts(times_s: np.ndarray, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Give the first mel step of the sync window centred on each time, shape (T,), int64.

    A frame shown at t lasts 1/25 s in the score's 25 fps copy, so its window is centred on the middle of that frame.
    """
    middle_s = np.asarray(times_s, dtype=np.float64) + 0.5 * config.window_s / config.window_frames
    return np.round(middle_s * config.mel_rate - config.window_mel_steps / 2).astype(np.int64)


@lru_cache(maxsize=4)
def _mel_bands(config: AudioConfig) -> np.ndarray:
    return mel_bands(config.sample_rate, config.n_fft, config.n_mels, config.f_min_hz, config.f_max_hz)
