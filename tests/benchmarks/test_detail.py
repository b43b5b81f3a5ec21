"""Enlarged clips show the same face in the same crop; detail that only the dub keeps is counted, on planted answers."""

from types import SimpleNamespace

import numpy as np
import pytest
from detail import compare_detail, cut_triples, paste_coarse, report_detail
from enlarge import draw_pores, enlarge_clip, enlarge_crop

from g4g.dubbing import Dubber
from g4g.faces import refine_crop
from g4g.media import VideoWriter, read_frames
from g4g.zoo import load

CHECKS = np.indices((64, 64)).sum(0)[..., None] % 2 * np.full(3, 200.0)


def test_the_corner_of_a_frame_stays_where_it_is_in_the_crop():
    matrix = np.array([[2.0, 0.5, -30], [-0.5, 2.0, 7]])
    for factor in (2, 4):
        # The outer corner of a picture lies half a pixel before its first pixel's centre, whatever their number.
        np.testing.assert_allclose(enlarge_crop(matrix, factor) @ [-0.5, -0.5, 1], matrix @ [-0.5, -0.5, 1])
        np.testing.assert_allclose(
            enlarge_crop(matrix, factor) @ [80 * factor - 0.5, 60 * factor - 0.5, 1], matrix @ [79.5, 59.5, 1]
        )


def test_pores_are_the_same_each_time_and_have_no_mean():
    pores = draw_pores(200)
    assert (pores == draw_pores(200)).all() and pores.shape == (200, 200, 1)
    assert abs(pores.mean()) < 0.5 and pores.std() == pytest.approx(9, rel=1e-3)


def test_pores_lie_on_the_face_and_move_with_it(tmp_path, voice_file):
    source = tmp_path / "grey.mp4"
    with VideoWriter(source, 160, 160, 25, voice_file, (0, 0.08)) as writer:
        for _ in range(2):
            writer.write(np.full((160, 160, 3), 128, np.uint8))
    to_crop = np.array([np.eye(2, 3), [[1, 0, -20], [0, 1, 0]]])
    clip = SimpleNamespace(
        source=source, start=0, frame_to_crop=to_crop, shot=SimpleNamespace(crops=np.zeros((2, 128, 128, 3)))
    )
    out = enlarge_clip(clip, 2, True, tmp_path / "out.mp4")
    first, second = ([*read_frames(out)][i].frame.astype(float).mean(-1) for i in (0, 1))
    assert first.shape == (320, 320) and first[:250, :250].std() > 5 and first[:, 270:].std() < 1
    moved = np.corrcoef(first[:250, :250].ravel(), second[:250, 40:290].ravel())[0, 1]
    assert moved > 0.9, "20 px of the crop are 40 px of the enlarged frame"


def test_sharpness_of_dub_and_paste_are_told_apart():
    blurred = np.full_like(CHECKS, 100)
    figure = report_detail(compare_detail([(CHECKS, CHECKS * 0.9 + 10, blurred)] * 3), "s1", "twice")
    assert figure.value == pytest.approx(0.81) and figure.reached and figure.baseline == 0 and figure.count == 3


def test_a_frame_pasted_from_the_networks_size_loses_what_is_finer():
    fine = np.indices((256, 256)).sum(0)[..., None] % 2 * np.full(3, 200.0)
    source = np.zeros((300, 300, 3), np.uint8)
    matrix = np.array([[0.5, 0, -10.0], [0, 0.5, -10.0]])
    taken = np.ones((256, 256))
    item = SimpleNamespace(crop=fine, taken=taken, source=source, frame_to_crop=matrix)
    pasted = paste_coarse(item)
    middle = np.linalg.inv(np.vstack([refine_crop(matrix, 2), [0, 0, 1]])) @ [128, 128, 1]
    x, y = middle[:2].astype(int)
    assert (pasted[y - 50 : y + 50, x - 50 : x + 50] == 100).all() and (pasted[:15] == 0).all()


def test_the_portrait_is_compared_with_the_tiny_networks(portrait_file, voice_file):
    first = next(cut_triples(Dubber(load("g4g-tiny")), portrait_file, voice_file))
    assert len({mouth.shape for mouth in first}) == 1 and first[0].shape[0] > 100
    [(made, pasted)] = compare_detail([first])
    assert made != pasted and np.isfinite([made, pasted]).all()
