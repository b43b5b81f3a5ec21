"""How near a made picture is to the real one."""

from __future__ import annotations

import numpy as np
import torch
from kornia.metrics import ssim as kornia_ssim

from g4g.errors import ShapeError

BOX_ENLARGEMENT = 1.6
"""The mouth box is so many times the bounding box of the mouth's landmarks."""

_PEAK = 255.0
_SSIM_WINDOW = 11


def psnr(made: np.ndarray, real: np.ndarray) -> float:
    """Compute the peak signal-to-noise ratio in dB; squared errors are pooled over all values, in float.

    Args:
        made, real: arrays of one shape, values in [0, 255], any dtype.
    Returns:
        dB; inf where the two are equal.
    Raises:
        ShapeError: the shapes differ, or there is not a single value.
    Example:
        >>> psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))
        0.0
    """
    return mse_to_psnr(mean_squared_error(made, real))


def mean_squared_error(made: np.ndarray, real: np.ndarray) -> float:
    """Compute the mean squared error in float64; arguments and errors as for `psnr`."""
    if made.shape != real.shape or made.size == 0:
        raise ShapeError(f"expected two pictures of one shape, got {made.shape} and {real.shape}; crop both alike")
    return float(np.mean((made.astype(np.float64) - real.astype(np.float64)) ** 2))


def mse_to_psnr(error: float) -> float:
    """Turn a mean squared error of values in [0, 255] into dB; 0 becomes inf."""
    return float("inf") if error == 0 else float(10 * np.log10(_PEAK**2 / error))


def mouth_box(mouth_landmarks: np.ndarray, size: int, enlarge: float = BOX_ENLARGEMENT) -> tuple[int, int, int, int]:
    """Box the mouth: the bounding box of its landmarks, enlarged about its centre, clipped to the picture.

    Args:
        mouth_landmarks: shape (20, 2), (x, y) px.
        size: side of the square picture in px.
        enlarge: factor on width and height.
    Returns:
        (x1, y1, x2, y2) in whole px; pixels x1 <= x < x2 and y1 <= y < y2 belong to it.
    Raises:
        ShapeError: not a list of points, or the box lies outside the picture.
    Example:
        >>> mouth_box(np.array([[40.0, 60.0], [60.0, 70.0]]), 128)
        (34, 57, 67, 74)
    """
    if mouth_landmarks.ndim != 2 or mouth_landmarks.shape[1] != 2:
        raise ShapeError(f"expected mouth landmarks (N, 2), got {mouth_landmarks.shape}; give one frame's points")
    low, high = mouth_landmarks.min(0).astype(np.float64), mouth_landmarks.max(0).astype(np.float64)
    centre, half = (low + high) / 2, (high - low) / 2 * enlarge
    x1, y1 = np.clip(np.floor(centre - half), 0, size).astype(int).tolist()
    x2, y2 = np.clip(np.ceil(centre + half) + 1, 0, size).astype(int).tolist()
    if x2 <= x1 or y2 <= y1:
        raise ShapeError(f"the mouth box {(x1, y1, x2, y2)} is empty in a picture of {size} px; give crop pixels")
    return x1, y1, x2, y2


def cut_box(pictures: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Cut a box (x1, y1, x2, y2) out of pictures (..., H, W, 3)."""
    x1, y1, x2, y2 = box
    return pictures[..., y1:y2, x1:x2, :]


def ssim(made: np.ndarray, real: np.ndarray) -> float:
    """Compute the structural similarity, mean over all pixels and channels.

    Args:
        made, real: pictures of one shape (H, W, 3), values in [0, 255], any dtype; H and W at least 11.
    Returns:
        1 for equal pictures.
    Raises:
        ShapeError: the shapes differ, or are none of a picture that large.
    Source:
        Wang et al. 2004, by kornia: Gaussian window of 11 px, sigma 1.5.
    """
    if made.shape != real.shape or made.ndim != 3 or min(made.shape[:2]) < _SSIM_WINDOW:
        raise ShapeError(
            f"expected two pictures (H, W, 3) of one shape, at least {_SSIM_WINDOW} px each way, got {made.shape} and "
            f"{real.shape}; crop both alike"
        )
    pictures = [torch.from_numpy(np.asarray(x, np.float32)).permute(2, 0, 1)[None] / _PEAK for x in (made, real)]
    return float(kornia_ssim(*pictures, _SSIM_WINDOW).mean())


def sharpness(made: np.ndarray, source: np.ndarray) -> float:
    """Compare fine detail: energy of the Laplacian over the source's.

    Args:
        made, source: pictures of one place and time, shape (..., H, W, 3), values in [0, 255]; H and W at least 3.
    Returns:
        1 for equal detail; lower = blurred, higher = noisy.
    Raises:
        ShapeError: the shapes differ, or are too small.
    Source:
        Our choice.
    Example:
        >>> checks = np.indices((8, 8)).sum(0)[..., None] % 2 * np.full(3, 200.0)
        >>> sharpness(checks / 2, checks)
        0.25
    """
    if made.shape != source.shape or made.ndim < 3 or min(made.shape[-3:-1]) < 3:
        raise ShapeError(f"expected two pictures of one shape, 3 px or more each way, got {made.shape}, {source.shape}")
    ours, theirs = (np.mean(_laplacian(x.astype(np.float64)) ** 2) for x in (made, source))
    return float(ours / theirs) if theirs else float("nan")


def seam(made: np.ndarray, source: np.ndarray, mask: np.ndarray) -> float:
    """Measure how much steeper a picture is across the mask's edge than its source.

    Args:
        made, source: (H, W, 3), values in [0, 255].
        mask: how much of the picture was replaced, (H, W) in [0, 1].
    Returns:
        Grey levels per pixel, as `edge_gradient`; 0 where nothing was added.
    Raises:
        ShapeError: the shapes do not fit, or the mask has no edge.
    Source:
        Our choice.
    """
    return edge_gradient(made, mask) - edge_gradient(source, mask)


def edge_gradient(picture: np.ndarray, mask: np.ndarray) -> float:
    """Measure how steep a picture is across the mask's edge.

    Args:
        picture: (H, W, 3), values in [0, 255].
        mask: how much of the picture was replaced, (H, W) in [0, 1].
    Returns:
        Grey levels per pixel, mean over the edge band (0 < mask < 1).
    Raises:
        ShapeError: the shapes do not fit, or the mask has no edge.
    Source:
        Our choice: the gradient along the mask's own gradient.
    """
    _check_mask(picture, mask)
    rows, columns = np.gradient(mask.astype(np.float64))
    steepness = np.hypot(rows, columns)
    edge = steepness > 1e-3
    if not edge.any():
        raise ShapeError("the mask has no edge: it is the same everywhere; give the mask that the dub used")
    down, right = np.gradient(picture.astype(np.float64).mean(-1))
    return float((np.abs(down * rows + right * columns)[edge] / steepness[edge]).mean())


def colour_step(made: np.ndarray, source: np.ndarray, mask: np.ndarray) -> float:
    """Measure how far the colour just inside the mask's edge moved from the source's.

    Args:
        made, source, mask: as for `seam`.
    Returns:
        Grey levels: the difference of the band's mean colours, averaged over the channels.
    Raises:
        ShapeError: as for `seam`.
    Source:
        Our choice.
    """
    return float(np.abs(_band_colour(made, mask, 0.5, 1) - _band_colour(source, mask, 0.5, 1)).mean())


def edge_step(picture: np.ndarray, mask: np.ndarray) -> float:
    """Measure how much the colour just inside the mask's edge differs from that just outside.

    Args:
        picture, mask: as for `edge_gradient`.
    Returns:
        Grey levels: the difference of the two halves' mean colours, averaged over the channels.
    Raises:
        ShapeError: as for `edge_gradient`.
    Source:
        Our choice.
    """
    return float(np.abs(_band_colour(picture, mask, 0.5, 1) - _band_colour(picture, mask, 0, 0.5)).mean())


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Compare two face embeddings by the cosine of their angle.

    Args:
        first, second: shape (D,), float.
    Returns:
        1 for the same direction, 0 for faces that have nothing in common.
    Raises:
        ShapeError: not two vectors of one length.
    Source:
        The field's identity measure (CSIM).
    Example:
        >>> cosine(np.array([1.0, 0.0]), np.array([3.0, 0.0]))
        1.0
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ShapeError(f"expected two vectors (D,) of one length, got {first.shape} and {second.shape}")
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _band_colour(picture: np.ndarray, mask: np.ndarray, above: float, below: float) -> np.ndarray:
    """Average the colour (3,) where the mask lies between two values."""
    _check_mask(picture, mask)
    band = (mask > above) & (mask < below)
    if not band.any():
        raise ShapeError("the mask has no soft edge; give the mask that the dub used")
    return picture[band].mean(0, dtype=np.float64)


def _check_mask(picture: np.ndarray, mask: np.ndarray) -> None:
    if picture.shape[:2] != mask.shape or picture.ndim != 3:
        raise ShapeError(f"expected picture (H, W, 3) and mask of one size, got {picture.shape} and {mask.shape}")


def _laplacian(pictures: np.ndarray) -> np.ndarray:
    middle = pictures[..., 1:-1, 1:-1, :]
    around = pictures[..., :-2, 1:-1, :] + pictures[..., 2:, 1:-1, :]
    around = around + pictures[..., 1:-1, :-2, :] + pictures[..., 1:-1, 2:, :]
    return around - 4 * middle
