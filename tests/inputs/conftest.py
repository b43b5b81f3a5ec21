"""What the tests of odd inputs share: a dubber with tiny networks, and short cuts of one real clip."""

from collections.abc import Callable
from pathlib import Path

import pytest

import g4g

FRAMES, FPS = 15, 25
"""Length of the cut, and of the sound that drives it."""


@pytest.fixture(scope="session")
def tiny() -> g4g.Dubber:
    """Networks that are quick and random: the way of the data is tested here, not the lips."""
    return g4g.Dubber.from_pretrained("g4g-tiny")


@pytest.fixture
def cut(ffmpeg, grid_clip: Path, tmp_path: Path) -> Callable[..., Path]:
    """Store the clip's first 15 frames as `name`; further arguments are ffmpeg's, those in `before` precede -i."""

    def make(name: str, *arguments: object, before: tuple = ()) -> Path:
        ffmpeg(*before, "-t", FRAMES / FPS, "-i", grid_clip, *arguments, tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def voice(ffmpeg, voice_file: Path, tmp_path_factory) -> Path:
    """The bundled voice, cut to the length of the cut clip."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    ffmpeg("-ss", 1, "-t", FRAMES / FPS, "-i", voice_file, path)
    return path
