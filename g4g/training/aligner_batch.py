"""Windows of sound, lip geometry and lip pictures drawn out of one clip, and changed alike."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from g4g.aligner import geometry_windows, lip_geometry, picture_frames, speech_windows
from g4g.config import SCORE_FPS, CropConfig
from g4g.faces.canonical import INNER_LIPS, OUTER_LIPS
from g4g.training.data import Shot, augment_colour

_SHIFT_PX = 4
"""The lips' box moves by at most this, in crop px, for the tracker is not steadier."""
_GREY = 0.3
"""Share of clips whose pictures lose their colour."""
_SIZE, _SKEW = 0.2, 0.05
"""Deviations: of how far another person's lips move, of what turning the head leaves over."""
_OTHER_MEDIAN = 0.6
"""Another median of the clip: at most this share of one of its frames is subtracted."""
_JITTER = 0.01
"""Most noise of the points, in widths of the mouth."""
_SPEECH_NOISE, _SPEECH_SHIFT = 0.15, 0.2
"""Deviations, as shares of the features' own: of each row, and of another voice."""


def _mirror_ring(count: int, first: int) -> list[int]:
    """Number the points of a ring that begins at one corner of the mouth as seen in a mirror."""
    return [first + (count // 2 - i) % count for i in range(count)]


_MIRROR = np.array(_mirror_ring(len(OUTER_LIPS), 0) + _mirror_ring(len(INNER_LIPS), len(OUTER_LIPS)))


class AlignerClip:
    """A shot with its speech features, and its lip geometry, which is computed once."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        self.lips = lip_geometry(shot.canonical)
        self.spread = shot.speech.astype(np.float32).std(0)


def draw_windows(
    clip: AlignerClip, count: int, rng: np.random.Generator, with_pictures: bool
) -> tuple[np.ndarray, ...]:
    """Draw windows at random moments of a clip; person, mirror, colour and voice are drawn once for all of them.

    Returns:
        Geometry (N, 9, 40, 2), speech (N, rows, D), pictures (N, 15, h, w) in [-1, 1], and times (N,) in frames of
        1/25 s; without pictures that array has no values.
    """
    times_s, is_mirrored = clip.shot.times_s, rng.random() < 0.5
    moments = rng.uniform(times_s[0], times_s[-1], count)
    geometry = _change_geometry(geometry_windows(clip.lips, times_s, moments), clip.lips, rng)
    if is_mirrored:
        geometry = geometry[:, :, _MIRROR] * np.float32([-1, 1])
    speech = speech_windows(clip.shot.speech, moments)
    noise = rng.normal(0, _SPEECH_NOISE, speech.shape) + rng.normal(0, _SPEECH_SHIFT, speech.shape[2])
    speech = speech + (noise * clip.spread).astype(np.float32)
    pictures = np.zeros((count, 0), np.float32)
    if with_pictures:
        pictures = _draw_pictures(clip.shot, picture_frames(times_s, moments), is_mirrored, rng)
    return geometry.astype(np.float32), speech, pictures, moments * SCORE_FPS


def cut_lip_pictures(crops: np.ndarray, shift_px: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Cut the lips' box out of crops (N, c, c, 3) of any size, as the aligner sees it: (N, h, w, 3) in [-1, 1].

    Args:
        crops: RGB uint8.
        shift_px: moves the box, x and y in px of a crop of CropConfig.size.
    """
    config = CropConfig()
    factor = crops.shape[1] / config.size
    box = [round(x * config.size) + by for x, by in zip(config.lips_box, shift_px * 2, strict=True)]
    left, top, right, bottom = (round(x * factor) for x in box)
    lips = torch.from_numpy(np.ascontiguousarray(crops[:, top:bottom, left:right])).permute(0, 3, 1, 2).float()
    size = (box[3] - box[1], box[2] - box[0])
    if lips.shape[-2:] != size:
        lips = functional.interpolate(lips, size, mode="bilinear", antialias=True)
    return (lips / 127.5 - 1).permute(0, 2, 3, 1).numpy()


def stack_pictures(lips: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Put the lips (F, h, w, 3) of the frames of windows (N, 5) one on another: (N, 15, h, w)."""
    stacked = np.ascontiguousarray(lips.transpose(0, 3, 1, 2))[frames]
    return stacked.reshape(len(frames), -1, *stacked.shape[3:])


def _change_geometry(geometry: np.ndarray, lips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give the lips to another person, whose lips move less or more, and whose median is another."""
    sizes = np.exp(rng.normal(0, _SIZE, 2) + rng.normal(0, _SIZE))
    change = (np.diag(sizes) + rng.normal(0, _SKEW, (2, 2))).astype(np.float32)
    median = np.float32(rng.uniform(0, _OTHER_MEDIAN)) * lips[rng.integers(len(lips))]
    noise = rng.normal(0, _JITTER * rng.random(), geometry.shape).astype(np.float32)
    return (geometry - median) @ change + noise


def _draw_pictures(shot: Shot, frames: np.ndarray, is_mirrored: bool, rng: np.random.Generator) -> np.ndarray:
    used, where = np.unique(frames, return_inverse=True)
    shift = tuple(rng.integers(-_SHIFT_PX, _SHIFT_PX + 1, size=2).tolist())
    lips = augment_colour(cut_lip_pictures(shot.crops[used], shift), rng)
    if is_mirrored:
        lips = lips[:, :, ::-1]
    if rng.random() < _GREY:
        lips = lips.mean(-1, keepdims=True).repeat(3, -1)
    return stack_pictures(lips, where.reshape(frames.shape))
