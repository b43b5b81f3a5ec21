"""Sound that comes in chunks: checked, mixed to mono, and brought to another rate without a seam."""

from __future__ import annotations

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from g4g.errors import ConfigError, ShapeError

LEAST_RATE, MOST_RATE = 8_000, 192_000
_MOST_CHANNELS = 8


def read_chunk(samples: object, sample_rate: object) -> np.ndarray:
    """Check a chunk of sound and mix it to mono int16, (N,).

    Args:
        samples: int16, or float in [-1, 1]; (N,) or (N, channels).
        sample_rate: Hz.
    Raises:
        ShapeError: another shape. ConfigError: another type or rate, or values that are not numbers.
    """
    if not isinstance(sample_rate, int | np.integer) or not LEAST_RATE <= sample_rate <= MOST_RATE:
        raise ConfigError(f"`sample_rate` must be a whole number from {LEAST_RATE} to {MOST_RATE}, got {sample_rate!r}")
    chunk = np.asarray(samples)
    if chunk.ndim not in (1, 2) or (chunk.ndim == 2 and not 1 <= chunk.shape[1] <= _MOST_CHANNELS):
        raise ShapeError(
            f"a chunk of sound has the shape (N,) or (N, channels), 1 to {_MOST_CHANNELS} channels, got {chunk.shape}"
        )
    if chunk.dtype == np.int16:
        return chunk.copy() if chunk.ndim == 1 else np.round(chunk.mean(1)).astype(np.int16)
    if not np.issubdtype(chunk.dtype, np.floating):
        raise ConfigError(f"a chunk of sound is int16, or float in [-1, 1], got {chunk.dtype}")
    if not np.isfinite(chunk).all():
        raise ConfigError("a chunk of sound holds samples that are not numbers; it was left out, the stream goes on")
    mono = chunk if chunk.ndim == 1 else chunk.mean(1)
    return np.round(np.clip(mono, -1, 1) * 32_767).astype(np.int16)


class Resampler:
    """Brings mono int16 chunks of one sound from one rate to another (FFmpeg's swresample)."""

    def __init__(self, source_rate: int, rate: int) -> None:
        self.source_rate = source_rate
        self._same = source_rate == rate
        self._resampler = AudioResampler("s16", "mono", rate)

    def convert(self, samples: np.ndarray) -> np.ndarray:
        """Convert a chunk; some milliseconds are held back until the next."""
        if self._same or not len(samples):
            return samples
        frame = AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate = self.source_rate
        return _join(self._resampler.resample(frame))

    def finish(self) -> np.ndarray:
        """Give what was held back; the resampler is used up."""
        return np.zeros(0, np.int16) if self._same else _join(self._resampler.resample(None))


def _join(frames: list[AudioFrame]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray()[0] for frame in frames)])
