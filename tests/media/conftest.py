"""Small clips with planted content, made by ffmpeg in the test's own folder."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

CLICK_RATE_HZ = 48_000


@pytest.fixture
def make_clip(ffmpeg: Callable[..., bytes], tmp_path: Path) -> Callable[..., Path]:
    """Store (T, H, W, 3) uint8 frames without loss as `name`; extra arguments go before the codec."""

    def make(frames: np.ndarray, name: str = "clip.mp4", extra: tuple = (), fps: str = "25") -> Path:
        height, width = frames.shape[1:3]
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", fps, "-i", "-"]
        codec = ["-c:v", "libx264rgb", "-qp", "0"]
        ffmpeg(*source, *extra, *codec, tmp_path / name, data=frames.tobytes())
        return tmp_path / name

    return make


@pytest.fixture
def click_wav(tmp_path: Path) -> Path:
    """Two seconds of 48 kHz mono silence with a click of a millisecond centred on 1.0 s."""
    samples = np.zeros(2 * CLICK_RATE_HZ)
    samples[CLICK_RATE_HZ - 24 : CLICK_RATE_HZ + 25] = np.hanning(49) * 0.8
    return write_wav(tmp_path / "click.wav", samples)


@pytest.fixture
def save_wav() -> Callable[..., Path]:
    """Write float samples in [-1, 1], shape (N,) or (N, channels), as 16-bit wav."""
    return write_wav


def write_wav(path: Path, samples: np.ndarray, rate: int = CLICK_RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return path
