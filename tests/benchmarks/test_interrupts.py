"""The benchmark of interruptions: planted frames, and a real stream that is interrupted twice."""

import math

import numpy as np
from interrupts import InterruptFigures, Seen, describe_interrupts, find_settled, measure_gap, measure_interrupts
from PIL import Image

import g4g
from g4g.live import LiveFrame


def seen_at(*times_s):
    return [Seen(None, after_s, False) for after_s in times_s]


def test_what_counts_is_the_first_frame_after_the_last_unrest():
    seen = seen_at(0.01, 0.05, 0.09)
    assert find_settled(seen, [True, True, True]) == 0.01
    assert find_settled(seen, [True, False, True]) == 0.09
    assert find_settled(seen, [False, True, False]) == math.inf


def test_goals_are_missed_by_sound_that_goes_on_late_rest_and_lips_that_are_apart():
    good = {"silent_s": [0.04], "sounded": [0], "rest_s": [0.12], "gaps": [0.01]}
    for name, bad in ((None, None), ("sounded", 1), ("rest_s", 0.21), ("gaps", 0.1), ("gaps", math.nan)):
        figures = {key: np.array([bad] if key == name else value) for key, value in good.items()}
        missed = [reached for _, _, reached in describe_interrupts(InterruptFigures(**figures)) if reached is False]
        assert len(missed) == (name is not None), (name, bad)


def test_a_face_is_measured_and_none_is_no_figure(portrait_file):
    face = np.asarray(Image.open(portrait_file).convert("RGB"))
    frame = lambda picture: LiveFrame(picture, 0.0, np.zeros(0, np.int16), 16_000, 0)  # noqa: E731
    assert 0.03 < measure_gap([frame(face)]) < 0.3, "she smiles"
    assert math.isnan(measure_gap([frame(np.zeros_like(face))]))


def test_a_real_stream_is_interrupted(portrait_file, tmp_path):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny-live", engine="torch")
    dubber.make_avatar(portrait_file, tmp_path / "ann.avatar")
    sound = np.random.default_rng(0).integers(-9_000, 9_000, 40_000).astype(np.int16)
    figures = measure_interrupts(dubber, tmp_path / "ann.avatar", sound, 2)
    assert not figures.sounded.any() and (figures.silent_s < 0.2).all()
    assert (0.05 < figures.rest_s).all() and (figures.rest_s < 0.4).all(), "it fades over three frames"
    assert len(figures.gaps) == 2 and np.isfinite(figures.gaps).all()
