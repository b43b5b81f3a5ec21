"""Clips enlarged, with and without detail of their own: a texture that moves with the face, as pores do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.ndimage
from clips import Clip
from PIL import Image

from g4g.faces import crop_scale, refine_crop, warp_frame
from g4g.media import VideoWriter, probe, read_frames

_CRF = 8
"""Fine noise is the first thing that coding takes away."""
_PORE_PX = 0.6
_PORE_LEVELS = 9.0
"""Blur of the texture in px of the enlarged video, and its deviation in grey levels (our choice: close-up skin)."""


def enlarge_clip(clip: Clip, factor: int, has_pores: bool, out: Path) -> Path:
    """Write a clip enlarged by a Lanczos filter, `has_pores`: with a texture on the face."""
    info = probe(clip.source)
    size = info.width * factor, info.height * factor
    matrices = enlarge_crop(clip.frame_to_crop, factor)
    finer = 1 / float(crop_scale(matrices).mean())
    pores = draw_pores(round(clip.shot.crops.shape[1] * finer)) * has_pores
    with VideoWriter(out, *size, info.fps, clip.source, overwrite=True, crf=_CRF) as writer:
        for number, item in enumerate(read_frames(clip.source)):
            picture = np.asarray(Image.fromarray(item.frame).resize(size, Image.Resampling.LANCZOS))
            # Before and after its shot a face has the place of the shot's ends.
            matrix = matrices[np.clip(number - clip.start, 0, len(matrices) - 1)]
            shown = warp_frame(pores, refine_crop(matrix, finer), picture.shape[:2])
            writer.write(np.clip(np.round(picture + shown), 0, 255).astype(np.uint8))
    return out


def enlarge_crop(frame_to_crop: np.ndarray, factor: int) -> np.ndarray:
    """Map frames with `factor` times as many pixels each way to the same crops, affines (..., 2, 3)."""
    result = frame_to_crop.astype(np.float64)
    result[..., :2] /= factor
    result[..., 2] += result[..., :2] @ np.full(2, (1 - factor) / 2)  # whole numbers are pixel centres
    return result


def draw_pores(size: int) -> np.ndarray:
    """Draw a texture (size, size, 1), float32, the same for each size; mean 0, grey levels."""
    noise = np.random.default_rng(0).normal(size=(size, size, 1))
    noise = scipy.ndimage.gaussian_filter(noise, (_PORE_PX, _PORE_PX, 0))
    return (noise / noise.std() * _PORE_LEVELS).astype(np.float32)
