"""What a mouth library holds, and how much of it."""

import numpy as np
from scipy.ndimage import gaussian_filter

from g4g.avatar.library import _measure_sharpness, find_sharp, share_entries, spread_entries


def test_few_entries_cover_all_shapes_whatever_is_frequent():
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [9, 0], [0, 9], [9, 9.0]])
    often = rng.normal(4.5, 0.2, (5000, 2))
    features = np.concatenate([often, corners])
    rows = spread_entries(features, 5)
    assert set(range(5000, 5004)) <= set(rows.tolist()) and (np.diff(rows) > 0).all()
    far = np.linalg.norm(features[:, None] - features[spread_entries(features, 40)], axis=-1).min(1)
    assert far.max() < 1.0
    assert spread_entries(features[:3], 5).tolist() == [0, 1, 2]


def test_crops_of_all_faces_fit_the_memory_and_small_libraries_stay_whole():
    shares = share_entries([5, 1000, 3000], [100, 100, 400], most_bytes=100_000)
    assert shares == [5, 497, 124]
    assert share_entries([10, 20], [1, 1], 100) == [10, 20]
    assert share_entries([10], [1000], 10) == [1], "a face has one picture at least"


def test_blurred_pictures_are_no_entries():
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (9, 64, 64, 3), np.uint8)
    for number in (2, 7):
        crops[number] = gaussian_filter(crops[number].astype(float), (2, 2, 0))
    assert np.flatnonzero(~find_sharp(crops)).tolist() == [2, 7]
    assert find_sharp(crops[:1]).all() and find_sharp(np.zeros((3, 8, 8, 3), np.uint8)).all()


def test_sharpness_is_the_mean_step_between_neighbours():
    crop = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    lower = crop[24:].astype(float).mean(-1)
    steps = np.abs(np.diff(lower, axis=0)).mean() + np.abs(np.diff(lower, axis=1)).mean()
    assert np.isclose(_measure_sharpness(crop), steps, rtol=1e-12)
