"""Features of speech, whichever encoder computes them: their rate, one call for all encoders, windows by time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from g4g.errors import ConfigError, ShapeError
from g4g.memory import join_blocks

SPEECH_RATE = 50.0
"""Rows per second: row i stands for time i / 50 s."""

_SAMPLES_PER_ROW = 320
"""At 16 kHz."""


class Encoder(Protocol):
    """What every speech encoder does; `config.size` is the columns of its rows."""

    config: Any

    def encode_parts(self, waveform: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the rows (S, size) float32 of a mono sound (N,) at 16 kHz in parts; `count_speech_rows` tells S."""


def count_speech_rows(num_samples: int) -> int:
    """Count the rows of a sound at 16 kHz: every row begins inside it."""
    return -(-num_samples // _SAMPLES_PER_ROW)


def encode_speech(encoder: Encoder, waveform: np.ndarray, look_up: Callable[[], None] | None = None) -> np.ndarray:
    """Compute the features of a sound, piece by piece: memory does not grow with its length.

    Args:
        encoder: in evaluation mode, on any device.
        waveform: mono, 16 kHz, shape (N,), float in [-1, 1]; before and after it is silence.
        look_up: called after each piece; what it raises ends the work.
    Returns:
        Shape (S, size), float32, S = ceil(N / 320): row i stands for time i / 50 s. Many rows lie in a file.
    Raises:
        ShapeError: the waveform is not one-dimensional, or empty.
    """
    if waveform.ndim != 1 or not len(waveform):
        raise ShapeError(f"encode_speech expects a mono waveform (N,) with samples, got shape {waveform.shape}")

    def encode_parts() -> Iterator[np.ndarray]:
        for part in encoder.encode_parts(waveform):
            if look_up is not None:
                look_up()
            yield part

    return join_blocks(encode_parts, (count_speech_rows(len(waveform)), encoder.config.size), np.float32)


def features_at(features: np.ndarray, times_s: np.ndarray, count: int, rate: float) -> np.ndarray:
    """Cut a window of features around each time, by linear interpolation.

    Args:
        features: shape (S, D), as `encode_speech` gives them.
        times_s: times of frames in seconds, shape (T,).
        count: rows of a window, odd; the middle one stands for the frame's time.
        rate: rows per second inside a window.
    Returns:
        Shape (T, count, D), float32; beyond the ends the first and the last row repeat.
    Raises:
        ShapeError: features are not (S, D) with a row at least.
        ConfigError: count is even or below 1, or rate is not positive.
    Example:
        >>> ramp = np.arange(100.0, dtype=np.float32)[:, None]
        >>> features_at(ramp, np.array([1.0]), count=3, rate=25.0)[0, :, 0].tolist()
        [48.0, 50.0, 52.0]
    """
    if features.ndim != 2 or not len(features):
        raise ShapeError(f"features_at expects features (S, D) with rows, got shape {features.shape}")
    if count < 1 or count % 2 == 0 or rate <= 0:
        raise ConfigError(f"a window needs an odd count of rows and a positive rate, got {count} and {rate}")
    times = np.asarray(times_s, np.float64)[:, None] + (np.arange(count) - count // 2) / rate
    last = len(features) - 1
    # Counted from a row before the first, which repeats it, as one after the last does.
    where = np.clip(times * SPEECH_RATE + 1, 0, last + 2)
    low = np.minimum(where.astype(np.int64), last + 1)
    share = (where - low)[..., None].astype(np.float32)
    before, after = (features[np.clip(rows, 0, last)].astype(np.float32) for rows in (low - 1, low))
    return before * (1 - share) + after * share
