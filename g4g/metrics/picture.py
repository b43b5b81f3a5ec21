"""How near a made picture is to the real one."""

from __future__ import annotations

import numpy as np

from g4g.errors import ShapeError

BOX_ENLARGEMENT = 1.6
"""The mouth box is so many times the bounding box of the mouth's landmarks."""

_PEAK = 255.0


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
