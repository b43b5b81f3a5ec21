"""Planted offsets, whole frames and fractions."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from g4g.aligner import measure_offset
from g4g.training.data import Shot
from g4g.training.offsets import correct_offsets
from g4g.zoo import load


def _smooth_rows(times):
    """Unit rows whose likeness falls smoothly with the distance in time."""
    angles = np.outer(times, np.linspace(0.1, 0.9, 12))
    rows = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    return functional.normalize(torch.from_numpy(rows), dim=1)


@pytest.mark.parametrize("offset", [0.0, 0.4, -0.7, 3.25, -9.0])
@pytest.mark.parametrize("every", [1, 3])
def test_a_planted_offset_is_found_to_a_fraction_of_a_frame(offset, every):
    frames = np.arange(75)
    lips, sound = _smooth_rows(frames[::every]), _smooth_rows(frames + offset)
    assert measure_offset(lips, sound, every) == pytest.approx(offset, abs=0.05)


def test_a_shot_too_short_to_tell_stays():
    rows = _smooth_rows(np.arange(12))
    assert measure_offset(rows, rows.roll(3, 0)) == 0
    crops = np.zeros((12, 128, 128, 3), np.uint8)
    shot = Shot(
        "a", "a", "x", crops, np.zeros((12, 68, 2), np.float32), np.arange(12) / 25, np.zeros((80, 64), np.float32)
    )
    lines = []
    [same] = correct_offsets(load("g4g-tiny").aligner, [shot], lines.append)
    assert np.array_equal(same.times_s, shot.times_s) and "0 shots" in lines[0]
