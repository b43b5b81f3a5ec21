"""Picture measures with answers known beforehand."""

import doctest

import numpy as np
import pytest

from g4g.errors import ShapeError
from g4g.metrics import cut_box, mouth_box, picture, psnr


def test_bytes_do_not_wrap_around() -> None:
    real, made = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 20, np.uint8)
    assert psnr(real, made) == pytest.approx(20 * np.log10(255 / 10)) == psnr(made, real)


def test_squared_errors_are_pooled_before_the_logarithm() -> None:
    real = np.zeros((2, 5, 5, 3))
    made = real.copy()
    made[0] = 3.0
    assert psnr(made, real) == pytest.approx(10 * np.log10(255**2 / 4.5))


def test_equal_pictures_have_no_noise() -> None:
    assert psnr(np.ones((3, 3)), np.ones((3, 3))) == float("inf")


@pytest.mark.parametrize("shape", [(3, 4), (0,)])
def test_pictures_that_cannot_be_compared_are_refused(shape: tuple) -> None:
    with pytest.raises(ShapeError, match="one shape"):
        psnr(np.zeros(shape), np.zeros((3, 3) if shape[0] else shape))


def test_the_box_is_enlarged_about_its_centre() -> None:
    points = np.array([[50.0, 80.0], [70.0, 80.0], [60.0, 75.0], [60.0, 85.0]])
    assert mouth_box(points, 128) == (44, 72, 77, 89)
    assert mouth_box(points, 128, enlarge=1.0) == (50, 75, 71, 86)


def test_the_box_stays_in_the_picture() -> None:
    points = np.array([[-5.0, 110.0], [30.0, 126.0]])
    box = mouth_box(points, 128)
    assert box[0] == 0 and box[3] == 128
    assert cut_box(np.zeros((2, 128, 128, 3)), box).shape == (2, box[3] - box[1], box[2], 3)


def test_a_box_outside_the_picture_is_refused() -> None:
    with pytest.raises(ShapeError, match="empty"):
        mouth_box(np.array([[300.0, 300.0], [340.0, 320.0]]), 128)


def test_the_examples_run() -> None:
    result = doctest.testmod(picture, extraglobs={"np": np})
    assert result.attempted > 1 and result.failed == 0
