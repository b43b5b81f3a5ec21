"""The renderer's rows on planted answers, and one clip drawn by the tiny networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from renderer import ROWS, Bench, choose_clip_finish, choose_rows, paint_clip, sum_up

from g4g.faces import crop_face
from g4g.painter import Painter
from g4g.training.examples import Subject


def test_figures_stand_over_the_mean_of_three():
    # Errors of 100, 10, 10 and 1; perceptual distances 0.4, 0.2, 0.2, 0.1; sharpness 1, 0.25, 4, 0.5 and then 2.
    row = np.array([[100, 0.4, 1], [10, 0.2, 0.25], [10, 0.2, 4], [1, 0.1, 0.5]])
    other = row.copy()
    other[3, 2] = 2
    figures = {figure.name: figure for figure in sum_up(np.stack([row, other]), "s1")}
    assert figures["generator: above the mean of three, dB"].value == pytest.approx(10)
    assert figures["generator: perceptual distance over the mean of three's"].value == pytest.approx(0.5)
    assert figures["generator: sharpness over source"].value == pytest.approx(1), "blurred and noisy balance"
    assert all(figure.reached is not False for figure in figures.values())


def test_pictures_of_frames_are_half_a_second_away(real_clip):
    subject, times_s = Subject.of(real_clip.shot), real_clip.shot.times_s
    for row in choose_rows(real_clip, 5):
        assert np.abs(times_s[subject.rank_references(row, 0.5)] - times_s[row]).min() >= 0.5


def test_crops_are_cut_where_the_prepared_ones_were(real_clip):
    rows = [0, 40]
    fine = real_clip.cut_crops(real_clip.source, rows, 3).astype(float)
    known = np.asarray(real_clip.shot.crops[rows]).astype(float)
    small = fine.reshape(2, 192, 2, 192, 2, 3).mean((2, 4))
    assert np.abs(small - known)[:, 20:-20, 20:-20].mean() < 3


def test_a_clip_is_drawn_and_a_warp_of_the_frame_itself_is_the_frame(real_clip, tiny_models, monkeypatch):
    monkeypatch.setattr(Subject, "rank_references", lambda self, row, apart_s: np.array([row] * 3))
    painter = Painter(tiny_models.generator, tiny_models.fusion)
    [(rows, painted)] = paint_clip(painter, real_clip, np.array([10, 30]))
    assert rows.tolist() == [10, 30] and painted.keys() == set(ROWS)
    frame, matrix = next(real_clip.read_frames(real_clip.source, [10])), real_clip.frame_to_crop[10]
    for name in ROWS[:3]:
        made = np.zeros_like(frame)
        painted[name].draw(0, frame, matrix, made)
        made, real = (crop_face(picture, matrix, 128)[70:90, 44:84].astype(float) for picture in (made, frame))
        assert np.abs(made - real).mean() < 3, name


def test_mouths_are_finished_as_a_dub_of_the_clip_would(real_clip, tiny_models):
    painter = Painter(tiny_models.generator, tiny_models.fusion)
    finish = choose_clip_finish(painter, real_clip)
    assert 0 <= finish.residual <= 1 and 0 <= finish.sharpening < 1


def test_frames_are_measured_in_all_rows(real_clip, tiny_models):
    class Distance(torch.nn.Module):
        def forward(self, made, real):
            return (made - real).abs().mean((1, 2, 3))

    bench = Bench(tiny_models, Distance())
    found = bench.measure(replace(real_clip), 2)
    assert found.shape == (2, len(ROWS), 3) and np.isfinite(found).all() and (found > 0).all()
    assert bench.columns[0].keys() == {*ROWS, "real"}
