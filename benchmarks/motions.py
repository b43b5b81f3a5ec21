"""Heads that move: still clips turned, shifted and zoomed frame by frame, their sound kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clips import Clip

from g4g.faces import crop_scale, invert_affine, warp_frame
from g4g.media import VideoWriter, probe, read_frames

_CRF = 12
"""The moved video is a source: its own coding must not show."""


@dataclass(frozen=True)
class Motion:
    """How a head stands: turned clockwise by `angle` degrees, moved by `shift` (x, y) of its size, enlarged."""

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0


def _swing(time_s: float, period_s: float) -> float:
    return float(np.sin(2 * np.pi * time_s / period_s))


MOTIONS: dict[str, Callable[[float], Motion]] = {
    "still": lambda t: Motion(),
    "tilted 45": lambda t: Motion(45 * _swing(t, 3.0)),
    "nodding": lambda t: Motion(12 * _swing(t, 0.8), (0.03 * _swing(t, 0.8), 0.12 * _swing(t + 0.2, 0.8))),
    "shifted": lambda t: Motion(shift=(0.25 * _swing(t, 1.5), 0.15 * _swing(t, 1.1))),
    "zoomed": lambda t: Motion(zoom=1.4 ** _swing(t, 2.0)),
}
"""Name -> where the head is at a time in seconds; "still" is only coded anew, as all others are."""


def move_clip(clip: Clip, motion: Callable[[float], Motion], out: Path) -> Path:
    """Write a clip whose whole picture moves about the face's middle; its edges are drawn out where it leaves gaps."""
    info = probe(clip.source)
    size, margin = clip.shot.crops.shape[1], max(info.width, info.height)
    face = invert_affine(clip.frame_to_crop.mean(0)) @ [size / 2, size / 2, 1]
    face_px = size / float(crop_scale(clip.frame_to_crop).mean())
    with VideoWriter(out, info.width, info.height, info.fps, clip.source, overwrite=True, crf=_CRF) as writer:
        for item in read_frames(clip.source):
            wide = np.pad(item.frame, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
            affine = map_to_source(motion(item.time_s), face, face_px)
            affine[:, 2] += margin
            moved = warp_frame(wide, affine, item.frame.shape[:2])
            writer.write(np.clip(np.round(moved), 0, 255).astype(np.uint8))
    return out


def map_to_source(motion: Motion, face: np.ndarray, face_px: float) -> np.ndarray:
    """Map the moved picture to the still one, (2, 3); `face` (x, y) px is the face's middle there."""
    angle = np.radians(motion.angle)
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / motion.zoom
    now = face + np.array(motion.shift) * face_px
    return np.column_stack([linear, face - linear @ now])
