"""Sync scores against planted shifts and an independent NumPy reference."""

import doctest

import numpy as np
import pytest
import torch

from g4g.errors import ShapeError
from g4g.metrics import lip_sync_error, match_windows, similarity_offset, sync


def reference_distances(lips: np.ndarray, sound: np.ndarray, max_offset: int) -> np.ndarray:
    """Compute D(k) for k = -max_offset ... max_offset by the field's formula, row by row."""
    count = len(lips)
    table = np.zeros((2 * max_offset + 1, count))
    for k in range(-max_offset, max_offset + 1):
        for i in range(count):
            other = sound[i + k] if 0 <= i + k < count else np.zeros_like(sound[0])
            table[k + max_offset, i] = np.sqrt(((lips[i] - other) ** 2).sum())
    return table.mean(1)


def draw_rows(count: int = 40, size: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, size)))


def test_the_score_is_that_of_the_formula() -> None:
    lips, sound = draw_rows(), draw_rows(seed=1)
    expected = reference_distances(lips.numpy(), sound.numpy(), 15)
    score = lip_sync_error(lips, sound)
    np.testing.assert_allclose(score.distances.numpy(), expected, rtol=1e-9)
    assert score.lse_d == pytest.approx(expected.min())
    assert score.lse_c == pytest.approx(np.median(expected) - expected.min())


@pytest.mark.parametrize("shift", [-15, -4, 0, 1, 15])
def test_a_planted_shift_is_found(shift: int) -> None:
    rows = draw_rows(60, 32)
    # The sound of frame i is what the lips show `shift` frames later, so it lies earlier for shift > 0.
    sound = torch.stack([rows[(i + shift) % 60] for i in range(60)])
    assert lip_sync_error(rows, sound).offset_frames == shift
    assert similarity_offset(rows, sound) == shift


def test_scale_does_not_move_the_similarity_offset() -> None:
    rows = draw_rows(60, 32)
    sound = rows.roll(-2, 0) * torch.linspace(0.1, 9, 60)[:, None]
    assert similarity_offset(rows, sound) == 2


def test_unrelated_rows_have_little_confidence() -> None:
    fits = lip_sync_error(draw_rows(60, 32), draw_rows(60, 32))
    foreign = lip_sync_error(draw_rows(60, 32), draw_rows(60, 32, seed=5))
    assert fits.lse_d == 0 and fits.lse_c > 10 * foreign.lse_c


@pytest.mark.parametrize("shapes", [((4, 3), (5, 3)), ((0, 3), (0, 3)), ((4,), (4,)), ((4, 3), (4, 2))])
def test_wrong_shapes_are_refused(shapes: tuple) -> None:
    lips, sound = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ShapeError, match="one shape"):
        lip_sync_error(lips, sound)
    with pytest.raises(ShapeError, match="one shape"):
        similarity_offset(lips, sound)


def test_a_clip_shorter_than_the_largest_shift_has_no_similarity_offset() -> None:
    with pytest.raises(ShapeError, match="lower max_offset"):
        similarity_offset(torch.eye(15), torch.eye(15))


def test_the_examples_run() -> None:
    result = doctest.testmod(sync, extraglobs={"torch": torch})
    assert result.attempted > 2 and result.failed == 0


def test_windows_find_their_planted_sound() -> None:
    rows, rng = torch.eye(40), np.random.default_rng(0)
    found = match_windows(rows, rows, rng, draws=2)
    assert (len(found.first), len(found.near), found.offset_frames) == (40, 40, 0) and all(found.first + found.near)
    late = match_windows(rows, rows.roll(-3, dims=0), rng)
    assert late.offset_frames == 3 and not any(late.near[3:])
    assert sum(match_windows(rows, rows.roll(-1, dims=0), rng).near) == 39
