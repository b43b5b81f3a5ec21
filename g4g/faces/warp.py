"""Affine warps between a frame and a crop, by OpenCV; points are (x, y) px, pixel centres are whole numbers."""

from __future__ import annotations

import cv2
import numba
import numpy as np


def invert_affine(affine: np.ndarray) -> np.ndarray:
    """Invert affines of shape (..., 2, 3)."""
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], axis=-1)


def transform_points(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., N, 2) by affines (..., 2, 3)."""
    return points @ np.swapaxes(affine[..., :2], -1, -2) + np.swapaxes(affine[..., 2:], -1, -2)


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Fit rotation, uniform scale and shift that map source points onto target points, least squares.

    Args:
        source: shape (..., N, 2).
        target: shape (N, 2) or (..., N, 2).
    Returns:
        source_to_target, shape (..., 2, 3).
    """
    source_mean, target_mean = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    p, q = source - source_mean, target - target_mean
    norm = (p**2).sum((-1, -2))
    a = (p * q).sum((-1, -2)) / norm
    b = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(-1) / norm
    linear = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], -2)
    shift = np.swapaxes(target_mean, -1, -2) - linear @ np.swapaxes(source_mean, -1, -2)
    return np.concatenate([linear, shift], axis=-1)


def warp_frame(
    frame: np.ndarray, crop_to_frame: np.ndarray, size: tuple[int, int], mode: str = "bilinear"
) -> np.ndarray:
    """Sample a picture through an affine, black outside; strong reductions are blurred first.

    Args:
        frame: shape (H, W, C), uint8 or float32.
        crop_to_frame: shape (2, 3): where each pixel of the result lies in `frame`.
        size: (height, width) of the result.
        mode: "bilinear", or "bicubic", which keeps more of what is fine and can overshoot at edges.
    Returns:
        Shape (height, width, C) of the frame's type.
    Source:
        OpenCV; places are rounded to 1/32 px.
    """
    affine = np.asarray(crop_to_frame, dtype=np.float64)
    corners = transform_points(affine, np.array([[0, 0], [size[1], 0], [0, size[0]], [size[1], size[0]]], float))
    low = np.maximum(np.floor(corners.min(0)).astype(int) - 3, 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 4, [frame.shape[1], frame.shape[0]])
    if (high <= low).any():
        return np.zeros((*size, frame.shape[2]), frame.dtype)
    part = frame[low[1] : high[1], low[0] : high[0]]
    affine = affine - np.array([[0, 0, low[0]], [0, 0, low[1]]])
    factor = int(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if factor >= 2:  # average whole blocks so that sampling does not alias
        below, beside = (-n % factor for n in part.shape[:2])
        part = cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        part = cv2.resize(part, (part.shape[1] // factor, part.shape[0] // factor), interpolation=cv2.INTER_AREA)
        affine = affine / factor
        affine[:, 2] -= (factor - 1) / (2 * factor)
    how = cv2.WARP_INVERSE_MAP | (cv2.INTER_CUBIC if mode == "bicubic" else cv2.INTER_LINEAR)
    return cv2.warpAffine(np.ascontiguousarray(part), affine, size[::-1], flags=how).reshape(*size, frame.shape[2])


@numba.njit(cache=True, nogil=True)
def reduce_blocks(frame: np.ndarray, step: int) -> np.ndarray:
    """Average blocks of step x step pixels, smaller ones at the right and the lower edge.

    Args:
        frame: shape (h, w, 3), uint8, contiguous.
        step: side of a block, at most 256 px.
    Returns:
        Shape (h / step, w / step, 3), rounded up, uint8.
    Source:
        Pillow's `Image.reduce`, to its bit, without its copy of the frame.
    """
    height, width = frame.shape[:2]
    rows, columns = -(-height // step), -(-width // step)
    reduced, sums = np.empty((rows, columns, 3), np.uint8), np.empty(3 * width, np.uint32)
    for row in range(rows):
        sums[:] = 0
        high = min(step, height - row * step)
        for y in range(row * step, row * step + high):
            line = frame[y].reshape(3 * width)
            for i in range(3 * width):
                sums[i] += line[i]
        for column in range(columns):
            wide = min(step, width - column * step)
            factor = (1 << 24) // (high * wide)  # the division of a sum, as Pillow does it
            for colour in range(3):
                total = high * wide // 2
                for i in range(wide):
                    total += sums[3 * (column * step + i) + colour]
                reduced[row, column, colour] = total * factor >> 24
    return reduced
