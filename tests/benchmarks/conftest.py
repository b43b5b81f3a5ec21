"""A real clip as the benchmarks know it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import Clip, load_videos


@pytest.fixture(scope="session")
def real_clip(grid_clip: Path, tmp_path_factory) -> Clip:
    """One real clip of GRID, prepared."""
    [clip] = load_videos([grid_clip], tmp_path_factory.mktemp("prepared"), "s1")
    return clip
