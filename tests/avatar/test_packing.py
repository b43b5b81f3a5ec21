"""Tracks as they are stored."""

import numpy as np
import pytest

from g4g.avatar.cache import MOST_BYTES
from g4g.avatar.packing import pack_tracks, settle_tracks, unpack_tracks
from g4g.faces import FaceTracks


@pytest.mark.parametrize("width_px", [40, 300, 4000])
def test_points_are_kept_to_a_65535th_of_the_face(width_px, monkeypatch):
    rng, rows = np.random.default_rng(0), 25
    mesh = (rng.uniform(0, width_px, (rows, 478, 3)) - [0, 0, width_px / 2] + [500, 300, 0]).astype(np.float32)
    tracks = FaceTracks(
        np.arange(rows) / 25, np.zeros(rows, bool), np.arange(rows, dtype=np.int32), np.zeros(rows, np.int32), mesh,
        np.zeros((rows, 2, 3)), np.zeros(rows, bool), np.zeros((rows, 3), np.float32),
    )  # fmt: skip
    packed = pack_tracks(tracks)
    monkeypatch.setattr("g4g.avatar.packing._BLOCK", 10)
    assert all(np.array_equal(array, packed[name]) for name, array in pack_tracks(tracks).items()), "block by block"
    again = unpack_tracks(packed)
    assert np.abs(again.mesh - mesh).max() < 0.6 * width_px / 65_535 + 1e-3 * (width_px > 1000)
    assert (again.mesh == settle_tracks(again).mesh).all(), "once on the grid, always on it"
    assert sum(array.nbytes for array in packed.values()) / rows * 25 * 3600 < MOST_BYTES, "an hour is kept"
