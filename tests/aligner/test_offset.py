"""Planted offsets, whole frames and fractions, and what is no offset."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from g4g.aligner import compare_shifts, measure_offset, tell_offset


def smooth_rows(times):
    """Unit rows whose likeness falls smoothly with the distance in time."""
    angles = np.outer(times, np.linspace(0.1, 0.9, 12))
    rows = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    return functional.normalize(torch.from_numpy(rows), dim=1)


@pytest.mark.parametrize("offset", [0.0, 0.4, -0.7, 3.25, -9.0])
@pytest.mark.parametrize("every", [1, 3])
def test_a_planted_offset_is_found_to_a_fraction_of_a_frame(offset, every):
    frames = np.arange(75)
    lips, sound = smooth_rows(frames[::every]), smooth_rows(frames + offset)
    assert measure_offset(lips, sound, every) == pytest.approx(offset, abs=0.05)
    assert tell_offset(compare_shifts(lips, sound, every)) == pytest.approx(offset, abs=0.05)


def test_nothing_is_told_of_a_clip_too_short():
    rows = smooth_rows(np.arange(15))
    assert measure_offset(rows, rows.roll(3, 0)) == 0


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("silence", np.ones((75, 24))),
        ("further away than shifts reach", smooth_rows(np.arange(75) + 20.0).numpy()),
        ("another voice", np.random.default_rng(0).normal(size=(75, 24))),
    ],
)
def test_nothing_is_told_where_no_shift_stands_out(name, sound):
    rows = functional.normalize(torch.from_numpy(sound), dim=1)
    assert tell_offset(compare_shifts(smooth_rows(np.arange(75)), rows)) is None, name
