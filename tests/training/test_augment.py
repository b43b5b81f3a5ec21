"""Clips changed into other people, poses and lights: pictures and points stay together."""

import numpy as np
import pytest
import torch

from g4g.generator import Gallery
from g4g.training.data import Shot
from g4g.training.augment import Warp, draw_example, mirror_landmarks


def _points(frames):
    return np.tile(np.random.default_rng(0).uniform(30, 98, (1, 68, 2)), (frames, 1, 1))


@pytest.fixture
def change():
    linear = np.stack([np.diag([1.1, 0.9]), [[1.0, -0.05], [0.05, 1.0]]])
    waves = np.array([[0.05, 0.02, 1.0, 1.5, -1.0]])
    return Warp(linear, np.array([[2.0, -1.0], [0.0, 1.0]]), np.array([[0.3, 0.1], [-0.2, 0.0]]), waves)


def test_points_move_to_where_they_came_from(change):
    points = np.random.default_rng(0).uniform(30, 98, (2, 20, 2))
    np.testing.assert_allclose(change.find_source(change.move_points(points, 128), 128), points, atol=0.02)


@pytest.mark.parametrize("finer", [1, 2])
def test_what_lies_under_a_point_moves_with_it(change, finer):
    """A soft spot is painted where the point is; after the change it is where the point is told to be."""
    points = np.array([[[50.0, 60.0]], [[80.0, 90.0]]])
    rows, columns = (np.mgrid[: 128 * finer, : 128 * finer] + 0.5) / finer - 0.5
    spots = np.exp(-((columns - points[:, :, 0, None]) ** 2 + (rows - points[:, :, 1, None]) ** 2) / 18)
    moved = change.move_pictures(torch.from_numpy(spots[:, None].repeat(3, 1)).float(), 128)[:, 0].numpy()
    found = [(np.average(columns, weights=spot), np.average(rows, weights=spot)) for spot in moved]
    np.testing.assert_allclose(found, change.move_points(points, 128)[:, 0], atol=0.6)


def test_the_nose_moves_against_the_jaw_when_a_head_turns():
    turned = Warp(np.eye(2)[None], np.zeros((1, 2)), np.array([[0.3, 0.0]]), np.zeros((0, 5)))
    nose, jaw = np.array([64.0, 68.0]), np.array([10.0, 70.0])
    moved = turned.move_points(np.stack([nose, jaw])[None], 128)[0] - [nose, jaw]
    assert moved[0, 0] * moved[1, 0] < 0 and abs(moved[:, 1]).max() < 0.1


def test_frames_share_a_pose_and_references_have_their_own():
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (40, 128, 128, 3)).astype(np.uint8)
    shot = Shot("a", "a", "a", crops, _points(40), np.arange(40) / 25, crops)
    tried = [draw_example(shot, np.array([3, 20]), np.random.default_rng(seed)) for seed in range(30)]
    assert all(torch.equal(points[0], points[1]) for _, points, _, _ in tried), "landmarks of this clip never move"
    assert sum(len({tuple(p.flatten().tolist()) for p in shapes}) == 4 for *_, shapes in tried) >= 3
    assert all(part.dtype == torch.float32 for part in tried[0])
    assert tried[0][0].shape == (2, 3, 128, 128) and tried[0][2].shape == (4, 3, 128, 128)


def test_of_stills_many_show_the_mouth_open():
    crops, points = np.zeros((40, 128, 128, 3), np.uint8), _points(40)
    points[:, 66, 1] = points[:, 62, 1] + np.arange(40) / 4
    shot = Shot("a", "a", "a", crops, points, np.arange(40) / 25, crops)
    drawn = [
        draw_example(shot, np.array([3]), np.random.default_rng(seed), Gallery(crops[:0], points[:0]))[3]
        for seed in range(200)
    ]
    apart = [float(shapes[0, 66, 1] - shapes[0, 62, 1]) for shapes in drawn if (shapes == shapes[0]).all()]
    assert 30 < len(apart) < 90 and 0.4 < np.mean(np.array(apart) > 7) < 0.9


def test_a_speaker_is_not_changed_and_learns_from_the_gallery_too():
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (1, 128, 128, 3)).astype(np.uint8).repeat(40, 0)
    points = _points(40)
    shot = Shot("a", "a", "a", crops, points, np.arange(40) / 25, crops)
    own = Gallery(crops[:2], points[:2].astype(np.float32))
    for seed in range(6):
        references = draw_example(shot, np.array([3]), np.random.default_rng(seed), own)[2]
        torch.testing.assert_close(references, torch.from_numpy(crops[:4]).permute(0, 3, 1, 2) / 127.5 - 1)
    wide = points[:1].copy()
    wide[:, [57, 66], 1] += 30
    other = Gallery(crops[:1], wide)
    drawn = [draw_example(shot, np.array([3]), np.random.default_rng(seed), other)[3] for seed in range(20)]
    assert 3 < sum(bool((shapes == torch.from_numpy(wide).float()).all((1, 2)).any()) for shapes in drawn) < 17


def test_in_whatever_skin_and_light_the_dark_inside_of_a_mouth_stays_dark():
    dark = np.zeros((40, 128, 128, 3), np.uint8)
    shot = Shot("a", "a", "a", dark, _points(40), np.arange(40) / 25, dark)
    for seed in range(20):
        assert draw_example(shot, np.array([3]), np.random.default_rng(seed))[2].max() < -0.89


def test_mirroring_twice_gives_the_points_back():
    points = np.random.default_rng(0).normal(size=(3, 68, 2))
    np.testing.assert_allclose(mirror_landmarks(mirror_landmarks(points, 128), 128), points)
