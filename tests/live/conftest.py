"""What the tests of live streams share: runs on simulated time, tiny networks, a prepared clip."""

from __future__ import annotations

import pytest

import g4g

from .simulated import Run


@pytest.fixture
def run():
    """Make runs; their streams are closed at the end."""
    made = []

    def make(**options: object) -> Run:
        made.append(Run(**options))
        return made[-1]

    yield make
    for one in made:
        one.go()
        one.maker.takes_s, one.clock.time_s = 0.0, float("inf")
        one.stream.close()


@pytest.fixture(scope="session")
def live() -> g4g.Dubber:
    """Tiny networks that can stream."""
    return g4g.Dubber.from_pretrained("g4g-tiny-live", engine="torch")


@pytest.fixture(scope="session")
def avatar_file(live, grid_clip, tmp_path_factory):
    """A real clip, prepared."""
    path = tmp_path_factory.mktemp("avatar") / "s1.avatar"
    live.make_avatar(grid_clip, path)
    return path
