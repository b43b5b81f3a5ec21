"""The painter: one recipe from target geometry, pictures of the person and sound to new lower faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import cv2
import numba
import numpy as np
import torch
from torch import Tensor

from g4g.config import CropConfig
from g4g.engine import count_painters
from g4g.faces import (
    add_ring,
    inside_triangles,
    load_canonical,
    lower_half_mask,
    rasterise_mesh,
    ring_triangles,
    to_landmarks,
)
from g4g.faces.canonical import FACE_POINTS
from g4g.fusion import Fusion
from g4g.generator import Generator, Layout, Maps, draw_coarse, make_sketch, sample_pictures
from g4g.generator.native import draw_onto
from g4g.generator.native_sample import pack_pictures, sample_packed
from g4g.generator.native_sketch import join_sketch
from g4g.networks import is_run_by_torch

T = TypeVar("T", "Canvas", "Painted")
_MOST_STRETCH = 4.0
"""log2 of areas is cut here."""
_OWN_RAMP = 0.3
"""The frame's own picture fades in over this share of the way from the outline to the ring."""
_TORN = 2.0
"""Between the lips a picture stretched so far, as log2 of areas, is hidden; half as far it still counts whole."""

_LOST, _TAKEN = 4, 8
"""Channels of `Painted.maps` behind places and shares: how much of the detail is lost, and of the face is taken."""


@dataclass(frozen=True)
class Canvas:
    """B frames to be painted; points are px of a crop of `CropConfig.size`, with the ring that `add_ring` adds.

    Attributes:
        crops: the frames' own face crops, (B, c, c, 3) RGB uint8.
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


@dataclass(frozen=True)
class Finish:
    """How a person's mouths are finished.

    `residual`: the share of what the generator adds to the warped pictures, 0 to 1; `sharpening`: so much of the fine
    detail is added once more, since sampling takes some of it.
    """

    residual: float = 1.0
    sharpening: float = 0.0


@dataclass(frozen=True)
class Painted:
    """New lower faces, to be drawn into frames of any size.

    Attributes:
        maps: (B, h, w, C) float32, as `g4g.generator.native.draw_onto` takes them.
        references: the canvas's, (B, K, s, s, 3) uint8.
        taken: (B, size, size) in [0, 1]: how much of the new face is taken.
    """

    maps: np.ndarray
    references: np.ndarray
    taken: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def has_numbers(self) -> np.ndarray:
        """Whether the networks gave numbers for each frame, (B,)."""
        return np.isfinite(self.maps).all((1, 2, 3))

    @property
    def _beside(self) -> int:
        """The first channel of `maps` behind places and shares."""
        return 3 * (self.references.shape[1] + 1)

    def sharpen(self, sharpening: float) -> Painted:
        """Add fine detail once more by another `Finish.sharpening`, as if painted so."""
        maps = self.maps.copy()
        maps[..., self._beside + _LOST] += sharpening
        return replace(self, maps=maps)

    def draw(
        self, number: int, frame: np.ndarray, frame_to_crop: np.ndarray, result: np.ndarray, share: float = 1.0,
        within: tuple[int, int, int, int] | None = None,
    ) -> None:  # fmt: skip
        """Draw a lower face into a picture.

        Args:
            number: which of the B.
            frame: (H, W, 3) uint8, the picture that its crop was cut from.
            frame_to_crop: (2, 3), to px of a crop of `CropConfig.size`.
            result: (H, W, 3) uint8: changed in place, where `taken` is above 0.
            share: how much of what is taken counts, 0 to 1.
            within: left, top, right, bottom px of the part of the frame that is drawn; None: all of it.
        """
        maps, size = self.maps[number], CropConfig().size
        if share < 1:
            maps = maps.copy()
            maps[..., self._beside + _TAKEN] *= share
        draw_onto(result, frame, self.references[number], maps, frame_to_crop, size, size - len(maps), within)


def join_parts(parts: list[T]) -> T:
    """Join canvases of one resolution, or what was painted for them, frame by frame."""
    if len(parts) == 1:
        return parts[0]
    return type(parts[0])(*(np.concatenate(part) for part in zip(*(vars(p).values() for p in parts), strict=True)))


class Painter:
    """Paint lower faces with a generator and a fusion network, both in evaluation mode."""

    def __init__(self, generator: Generator, fusion: Fusion, device: str = "cpu") -> None:
        self._generator, self._fusion, self._device = generator, fusion, device

    @property
    def workers(self) -> int:
        """So many threads should paint at a time: torch takes all of the machine for one batch."""
        return 1 if is_run_by_torch(self._generator) else count_painters()

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

    def paint(self, canvas: Canvas, finish: Finish = Finish()) -> Painted:
        """Paint the frames of a canvas, all with one finish."""
        return self.paint_each(canvas, [finish])[0]

    @torch.no_grad()
    def paint_each(self, canvas: Canvas, finishes: Sequence[Finish]) -> list[Painted]:
        """Paint the frames of a canvas once for each finish; the generator looks at them once."""
        small = np.stack([
            np.stack([reduce_picture(picture) for picture in (*references, crop)])
            for references, crop in zip(canvas.references, canvas.crops, strict=True)
        ])  # fmt: skip
        layout = to_device(lay_out(canvas, self._generator.top), self._device)
        speech = torch.from_numpy(canvas.speech).to(self._device)
        masks = np.stack([mask_lower_face(m, t) for m, t in zip(canvas.meshes, canvas.targets, strict=True)])
        if self._is_compiled:
            packed = pack_pictures(small)
            sampled = torch.from_numpy(sample_packed(packed, layout.places.numpy()))
            maps = self._generator(sampled, layout, speech)
            return [
                Painted(join_sketch(packed, layout, maps, masks, f.residual, f.sharpening), canvas.references, masks)
                for f in finishes
            ]
        small = to_tensor(small, self._device)
        maps = self._generator(sample_pictures(small, layout.places, CropConfig().size), layout, speech)
        masks = torch.from_numpy(masks).to(self._device)[:, None]
        return [self._finish(canvas, small, layout, maps, masks, finish) for finish in finishes]

    @property
    def _is_compiled(self) -> bool:
        """Whether what lies between the networks is compiled code: torch's frames and those of a GPU stay torch's."""
        return self._device == "cpu" and self._fusion.is_plain and not is_run_by_torch(self._generator)

    def _finish(
        self, canvas: Canvas, small: Tensor, layout: Layout, maps: Maps, masks: Tensor, finish: Finish
    ) -> Painted:  # fmt: skip
        """Join what the generator said of the canvas with its small pictures and soft masks."""
        sketch = make_sketch(small, layout, replace(maps, detail=finish.residual * maps.detail))
        own, top = small[:, -1], self._generator.top
        if self._fusion.is_plain:  # it would give back what it is given
            taken, light = masks, torch.zeros_like(sketch.colour)
        else:
            generated = torch.cat([own[:, :, :top], draw_coarse(small, sketch)], 2)
            fused, taken = self._fusion(generated, own, masks)
            light = (fused - generated)[:, :, top:]
        grey = sketch.coarse.mean(1, keepdim=True)
        lost = sketch.lost + finish.sharpening
        levels = [127.5 * sketch.colour, 127.5 * grey, lost, 127.5 * light, taken[:, :, top:]]
        joined = torch.cat([sketch.places.flatten(1, 2), sketch.shares, *levels], 1).permute(0, 2, 3, 1)
        return Painted(joined.float().cpu().contiguous().numpy(), canvas.references, taken[:, 0].cpu().numpy())


def reduce_picture(picture: np.ndarray) -> np.ndarray:
    """Bring a crop (s, s, 3) uint8 to the networks' size."""
    size = CropConfig().size
    return picture if len(picture) == size else cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def lay_out(canvas: Canvas, top: int) -> Layout:
    """Tell where each picture of a canvas shows each pixel of the frames to be made, at the networks' size.

    Args:
        canvas: geometry of B frames and of their K references.
        top: first row made, px of the crop.
    """
    frames = [
        _lay_out_frame(canvas.targets[b], np.concatenate([canvas.reference_meshes[b], canvas.meshes[b][None]]), top)
        for b in range(len(canvas.targets))
    ]
    return Layout(*(torch.from_numpy(np.stack(part)) for part in zip(*frames, strict=True)))


def mask_lower_face(mesh: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Draw the soft mask (size, size) that covers both the old and the new lower face (504, 2) of a frame."""
    old, new = (lower_half_mask(to_landmarks(points)) for points in (mesh, target))
    return np.maximum(old, new)


def _lay_out_frame(target: np.ndarray, sources: np.ndarray, top: int) -> tuple[np.ndarray, ...]:
    """Lay out one frame from row `top` on: places (P, h, w, 2), seen and stretch (P, h, w), the guide (3, h, w)."""
    fixed, size = _fixed_layout(), CropConfig().size
    known = np.concatenate([sources, fixed.canonical[None], fixed.own[None]])
    places, owner = rasterise_mesh(target - [0, top], known, fixed.triangles, (size - top, size))
    area, areas = _measure_areas(target, fixed.triangles), _measure_areas(sources, fixed.triangles)
    ratio = np.log2(np.maximum(area, 1e-3) / np.maximum(areas, 1e-3)).clip(-_MOST_STRETCH, _MOST_STRETCH)
    seen, stretch, guide = _describe_pixels(places, owner, ratio, areas <= 0, fixed.inside, top)
    return places[:-2], seen, stretch, guide


@numba.njit(cache=True, nogil=True)
def _describe_pixels(places, owner, ratio, is_hidden, is_inside, top):
    """Turn what is known of triangles into maps; outside of them `places`, changed in place, stay where they are.

    Args:
        places, owner: as `rasterise_mesh` gives them, for P pictures, then the average face and its own share.
        ratio: log2 of areas in the frame over those in each picture, (P, F).
        is_hidden: triangles that a picture shows from behind, (P, F).
        is_inside: triangles between the inner lips, (F,).
        top: row of the crop in which the maps begin.
    """
    count, (height, width), one = len(ratio), owner.shape, np.float32(1)
    seen, stretch = np.zeros((count, height, width), np.float32), np.zeros((count, height, width), np.float32)
    guide = np.zeros((3, height, width), np.float32)
    for y in range(height):
        for x in range(width):
            f, own = owner[y, x], one
            if f >= 0:
                for p in range(count):
                    if not is_hidden[p, f]:
                        torn = min(max(np.float32(_TORN) - ratio[p, f], 0), 1)
                        seen[p, y, x] = torn if is_inside[f] else 1
                    stretch[p, y, x] = np.float32(ratio[p, f]) / np.float32(_MOST_STRETCH)
                own = min(max(places[count + 1, y, x, 0] / np.float32(_OWN_RAMP), np.float32(0)), one)
                guide[0, y, x], guide[1, y, x] = places[count, y, x, 0], places[count, y, x, 1]
                guide[2, y, x] = is_inside[f]
            else:
                for p in range(count):
                    places[p, y, x, 0], places[p, y, x, 1] = x, y + top
            seen[count - 1, y, x] = own * own * (np.float32(3) - np.float32(2) * own)
    return seen, stretch, guide


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
    return _Fixed(triangles, inside_triangles(), add_ring(face, face)[0], np.stack([own, own], 1))


def _measure_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Areas of triangles of points (..., N, 2), positive where they are seen from the front, (..., F)."""
    a, b, c = np.moveaxis(points[..., triangles, :], -2, 0)
    b, c = b - a, c - a
    return (b[..., 1] * c[..., 0] - b[..., 0] * c[..., 1]) / 2


def to_tensor(pictures: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Turn pictures (..., h, w, 3) uint8 into (..., 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, -3))).to(device).float() / 127.5 - 1


def to_device(layout: Layout, device: str) -> Layout:
    """Move a layout to a torch device."""
    return Layout(*(part.to(device) for part in vars(layout).values()))
