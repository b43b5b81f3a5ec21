"""Landmark measures on a drawn face."""

import numpy as np
import pytest

from g4g.errors import ShapeError
from g4g.metrics import (
    articulation,
    closure_share,
    jitter,
    mouth_distance,
    mouth_opening,
    open_share,
    opening_correlation,
)


def draw_face(gap: float = 0.0) -> np.ndarray:
    """A face whose eyes are 40 px apart and whose inner lips stand `gap` px apart."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = [40, 50], [80, 50]
    points[48:68] = [60, 90]
    points[48], points[54] = [45, 90], [75, 90]
    points[65:68, 1] += gap
    return points


def test_closed_lips_have_no_opening() -> None:
    assert mouth_opening(draw_face()) == 0


def test_the_opening_is_in_units_of_the_eyes_distance() -> None:
    faces = np.stack([draw_face(8), draw_face(8) * 3])
    np.testing.assert_allclose(mouth_opening(faces), [0.2, 0.2])


def test_mouths_moved_by_a_tenth_are_a_tenth_apart() -> None:
    real = np.stack([draw_face(), draw_face(3)])
    made = real.copy()
    made[:, 48:] += [0, 4]
    made[:, :17] += 50
    np.testing.assert_allclose(mouth_distance(made, real), 0.1)


def test_even_motion_is_no_jitter_and_a_jump_is() -> None:
    steps = np.arange(6.0)[:, None, None]
    moving = draw_face() + steps * [1.5, 0.5]
    assert jitter(moving) == pytest.approx(0, abs=1e-12)
    moving[3] += [0, 4]
    # Accelerations of 4, 8 and 4 px in three of four places, eyes 40 px apart.
    assert jitter(moving) == pytest.approx((4 + 8 + 4) / 4 / 40)


@pytest.mark.parametrize("call", [lambda p: mouth_opening(p), lambda p: mouth_distance(p, p), lambda p: jitter(p)])
def test_other_points_are_refused(call) -> None:
    with pytest.raises(ShapeError, match="68"):
        call(np.zeros((5, 20, 2)))


def test_a_single_frame_has_no_jitter() -> None:
    with pytest.raises(ShapeError, match="whole clip"):
        jitter(draw_face()[None])


def draw_speech(scale: float, frames: int = 50) -> np.ndarray:
    return np.stack([draw_face(scale * (1 + np.sin(t))) for t in np.arange(frames)])


def test_a_frozen_mouth_articulates_nothing_and_half_the_range_is_a_half() -> None:
    real = draw_speech(5)
    assert articulation(np.repeat(real[:1], 50, 0), real) == 0
    assert articulation(draw_speech(2.5), real) == pytest.approx(0.5) and articulation(real, real) == 1


def test_openings_correlate_whatever_their_size() -> None:
    real = draw_speech(5)
    assert opening_correlation(draw_speech(2), real) == pytest.approx(1)
    assert opening_correlation(np.repeat(real[:1], 50, 0), real) == 0
    against = np.stack([draw_face(5 * (1 - np.sin(t))) for t in range(50)])
    assert opening_correlation(against, real) == pytest.approx(-1)


def test_open_frames_are_counted() -> None:
    assert open_share(np.stack([draw_face(0), draw_face(10), draw_face(10), draw_face(1)])) == 0.5


def draw_gaps(*gaps: float) -> np.ndarray:
    return np.stack([draw_face(gap) for gap in gaps])


def test_closures_in_speech_count_and_the_rest_around_it_does_not() -> None:
    # 40 px between the eyes: closed below 1.2 px; the real mouth closes at 3 and 8; at 5 and 11 it only comes near.
    real = draw_gaps(0, 0, 5, 1, 5, 2, 5, 5, 0, 1, 5, 1.1, 1.3, 0, 0)
    assert closure_share(real, real) == 1
    late = draw_gaps(0, 0, 5, 5, 5, 1, 5, 5, 5, 5, 5, 5, 5, 0, 0)
    assert closure_share(late, real) == 0.5, "two frames late is in time, not closing at all is not"
    assert closure_share(draw_gaps(*[5] * 15), real) == 0
    assert np.isnan(closure_share(real, draw_gaps(0, 0, 5, 2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0)))


def test_only_what_a_dub_moves_can_tremble() -> None:
    face = np.repeat(draw_face()[None], 6, 0)
    face[::2, 17:48] += 3
    assert jitter(face) == 0
