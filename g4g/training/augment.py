"""Other people, poses and lights out of the same clips: identity must come from references, not from weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from g4g.faces import mouth_shape
from g4g.generator import Gallery, add_gallery, choose_references, to_tensor
from g4g.training.data import Shot

_ONE_REFERENCE, _SMILING = 0.3, 0.5
"""Share of clips in training that have one reference four times, as a still picture does; share of those where it is
among the quarter whose lips are furthest apart: people smile in stills."""
_FROM_GALLERY = 0.5
"""Share of a speaker's clips whose references come from the gallery where that has better ones."""
_OTHER_SHAPE, _OTHER_SKIN, _TURNED, _OTHER_LIGHT = 0.4, 0.5, 0.2, 0.3
"""Shares of clips whose faces get other proportions, other colours, whose head turns, whose light changes."""
_MIDDLE, _RADII = (0.5, 0.55), (0.55, 0.7)
"""The head as an ellipsoid, in shares of the crop's side: where it stands and how far it reaches."""
_EYE_DEPTH, _DEPTH = 0.6, 0.4
"""Depth of the eyes, to which crops are fitted, on the ellipsoid's 0 to 1; and 1 in shares of the crop's side."""
_CELLS = 33
_MIRROR_68 = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36]
    + [41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


@dataclass(frozen=True)
class Warp:
    """Where each point of N changed pictures was before; all but `waves` by picture, in px.

    Attributes:
        linear: (N, 2, 2) and `shift` (N, 2): what holds for the whole crop, about its middle.
        turn: (N, 2) tangents of how far the head is turned sideways and down.
        waves: (W, 5) smooth waves of the person's shape: direction (2), phase, size (2).
    """

    linear: np.ndarray
    shift: np.ndarray
    turn: np.ndarray
    waves: np.ndarray

    def find_source(self, points: np.ndarray, size: int) -> np.ndarray:
        """Where points (N, M, 2) of the changed pictures came from."""
        centre = (size - 1) / 2
        off = (points - np.multiply(_MIDDLE, size)) / np.multiply(_RADII, size)
        depth = np.maximum(1 - (off**2).sum(-1, keepdims=True), 0) - _EYE_DEPTH
        source = points - depth * self.turn[:, None] * _DEPTH * size
        source = (source - centre) @ self.linear.transpose(0, 2, 1) + centre + self.shift[:, None]
        for x, y, phase, *by in self.waves:
            source = source + np.cos(points @ [x, y] + phase)[..., None] * by
        return source

    def move_points(self, points: np.ndarray, size: int) -> np.ndarray:
        """Where points (N, M, 2) of the pictures as they were lie now."""
        moved = points
        for _ in range(6):
            moved = moved + points - self.find_source(moved, size)
        return moved

    def move_pictures(self, pictures: torch.Tensor, size: int) -> torch.Tensor:
        """Change pictures (N, 3, f * size, f * size)."""
        side = pictures.shape[-1]
        ticks = np.linspace(0, size - 1, _CELLS)
        grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(1, -1, 2).repeat(len(pictures), 0)
        source = self.find_source(grid, size).reshape(-1, _CELLS, _CELLS, 2) * (2 / (size - 1)) - 1
        coarse = torch.from_numpy(source).float().permute(0, 3, 1, 2)
        fine = functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=True)
        return functional.grid_sample(pictures, fine.permute(0, 2, 3, 1), padding_mode="border", align_corners=True)


@torch.autocast("cpu", enabled=False)
def draw_example(
    shot: Shot, frames: np.ndarray, rng: np.random.Generator, gallery: Gallery | None = None
) -> tuple[torch.Tensor, ...]:
    """Draw references for frames of a shot, and change them all: one person, who may look and move otherwise.

    Args:
        shot: of one person.
        frames: (N,) the frames to be learnt; they share one pose and light, each reference has a pose of its own.
        gallery: of the one speaker to be learnt: then nothing is changed, and the gallery's pictures serve too.
    Returns:
        Crops (N, 3, f * size, f * size) in [-1, 1], landmarks (N, 68, 2) px of `size`, and the same of K references;
        float32.
    Source:
        Our choice.
    """
    # A frame that is its own reference, or its neighbour's, teaches nothing.
    apart = np.abs(np.arange(len(shot))[:, None] - frames).min(1)
    rest = np.flatnonzero(apart > min(4, apart.max() - 1))
    chosen = rest[choose_references(shot.landmarks[rest], rng)]
    if rng.random() < _ONE_REFERENCE:
        chosen = np.repeat(_draw_still(shot.landmarks, rest, rng), len(chosen))
    references, shapes = shot.pictures[chosen], shot.landmarks[chosen]
    if gallery is not None and rng.random() < _FROM_GALLERY:
        references, shapes = add_gallery(_leave_out(shot, gallery), shot.landmarks[rest], references, shapes)
    crops, n = np.concatenate([shot.pictures[frames], references]), len(frames)
    points = np.concatenate([shot.landmarks[frames], shapes]).astype(np.float64)
    same_person, size = gallery is not None, shot.crops.shape[2]
    if not same_person and rng.random() < 0.5:
        crops, points = crops[:, :, ::-1], mirror_landmarks(points, size)
    pictures = to_tensor(np.ascontiguousarray(crops))
    change = None if same_person else _draw_warp(rng, n, len(chosen))
    if change is not None:
        pictures, points = change.move_pictures(pictures, size), change.move_points(points, size)
    if not same_person and rng.random() < _OTHER_SKIN:
        mix = torch.from_numpy(np.eye(3) + rng.normal(0, 0.12, (3, 3))).float()
        light = ((pictures + 1) / 2).clamp(min=0) ** float(np.exp(rng.uniform(-0.3, 0.3))) * float(
            rng.uniform(0.7, 1.2)
        )
        pictures = torch.einsum("dc,nchw->ndhw", mix, light) * 2 - 1 + float(rng.uniform(-0.05, 0.1))
    if not same_person and rng.random() < _OTHER_LIGHT:
        pictures[:n] = _relight(pictures[:n], rng)
    pictures, landmarks = pictures.clamp(-1, 1), torch.from_numpy(points).float()
    return pictures[:n], landmarks[:n], pictures[n:], landmarks[n:]


def mirror_landmarks(landmarks: np.ndarray, width: int) -> np.ndarray:
    """Mirror landmarks (..., 68, 2) in a picture `width` px wide; left and right points change places."""
    return (landmarks * [-1, 1] + [width - 1, 0])[..., _MIRROR_68, :]


def _draw_still(landmarks: np.ndarray, frames: np.ndarray, rng: np.random.Generator) -> int:
    """Draw one of some frames, often one that shows teeth; landmarks (N, 68, 2)."""
    if rng.random() < _SMILING:
        apart = mouth_shape(landmarks[frames])[:, 0]
        frames = frames[apart >= np.quantile(apart, 0.75)]
    return rng.choice(frames)


def _leave_out(shot: Shot, gallery: Gallery) -> Gallery:
    """Leave out the gallery's pictures that are frames of a shot."""
    others = ~(gallery.landmarks[:, None] == shot.landmarks).all((2, 3)).any(1)
    return Gallery(gallery.crops[others], gallery.landmarks[others])


def _draw_warp(rng: np.random.Generator, frames: int, references: int) -> Warp | None:
    """Draw a person's shape, one pose for all frames and one for each reference."""
    shaped, turned = rng.random() < _OTHER_SHAPE, rng.random() < _TURNED
    if not shaped and not turned:
        return None
    stretch = rng.uniform(0.88, 1.12, 2) if shaped else np.ones(2)
    waves = np.column_stack(
        [rng.normal(0, 0.05, (3, 2)), rng.uniform(0, 2 * np.pi, 3), rng.normal(0, 1.0, (3, 2)) * shaped]
    )
    poses = [_draw_pose(rng) if turned else (0.0, 1.0, np.zeros(2), np.zeros(2)) for _ in range(1 + references)]
    poses = [poses[0]] * frames + poses[1:]
    angle, scale = np.array([pose[0] for pose in poses]), np.array([pose[1] for pose in poses])
    turns = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)
    linear = turns * scale[:, None, None] @ np.diag(stretch)
    return Warp(linear, np.stack([pose[2] for pose in poses]), np.stack([pose[3] for pose in poses]), waves)


def _draw_pose(rng: np.random.Generator) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Tilt, scale and shift that the crop's fit leaves over, and turns of up to some 20 degrees."""
    turn = np.clip(rng.normal(0, (0.14, 0.08)), -0.36, 0.36)
    return rng.normal(0, 0.03), np.exp(rng.normal(0, 0.02)), rng.normal(0, 1.0, 2), turn


def _relight(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Another colour of light, and more of it on one side."""
    size = pictures.shape[-1]
    slope = torch.linspace(-1, 1, size)
    side = slope[None] * float(rng.normal(0, 0.06)) + slope[:, None] * float(rng.normal(0, 0.04))
    gain = torch.from_numpy(rng.normal(1, 0.05) * rng.normal(1, 0.02, 3)).float()
    return (pictures + 1) * gain[:, None, None] * (1 + side) - 1
