"""Paste a fused crop back into its frame."""

from __future__ import annotations

import numpy as np

from g4g.faces import invert_affine, transform_points, warp_frame


def compose_frame(frame: np.ndarray, crop: np.ndarray, taken: np.ndarray, frame_to_crop: np.ndarray) -> np.ndarray:
    """Blend a crop into a copy of its frame.

    Args:
        frame: (H, W, 3) RGB uint8; not changed.
        crop: (size, size, 3), float32 in [0, 255].
        taken: (size, size), float32 in [0, 1]: how much of the crop to take.
        frame_to_crop: (2, 3).
    Returns:
        (H, W, 3) uint8; where `taken` is 0, the frame's own bytes.
    """
    size = len(crop)
    corners = np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]], dtype=np.float64)
    corners = transform_points(invert_affine(frame_to_crop), corners)
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, [frame.shape[1], frame.shape[0]])
    result = frame.copy()
    if right <= left or bottom <= top:
        return result
    part_to_crop = frame_to_crop.copy()
    part_to_crop[:, 2] += frame_to_crop[:, :2] @ [left, top]
    # Colour is carried premultiplied, so that nothing from outside the mask bleeds in.
    layer = np.concatenate([crop * taken[..., None], taken[..., None]], axis=-1).astype(np.float32)
    layer = warp_frame(layer, part_to_crop, (bottom - top, right - left), "bicubic")
    part = frame[top:bottom, left:right]
    blended = np.clip(np.round(part * (1 - layer[..., 3:]) + layer[..., :3]), 0, 255).astype(np.uint8)
    result[top:bottom, left:right] = np.where(layer[..., 3:] > 0, blended, part)
    return result
