"""The bands of a mel spectrogram: librosa's numbers, without its import, which takes 55 MB and half a second."""

from __future__ import annotations

import numpy as np

_HZ_PER_MEL = 200 / 3
"""Below `_LOG_HZ` the scale is linear."""
_LOG_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27
"""Above it one mel is so much in the logarithm of the frequency."""


def mel_bands(sample_rate: int, n_fft: int, n_mels: int, f_min_hz: float, f_max_hz: float) -> np.ndarray:
    """Build triangles that sum a power spectrum up to mel bands of equal area.

    Args:
        sample_rate: Hz.
        n_fft: samples of a spectrum.
        n_mels: bands.
        f_min_hz, f_max_hz: where the first band begins and the last one ends.
    Returns:
        Shape (n_mels, n_fft // 2 + 1), float32.
    Source:
        Slaney 1998 (Auditory Toolbox), as `librosa.filters.mel` computes it: equal to the last bit.
    Example:
        >>> mel_bands(16_000, 400, 80, 0.0, 8000.0).shape
        (80, 201)
    """
    edges_hz = _mel_to_hz(np.linspace(_hz_to_mel(f_min_hz), _hz_to_mel(f_max_hz), n_mels + 2))
    widths_hz = np.diff(edges_hz)
    ramps = np.subtract.outer(edges_hz, np.fft.rfftfreq(n_fft, 1 / sample_rate))
    rising, falling = -ramps[:-2] / widths_hz[:-1, None], ramps[2:] / widths_hz[1:, None]
    bands = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (bands * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    mel = hz / _HZ_PER_MEL
    return mel if hz < _LOG_HZ else _LOG_HZ / _HZ_PER_MEL + np.log(hz / _LOG_HZ) / _LOG_STEP


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    first = _LOG_HZ / _HZ_PER_MEL
    return np.where(mels < first, _HZ_PER_MEL * mels, _LOG_HZ * np.exp(_LOG_STEP * (mels - first)))
