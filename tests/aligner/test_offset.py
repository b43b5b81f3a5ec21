"""Planted offsets, whole frames and fractions, and what is no offset."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from g4g.aligner import Offset, compare_shifts, find_offset, measure_offset
from g4g.config import MAX_OFFSET_FRAMES
from g4g.faces import load_canonical
from g4g.zoo import load

_FRAMES = np.arange(75)
_AROUND = np.arange(-MAX_OFFSET_FRAMES, 75 + MAX_OFFSET_FRAMES)
_KNOWN = np.ones(len(_AROUND), bool)


def smooth_rows(times):
    """Unit rows whose likeness falls smoothly with the distance in time."""
    angles = np.outer(times, np.linspace(0.1, 0.9, 12))
    rows = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    return functional.normalize(torch.from_numpy(rows), dim=1)


@pytest.mark.parametrize("offset", [0.0, 0.4, -0.7, 3.25, -9.0])
def test_a_planted_offset_is_found_to_a_fraction_of_a_frame(offset):
    found = find_offset(compare_shifts(smooth_rows(_FRAMES), smooth_rows(_AROUND + offset), _KNOWN), len(_FRAMES))
    assert found.frames == pytest.approx(offset, abs=0.06) and found.is_clear and found.peak > 5


def test_sound_that_ends_with_the_frames_still_tells():
    known = (_AROUND >= 0) & (_AROUND < 75)
    found = find_offset(compare_shifts(smooth_rows(_FRAMES), smooth_rows(_AROUND + 4), known), len(_FRAMES))
    assert found.frames == pytest.approx(4, abs=0.1) and found.is_clear


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("silence", np.ones((105, 24))),
        ("another voice", np.random.default_rng(0).normal(size=(105, 24))),
    ],
)
def test_nothing_is_clear_where_no_shift_stands_out(name, sound):
    rows = functional.normalize(torch.from_numpy(sound), dim=1)
    assert not find_offset(compare_shifts(smooth_rows(_FRAMES), rows, _KNOWN), 75).is_clear, name


def test_sound_further_away_than_shifts_reach_is_not_clear():
    assert not find_offset(compare_shifts(smooth_rows(_FRAMES), smooth_rows(_AROUND + 20.0), _KNOWN), 75).is_clear


def test_no_sound_and_too_few_frames_are_not_clear():
    nothing = compare_shifts(smooth_rows(_FRAMES), smooth_rows(_AROUND), np.zeros(105, bool))
    assert np.isnan(nothing).all() and find_offset(nothing, 75) == Offset(0.0, 0.0, False)
    aligner, face = load("g4g-tiny").aligner, np.tile(load_canonical().points * 50 + 64, (12, 1, 1))
    assert measure_offset(aligner, face, np.arange(12) / 25, np.zeros((40, 16))) == Offset(0.0, 0.0, False)


def test_what_is_heard_later_is_offset_by_the_start():
    rng = np.random.default_rng(0)
    face = load_canonical().points * 50 + 64 + rng.normal(0, 0.3, (60, 468, 3)).astype(np.float32)
    aligner, speech = load("g4g-tiny").aligner, rng.normal(size=(150, 16)).astype(np.float32)
    here = measure_offset(aligner, face, np.arange(60) / 25, speech)
    there = measure_offset(aligner, face, 7 + np.arange(60) / 25, speech, start_s=7.0)
    assert here.frames == pytest.approx(there.frames, abs=1e-3) and here.peak == pytest.approx(there.peak, abs=1e-3)


def test_the_curve_is_that_of_the_table_of_all_pairs():
    rng, most = np.random.default_rng(0), MAX_OFFSET_FRAMES
    eye, sound = (functional.normalize(torch.from_numpy(rng.normal(0.3, 1, (n, 12))), dim=1) for n in (75, 105))
    known = (_AROUND > -9) & (_AROUND < 70)
    table = (eye @ sound.T).numpy()
    table -= table[:, known].mean(1, keepdims=True)
    table -= table.mean(0)
    table /= table[:, known].std()
    for place, shift in enumerate(range(-most, most + 1)):
        columns = _FRAMES + most - shift
        wanted = table[_FRAMES, columns][known[columns]].mean()
        assert compare_shifts(eye, sound, known)[place] == pytest.approx(wanted, abs=1e-9)
