"""Crop geometry: fit, inverse, mask, and the way there and back."""

import numpy as np
import pytest
from PIL import Image

from g4g.config import CropConfig
from g4g.faces import (
    crop_face,
    crop_mesh,
    find_runs,
    fit_crop,
    fit_similarity,
    invert_affine,
    lower_half_mask,
    mouth_shape,
    transform_points,
    warp_frame,
)
from g4g.faces.warp import reduce_blocks


@pytest.fixture
def planted():
    angle, scale = 0.3, 1.7
    return np.array([[np.cos(angle), -np.sin(angle), 30 / scale], [np.sin(angle), np.cos(angle), -12 / scale]]) * scale


def test_a_planted_similarity_is_found(planted):
    points = np.random.default_rng(0).normal(size=(8, 2)) * 20
    np.testing.assert_allclose(fit_similarity(points, transform_points(planted, points)), planted, atol=1e-9)


def test_an_affine_and_its_inverse_give_the_identity(planted):
    points = np.random.default_rng(1).normal(size=(5, 2)) * 50
    back = transform_points(invert_affine(planted), transform_points(planted, points))
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_warp_by_whole_pixels_copies():
    frame = np.random.default_rng(2).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    moved = warp_frame(frame, np.array([[1.0, 0, 7], [0, 1.0, 5]]), (20, 20))
    np.testing.assert_allclose(moved, frame[5:25, 7:27], atol=1e-2)


def test_reduction_keeps_places():
    rows, columns = np.mgrid[:200, :200].astype(np.float32)
    ramp = np.stack([columns, rows, rows], -1)
    small = warp_frame(ramp, np.array([[4.0, 0, 20], [0, 4.0, 30]]), (30, 30))
    np.testing.assert_allclose(small[10, 10, :2], [60, 70], atol=0.6)


def test_the_crop_puts_the_eyes_on_their_line():
    config = CropConfig()
    landmarks = np.random.default_rng(4).normal(100, 5, (6, 68, 2))
    landmarks[:, [27, 28, 29, 30]] = [[150, 96], [150, 113], [150, 130], [150, 139]]
    landmarks[:, [36, 39, 42, 45]] = [[100, 100], [131, 103], [169, 103], [200, 100]]
    affine = fit_crop(landmarks, [(0, 6)], config)
    eyes = transform_points(affine[3], landmarks[3, [36, 45]])
    np.testing.assert_allclose(eyes.mean(0), [63.5, config.eye_line * 128 - 0.5], atol=1)
    np.testing.assert_allclose(eyes[1, 0] - eyes[0, 0], config.eye_distance * 128, atol=1)


def test_the_crop_follows_fast_heads_and_smooths_what_trembles():
    """A head that is thrown 40 px aside and back twice a second, and one that only trembles by half a pixel."""
    config, count, rng = CropConfig(), 50, np.random.default_rng(5)
    face = np.zeros((68, 2))
    face[[27, 28, 29, 30]] = [[150, 96], [150, 113], [150, 130], [150, 139]]
    face[[36, 39, 42, 45]] = [[100, 100], [131, 103], [169, 103], [200, 100]]
    thrown = face + np.stack([40 * np.sin(np.arange(count) * 4 * np.pi / 25), np.zeros(count)], -1)[:, None]
    trembling = face + rng.normal(0, 0.5, (count, 1, 2))
    stray = []
    for landmarks in (thrown, trembling):
        eyes = transform_points(fit_crop(landmarks, [(0, count)], config), landmarks[:, [36, 45]]).mean(1)
        stray.append(eyes - [63.5, config.eye_line * 128 - 0.5])
    assert np.abs(stray[0][:, 0]).max() < 1.0, "within a pixel of the crop"
    steps = np.diff(fit_crop(trembling, [(0, count)], config)[:, :, 2], axis=0)
    raw = np.diff(trembling[:, 36] * config.eye_distance * 128 / 100, axis=0)
    assert np.abs(steps).mean() < np.abs(raw).mean() / 3


def test_runs_are_smoothed_apart():
    assert find_runs(np.array([1, 1, 0, 1], bool)) == [(0, 2), (3, 4)]
    assert find_runs(np.zeros(3, bool)) == [] == find_runs(np.zeros(0, bool))
    cuts = np.array([0, 0, 1, 0, 1], bool)
    assert find_runs(np.array([1, 1, 1, 1, 0], bool), cuts) == [(0, 2), (2, 4)]


def test_the_mask_covers_the_mouth_and_fades_out():
    angle = np.linspace(np.pi, 0, 17)
    landmarks = np.full((68, 2), 64.0)
    landmarks[:17] = np.stack([64 + 45 * np.cos(angle), 50 + 55 * np.sin(angle)], -1)
    mask = lower_half_mask(landmarks)
    assert mask[85, 64] > 0.99 and mask[:48].max() == 0 and mask[:, 0].max() == 0 and mask[-1].max() == 0
    assert 0 < np.mean((mask > 0) & (mask < 1))


def test_mouth_shape_of_planted_lips():
    landmarks = np.zeros((68, 2))
    landmarks[36:42], landmarks[42:48] = [0, 0], [100, 0]
    landmarks[48], landmarks[54] = [25, 50], [75, 50]
    assert mouth_shape(landmarks).tolist() == [0.0, 0.5]
    landmarks[[65, 66, 67], 1] = 20
    assert mouth_shape(landmarks)[0] == pytest.approx(0.2)


def test_crop_face_is_black_outside():
    frame = np.full((50, 50, 3), 255, np.uint8)
    crop = crop_face(frame, np.array([[1.0, 0, 30], [0, 1.0, 30]]), 64)
    assert crop[:29, :29].max() == 0 and crop[40, 40].min() == 255


def test_a_mesh_goes_with_its_crop_in_all_three_dimensions():
    mesh = np.random.default_rng(0).normal(100, 20, (1, 478, 3))
    frame_to_crop = np.array([[[0.0, -2.0, 7.0], [2.0, 0.0, -3.0]]])
    moved = crop_mesh(frame_to_crop, mesh)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved[..., :2], transform_points(frame_to_crop, mesh[..., :2]), rtol=1e-5)
    np.testing.assert_allclose(moved[..., 2], 2 * mesh[..., 2], rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "step"), [((72, 128), 1), ((101, 533), 4), ((270, 480), 7), ((288, 360), 2), ((40, 300), 64)]
)
def test_blocks_are_averaged_as_pillow_does_it(size, step):
    frame = np.random.default_rng(step).integers(0, 256, (*size, 3), np.uint8)
    np.testing.assert_array_equal(reduce_blocks(frame, step), np.asarray(Image.fromarray(frame).reduce(step)))
