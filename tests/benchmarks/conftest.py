"""A real clip as the benchmarks know it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import Clip, hear_clips, load_clips

from g4g.training.prepare import prepare
from g4g.zoo import Models, load


@pytest.fixture(scope="session")
def tiny_models() -> Models:
    """The tiny networks, which nobody trained."""
    return load("g4g-tiny")


@pytest.fixture(scope="session")
def real_clip(grid_clip: Path, tmp_path_factory, in_process, tiny_models) -> Clip:
    """One real clip of GRID, prepared, with the tiny networks' speech features."""
    folder = tmp_path_factory.mktemp("prepared")
    with in_process():
        prepare([grid_clip], folder)
    [clip] = hear_clips(load_clips([folder]), tiny_models)
    return clip
