"""The painter: pictures of a person's mouth and the geometry wanted in, new lower faces out (stand-in, no network)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from g4g.config import CropConfig
from g4g.faces import lower_half_mask, rasterise_mesh, ring_triangles, to_landmarks
from g4g.faces.canonical import load_canonical

_WEIGHTS = (0.6, 0.25, 0.15)


@dataclass(frozen=True)
class Canvas:
    """What a batch of faces is painted from.

    `crops` (B, s, s, 3) uint8: the frames' own, s = scale * 128; `meshes` (B, 504, 2): their points with the ring, px
    of the crop of 128 px; `targets` (B, 504, 2): where these go; `references` (B, K, s, s, 3) uint8 and
    `reference_meshes` (B, K, 504, 2): pictures of the same person.
    """

    crops: np.ndarray
    meshes: np.ndarray
    targets: np.ndarray
    references: np.ndarray
    reference_meshes: np.ndarray


@dataclass(frozen=True)
class Painted:
    """New faces: `crops` (B, s, s, 3) float32 in [0, 255], and how much of each is `taken`, (B, s, s) in [0, 1]."""

    crops: np.ndarray
    taken: np.ndarray


class Painter:
    """Paints lower faces."""

    references = len(_WEIGHTS)

    def __init__(self, generator, fusion, device: str = "cpu") -> None:
        self._generator, self._fusion, self._device = generator, fusion, device

    @torch.no_grad()
    def paint(self, canvas: Canvas) -> Painted:
        """Paint a batch."""
        painted = [self._paint_one(canvas, number) for number in range(len(canvas.crops))]
        crops, taken = zip(*painted, strict=True)
        return Painted(np.stack(crops), np.stack(taken))

    def _paint_one(self, canvas: Canvas, number: int) -> tuple[np.ndarray, np.ndarray]:
        own, size = canvas.crops[number], canvas.crops.shape[1]
        scale = size // CropConfig().size
        sources = np.concatenate([canvas.meshes[number][None], canvas.reference_meshes[number]])
        fine = lambda points: points * scale + (scale - 1) / 2  # noqa: E731
        places, owner = rasterise_mesh(fine(canvas.targets[number]), fine(sources), ring_triangles(), (size, size))
        pictures = np.concatenate([own[None], canvas.references[number]])
        pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        grid = torch.from_numpy(places) * (2 / (size - 1)) - 1
        warped = functional.grid_sample(pictures, grid, "bicubic", "border", align_corners=True)
        warped = warped.clamp(0, 255).permute(0, 2, 3, 1).numpy()
        mean = np.tensordot(np.float32(_WEIGHTS), warped[1:], 1)
        is_face = (owner >= 0) & (owner < len(load_canonical().triangles))
        crop = np.where(is_face[..., None], mean, np.where((owner >= 0)[..., None], warped[0], own))
        masks = [lower_half_mask(to_landmarks(mesh)) for mesh in (canvas.meshes[number], canvas.targets[number])]
        taken = torch.from_numpy(np.maximum(*masks))[None, None]
        taken = functional.interpolate(taken, scale_factor=scale, mode="bilinear")
        return crop.astype(np.float32), taken[0, 0].numpy()
