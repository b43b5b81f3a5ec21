"""The painter: one recipe from target geometry, pictures of the person and sound to new lower faces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from g4g.config import CropConfig
from g4g.faces import add_ring, load_canonical, lower_half_mask, rasterise_mesh, ring_triangles, to_landmarks
from g4g.faces.canonical import FACE_POINTS, INNER_LIPS
from g4g.fusion import Fusion
from g4g.generator import Generator, Layout, draw_frames, sample_pictures

_MOST_STRETCH = 4.0
"""log2 of areas is cut here."""
_OWN_RAMP = 0.3
"""The frame's own picture fades in over this share of the way from the outline to the ring."""
_TORN = 2.0
"""Between the lips a picture is stretched so far, as log2 of areas, before it begins to count as hidden."""


@dataclass(frozen=True)
class Canvas:
    """B frames to be painted; points are px of a crop of `CropConfig.size`, with the ring that `add_ring` adds.

    Attributes:
        crops: the frames' own face crops, (B, s, s, 3) RGB uint8, s a whole multiple of `CropConfig.size`.
        meshes: the frames' own points, (B, 504, 2).
        targets: where these points are to go, (B, 504, 2).
        references: other pictures of the person, the best first, (B, K, s, s, 3) uint8.
        reference_meshes: (B, K, 504, 2).
        speech: features around each frame, (B, R, D).
    """

    crops: np.ndarray
    meshes: np.ndarray
    targets: np.ndarray
    references: np.ndarray
    reference_meshes: np.ndarray
    speech: np.ndarray

    @property
    def scale(self) -> int:
        """Px of the pictures per px of the networks' crop."""
        return self.crops.shape[1] // CropConfig().size


@dataclass(frozen=True)
class Painted:
    """New crops (B, s, s, 3), float32 in [0, 255], and how much of each pixel is taken, (B, s, s) in [0, 1]."""

    crops: np.ndarray
    taken: np.ndarray


class Painter:
    """Paint lower faces with a generator and a fusion network, both in evaluation mode."""

    def __init__(self, generator: Generator, fusion: Fusion, device: str = "cpu") -> None:
        self._generator, self._fusion, self._device = generator, fusion, device

    @property
    def references(self) -> int:
        """Pictures that each frame is made of."""
        return self._generator.config.references

    @property
    def speech_rows(self) -> int:
        """Rows of speech features that are wanted around each frame."""
        return self._generator.config.speech_rows

    @property
    def speech_size(self) -> int:
        """Columns of the speech features."""
        return self._generator.config.speech

    @torch.no_grad()
    def paint(self, canvas: Canvas, residual: float = 1.0) -> Painted:
        """Paint the frames of a canvas in its own resolution.

        Args:
            canvas: B frames.
            residual: how much of what the generator adds to the warped pictures is taken, 0 to 1.
        """
        generator, size, scale = self._generator, CropConfig().size, canvas.scale
        own = to_tensor(canvas.crops).to(self._device)
        pictures = torch.cat([to_tensor(canvas.references).to(self._device), own[:, None]], 1)
        small = reduce_pictures(pictures, scale)
        layout = to_device(lay_out(canvas, 1, generator.top), self._device)
        speech = torch.from_numpy(canvas.speech).to(self._device)
        maps = generator(sample_pictures(small, layout.places, size), layout, speech)
        maps = replace(maps, detail=residual * maps.detail)
        coarse = draw_frames(small, layout, maps, size)
        fine = to_device(lay_out(canvas, scale, generator.top), self._device)
        drawn = draw_frames(pictures, fine, maps, size, keep_detail=True)
        generated = torch.cat([small[:, -1, :, : generator.top], coarse], 2)
        masks = np.stack([mask_lower_face(m, t) for m, t in zip(canvas.meshes, canvas.targets, strict=True)])
        masks = torch.from_numpy(masks).to(self._device)[:, None]
        fused, taken = self._fusion(generated, small[:, -1], masks)
        enlarge = lambda x: functional.interpolate(x, scale_factor=scale, mode="bilinear")  # noqa: E731
        # Light and colour are enlarged; what fusion left as it was generated is drawn anew.
        result = enlarge(fused - generated)
        result[:, :, : generator.top * scale] += own[:, :, : generator.top * scale]
        result[:, :, generator.top * scale :] += drawn
        result = ((result + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1)
        return Painted(result.cpu().numpy(), enlarge(taken)[:, 0].cpu().numpy())


def lay_out(canvas: Canvas, scale: int, top: int) -> Layout:
    """Tell where each picture of a canvas shows each pixel of the frames to be made.

    Args:
        canvas: geometry of B frames and of their K references.
        scale: pixels per px of the crop, each way.
        top: first row made, px of the crop.
    """
    frames = [
        _lay_out_frame(canvas.targets[b], np.concatenate([canvas.reference_meshes[b], canvas.meshes[b][None]]), scale)
        for b in range(len(canvas.targets))
    ]
    parts = (torch.from_numpy(np.stack(part)[..., top * scale :, :]) for part in zip(*frames, strict=True))
    x, y, *rest = parts
    return Layout(torch.stack([x, y], -1), *rest)


def mask_lower_face(mesh: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Draw the soft mask (size, size) that covers both the old and the new lower face (504, 2) of a frame."""
    old, new = (lower_half_mask(to_landmarks(points)) for points in (mesh, target))
    return np.maximum(old, new)


def _lay_out_frame(target: np.ndarray, sources: np.ndarray, scale: int) -> tuple[np.ndarray, ...]:
    """Lay out one frame: places' x and y, seen, stretch (P, h, w) each, own (h, w) and the guide (3, h, w)."""
    fixed, size = _fixed_layout(), CropConfig().size * scale
    at = lambda points: points * scale + (scale - 1) / 2  # noqa: E731
    known = np.concatenate([at(sources), fixed.canonical[None], fixed.own[None]])
    places, owner = rasterise_mesh(at(target), known, fixed.triangles, (size, size))
    places, guide, own = places[:-2], places[-2], places[-1, ..., 0]
    areas = np.stack([_measure_areas(points, fixed.triangles) for points in (target, *sources)])
    ratio = np.log2(np.maximum(areas[0], 1e-3) / np.maximum(areas[1:], 1e-3)).clip(-_MOST_STRETCH, _MOST_STRETCH)
    covered = owner >= 0
    inside = covered & fixed.inside[owner]
    seen = np.where(inside, np.clip(_TORN - ratio[:, owner], 0, 1), 1).astype(np.float32)
    seen[(areas[1:] <= 0)[:, owner] | ~covered] = 0
    own = np.where(covered, np.clip(own / _OWN_RAMP, 0, 1), 1)
    own = (own * own * (3 - 2 * own)).astype(np.float32)
    seen[-1] = own
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    places[:, ~covered] = np.stack([columns, rows], -1)[~covered]
    stretch = np.where(covered, ratio[:, owner], 0).astype(np.float32) / _MOST_STRETCH
    guide = np.concatenate([np.where(covered[..., None], guide, 0).transpose(2, 0, 1), inside[None]])
    places = (places - (scale - 1) / 2) / scale
    return places[..., 0], places[..., 1], seen, stretch, guide.astype(np.float32)


@dataclass(frozen=True)
class _Fixed:
    """What does not change from frame to frame.

    `triangles` (F, 3), `inside` (F,): between the inner lips; `canonical` (504, 2): points of the average face with the
    ring; `own` (504, 2), twice the same: 1 where the frame's own picture is right, on the ring and where speech moves
    nothing, 0 on the lower face.
    """

    triangles: np.ndarray
    inside: np.ndarray
    canonical: np.ndarray
    own: np.ndarray


@lru_cache
def _fixed_layout() -> _Fixed:
    canonical, triangles = load_canonical(), ring_triangles()
    face = canonical.points[None, :, :2]
    own = np.ones(triangles.max() + 1)
    own[:FACE_POINTS] = canonical.moves == 0
    inside = np.isin(triangles, INNER_LIPS).all(1)
    return _Fixed(triangles, inside, add_ring(face, face)[0], np.stack([own, own], 1))


def _measure_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Areas of triangles (F,), positive where they are seen from the front."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return ((b - a)[:, 1] * (c - a)[:, 0] - (b - a)[:, 0] * (c - a)[:, 1]) / 2


def to_tensor(pictures: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Turn pictures (..., h, w, 3) uint8 into (..., 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, -3))).to(device).float() / 127.5 - 1


def reduce_pictures(pictures: Tensor, factor: int) -> Tensor:
    """Average blocks of pictures (..., 3, h, w)."""
    if factor == 1:
        return pictures
    flat = pictures.flatten(0, -4) if pictures.ndim > 4 else pictures
    small = functional.avg_pool2d(flat, factor)
    return small.unflatten(0, pictures.shape[:-3]) if pictures.ndim > 4 else small


def to_device(layout: Layout, device: str) -> Layout:
    """Move a layout to a torch device."""
    return Layout(*(part.to(device) for part in vars(layout).values()))
