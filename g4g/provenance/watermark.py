"""A mark in the picture itself that lasts when a video is made smaller and encoded anew; it says "dubbed", no more."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import cv2
import numpy as np

AMPLITUDE = 2.0
"""Standard deviation of the mark in grey levels of 255: what survives H.264 at crf 28 (benchmarks/watermark.py)."""
LEAST_SCORE = 6.0
"""A picture with a score from here on carries the mark; chance brings so much to one in a thousand million."""
_SIZE = 256
"""Rows and columns to which every picture is stretched: the mark does not depend on a video's size."""
_FINEST, _COARSEST = 6, 24
"""Wavelengths of the mark in these pixels: finer ones are lost when a video shrinks, coarser ones look like light."""
_SEED = 20260801
_NEAR = 8
"""Shifts (px) so near to none are no chance hits: the mark resembles itself there."""
_NOISE = 2.0
"""Power (squared grey levels) of the coding noise, so that flat areas do not weigh more than they are worth."""
_PLACE, _LINE = 4.0, 2.0
"""How far around a place (px) and a frequency (lines of the spectrum) the picture's own power is measured."""
_LEAST_LINE = 0.05
"""Frequencies with less than this share of the strongest one's amplitude are not raised further."""


def _keep_band(picture: np.ndarray) -> np.ndarray:
    """Keep the wavelengths of the mark."""
    return cv2.GaussianBlur(picture, (0, 0), _FINEST / 4) - cv2.GaussianBlur(picture, (0, 0), _COARSEST / 4)


@lru_cache
def _make_pattern() -> np.ndarray:
    """Make the mark: noise of these wavelengths, shape (_SIZE, _SIZE), deviation 1."""
    noise = np.random.default_rng(_SEED).standard_normal((_SIZE, _SIZE)).astype(np.float32)
    pattern = _keep_band(noise)
    return pattern / pattern.std()


@lru_cache(maxsize=2)
def _fit_pattern(height: int, width: int) -> np.ndarray:
    fitted = cv2.resize(_make_pattern(), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.round(AMPLITUDE * fitted).astype(np.int16)[..., None], 3, axis=2)


def add_watermark(frame: np.ndarray) -> np.ndarray:
    """Add the mark to a frame, shape (H, W, 3) or with alpha (H, W, 4), uint8; returns a new one."""
    marked = frame.copy()
    marked[..., :3] = cv2.add(frame[..., :3], _fit_pattern(*frame.shape[:2]), dtype=cv2.CV_8U)  # stays in 0 to 255
    return marked


def score_watermark(frames: Iterable[np.ndarray]) -> float:
    """Tell how clearly frames carry the mark.

    Args:
        frames: RGB, shape (H, W, 3), uint8, all of one size; the mark is the same in all, the picture moves.
    Returns:
        How far the frames' mean fits the mark where it lies, in deviations of its fits at all other places: from
        LEAST_SCORE on it is there.
    Source:
        Spread spectrum (Cox et al. 1997) found by a whitened correlation; wavelengths and weights are our choice.
    """
    total, count = np.zeros((_SIZE, _SIZE), np.float32), 0
    for frame in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        total += cv2.resize(grey, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
        count += 1
    if not count:
        return 0.0
    spectrum = np.fft.fft2(_level(_keep_band(total / count)))
    fits = np.real(np.fft.ifft2(np.conj(np.fft.fft2(_make_pattern())) * spectrum))
    shift = np.minimum(np.arange(_SIZE), _SIZE - np.arange(_SIZE))
    others = fits[np.maximum(shift[:, None], shift) > _NEAR]
    return float((fits[0, 0] - others.mean()) / others.std())


def _level(band: np.ndarray) -> np.ndarray:
    """Weaken the picture where it is strong, first by place (edges, texture), then by frequency."""
    band = band / (cv2.GaussianBlur(band * band, (0, 0), _PLACE) + _NOISE)
    spectrum = np.fft.fft2(band - band.mean())
    power = np.fft.fftshift(np.abs(spectrum) ** 2).astype(np.float32)
    amplitude = np.fft.ifftshift(np.sqrt(cv2.GaussianBlur(power, (0, 0), _LINE)))
    return np.real(np.fft.ifft2(spectrum / (amplitude + amplitude.max() * _LEAST_LINE)))
