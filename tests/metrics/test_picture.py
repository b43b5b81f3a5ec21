"""Picture measures with answers known beforehand."""

import doctest

import numpy as np
import pytest

from g4g.errors import ShapeError
from g4g.metrics import colour_step, cut_box, edge_gradient, edge_step, mouth_box, picture, psnr, seam, sharpness, ssim


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


def _noise(seed: int = 0, size: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


def _blur(pictures: np.ndarray, passes: int) -> np.ndarray:
    pictures = pictures.astype(np.float64)
    for _ in range(passes):
        pictures = (pictures + np.roll(pictures, 1, 0) + np.roll(pictures, 1, 1)) / 3
    return pictures


def _plain_ssim(made: np.ndarray, real: np.ndarray) -> float:
    """SSIM of Wang et al. written out window by window, borders reflected."""
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    results = []
    for channel in range(3):
        x, y = (np.pad(p[..., channel] / 255.0, 5, mode="reflect") for p in (made, real))
        for row in range(made.shape[0]):
            for column in range(made.shape[1]):
                a, b = (p[row : row + 11, column : column + 11] for p in (x, y))
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                var_a, var_b = (window * a * a).sum() - mean_a**2, (window * b * b).sum() - mean_b**2
                cov = (window * a * b).sum() - mean_a * mean_b
                top = (2 * mean_a * mean_b + 0.01**2) * (2 * cov + 0.03**2)
                results.append(top / ((mean_a**2 + mean_b**2 + 0.01**2) * (var_a + var_b + 0.03**2)))
    return float(np.mean(results))


def test_ssim_agrees_with_the_formula_written_out() -> None:
    real = _noise(1, 16)
    made = np.clip(real * 0.7 + _noise(2, 16) * 0.3, 0, 255).astype(np.uint8)
    assert ssim(made, real) == pytest.approx(_plain_ssim(made, real), abs=2e-3)
    assert ssim(real, real) == pytest.approx(1)


def test_blur_lowers_sharpness_step_by_step() -> None:
    values = [sharpness(_blur(_noise(), passes), _noise()) for passes in range(5)]
    assert values[0] == 1 and all(a > b for a, b in zip(values, values[1:], strict=False))


def _soft_mask() -> np.ndarray:
    return np.clip((np.arange(48) - 16) / 8, 0, 1)[:, None] * np.ones(48)


def test_a_planted_seam_raises_the_seam_and_the_colour_step() -> None:
    source, mask = np.full((48, 48, 3), 100.0), _soft_mask()
    hard = np.where(mask[..., None] > 0.5, source + 24, source)
    soft = source + 24 * mask[..., None]
    assert seam(source, source, mask) == 0 == colour_step(source, source, mask)
    assert seam(hard, source, mask) > 0 and seam(soft, source, mask) == pytest.approx(3, abs=0.5)
    assert seam(source + 24, source, mask) == 0 and colour_step(source + 24, source, mask) == pytest.approx(24)


def test_the_edge_of_a_picture_alone_has_the_gradient_and_the_step_that_it_shows() -> None:
    mask = _soft_mask()
    ramp = np.full((48, 48, 3), 100.0) + 24 * mask[..., None]
    # 24 levels over 8 rows; the mask's rows above one half have 24 * 6/8 in the mean, those below 24 * 2/8.
    assert edge_gradient(ramp, mask) == pytest.approx(3, abs=0.4) and edge_step(ramp, mask) == pytest.approx(12)
    assert edge_gradient(ramp.swapaxes(0, 1), mask) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ShapeError, match="edge"):
        edge_step(ramp, np.zeros((48, 48)))


@pytest.mark.parametrize("measure", [seam, colour_step])
def test_a_mask_without_edge_has_no_seam(measure) -> None:
    with pytest.raises(ShapeError, match="edge"):
        measure(_noise(), _noise(), np.ones((48, 48)))
    with pytest.raises(ShapeError, match="one size"):
        measure(_noise(), _noise(), np.ones((40, 48)))


@pytest.mark.parametrize("measure", [ssim, sharpness])
def test_pictures_of_two_shapes_have_no_likeness(measure) -> None:
    with pytest.raises(ShapeError, match="one shape"):
        measure(_noise(size=20), _noise(size=21))
