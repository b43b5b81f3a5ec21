"""A real clip as the benchmarks know it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import Clip, hear_clips, load_videos

from g4g.zoo import Models, load


@pytest.fixture(scope="session")
def tiny_models() -> Models:
    """The tiny networks, which nobody trained."""
    return load("g4g-tiny")


@pytest.fixture(scope="session")
def real_clip(grid_clip: Path, tmp_path_factory, tiny_models) -> Clip:
    """One real clip of GRID, prepared, with the tiny networks' speech features."""
    clips = load_videos([grid_clip], tmp_path_factory.mktemp("prepared"), "s1")
    [clip] = hear_clips(clips, tiny_models)
    return clip
