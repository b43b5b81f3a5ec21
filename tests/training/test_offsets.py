"""Shots put in sync before training."""

import numpy as np

from g4g.training.data import Shot
from g4g.training.offsets import correct_offsets
from g4g.zoo import load


def test_a_shot_too_short_to_tell_stays():
    crops = np.zeros((12, 128, 128, 3), np.uint8)
    shot = Shot(
        "a", "a", "x", crops, np.zeros((12, 68, 2), np.float32), np.arange(12) / 25, np.zeros((80, 64), np.float32)
    )
    lines = []
    [same] = correct_offsets(load("g4g-tiny").aligner, [shot], lines.append)
    assert np.array_equal(same.times_s, shot.times_s) and "0 shots" in lines[0]
