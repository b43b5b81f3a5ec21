"""A stream of the portrait with tiny networks, in real time."""

from __future__ import annotations

import pytest

import g4g

RATE_HZ = 24_000


@pytest.fixture(scope="session")
def live_avatar(portrait_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "ann.avatar"
    dubber = g4g.Dubber.from_pretrained("g4g-tiny-live", engine="torch")
    dubber.make_avatar(portrait_file, path)
    return dubber, path


@pytest.fixture
def stream(live_avatar):
    dubber, path = live_avatar
    with dubber.stream(path, size=(256, 256), sample_rate=RATE_HZ) as stream:
        yield stream
