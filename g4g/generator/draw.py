"""Draw frames from pictures, their places and the generator's maps, in any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from g4g.generator.model import Layout, Maps

HIDDEN = 8.0
"""What a reference does not show is so much less likely, as a logit."""
DECIDED, EDGE = 4.0, 5
"""Between the lips the likeliest picture is so many times as sure, softly over so many px: the mean of teeth in three
pictures is no tooth."""
LEAST_KEPT = 0.5
"""Blending is taken to keep at least so much of the fine detail's amplitude."""
LEAST_SHOWN = 1e-3
"""References count as if they had at least so much of the blend together, where detail is measured."""


@dataclass(frozen=True)
class Sketch:
    """All that frames are drawn from but the fine pictures, at the networks' size (h, w): finer frames enlarge it.

    Attributes:
        places: (B, P, 2, h, w): x and y in px of the crop, the generator's flow included; the frame's own picture last.
        shares: (B, P, h, w): of the references in the blend, then of the frame's own picture in the result.
        colour: (B, 3, h, w): added to the blend.
        coarse: (B, 3, h, w): the blend of the pictures at the networks' size; what is finer than it is detail.
        lost: (B, 1, h, w): how much of the blend's detail is added once more.
    """

    places: Tensor
    shares: Tensor
    colour: Tensor
    coarse: Tensor
    lost: Tensor


def sample_pictures(pictures: Tensor, places: Tensor, size: int, mode: str = "bilinear") -> Tensor:
    """Sample pictures at places.

    Args:
        pictures: (B, P, 3, s, s), whole crops.
        places: (B, P, h, w, 2), x and y in px of a crop of `size`.
        size: what the places' px refer to.
        mode: "bilinear" or "bicubic".
    Returns:
        (B, P, 3, h, w); beyond the border what is nearest inside.
    """
    grid = (places.flatten(0, 1) + 0.5) * (2 / size) - 1
    flat = pictures.flatten(0, 1)
    sampled = functional.grid_sample(flat, grid.to(flat.dtype), mode, "border", align_corners=False)
    return sampled.unflatten(0, pictures.shape[:2])


def make_sketch(small: Tensor, layout: Layout, maps: Maps) -> Sketch:
    """Bring small pictures (B, P, 3, size, size) in [-1, 1], layout and maps together.

    `g4g.generator.native_sketch` does the same, compiled; tests compare both.

    Source:
        Our choice; a blend with shares v keeps sqrt(sum v^2) of what is not the same in all pictures, and what it loses
        is given back as in Heitz and Neyret 2018 (variance-preserving), as far as the generator asks for it.
    """
    enlarge = lambda x: functional.interpolate(x, layout.places.shape[2:4], mode="bilinear")  # noqa: E731
    moved = move_places(layout.places[:, :-1], enlarge(maps.flow).unflatten(1, (-1, 2)))
    logits = enlarge(maps.logits)
    shown = _decide(logits[:, :-1] + HIDDEN * (layout.seen[:, :-1] - 1), layout.guide[:, -1:])
    shares = torch.cat([shown, logits[:, -1:]], 1).softmax(1)
    blended, free = shares[:, :-1], shares[:, -1:]
    kept = blended.square().sum(1, keepdim=True).sqrt() / blended.sum(1, keepdim=True).clamp(min=LEAST_SHOWN)
    return Sketch(
        torch.cat([moved, layout.places[:, -1:]], 1).permute(0, 1, 4, 2, 3),
        torch.cat([blended, layout.seen[:, -1:]], 1), free * enlarge(maps.colour) + enlarge(maps.detail),
        (sample_pictures(small[:, :-1], moved, small.shape[-1]) * blended[:, :, None]).sum(1),
        enlarge(maps.crispness) * (1 / kept.clamp(min=LEAST_KEPT) - 1),
    )  # fmt: skip


def _decide(logits: Tensor, inside: Tensor) -> Tensor:
    """Favour the likeliest picture between the lips, where `inside` (B, 1, h, w) is 1; logits (B, K, h, w)."""
    best = logits.amax(1, keepdim=True)
    soft = functional.avg_pool2d(inside, EDGE, 1, EDGE // 2)
    return best + (logits - best) * (1 + (DECIDED - 1) * soft)


def draw_frames(pictures: Tensor, sketch: Sketch, size: int) -> Tensor:
    """Draw frames as fine as their pictures: blend, the detail that blending took, colour, the frame's own picture.

    Args:
        pictures: (B, P, 3, s, s) in [-1, 1], whole crops.
        sketch: of the same frames.
        size: the crop's side in px that places refer to.
    Returns:
        (B, 3, h * s / size, w * s / size).
    """
    fine = enlarge_sketch(sketch, pictures.shape[-1] / size)
    sampled = sample_pictures(pictures, fine.places.permute(0, 1, 3, 4, 2), size, "bicubic")
    shares = fine.shares[:, :, None]
    blend = (sampled[:, :-1] * shares[:, :-1]).sum(1)
    blend = blend + fine.lost * (blend - fine.coarse).mean(1, keepdim=True) + fine.colour
    return blend + shares[:, -1] * (sampled[:, -1] - blend)


def draw_coarse(small: Tensor, sketch: Sketch) -> Tensor:
    """Draw frames at the networks' size from the same small pictures as the sketch: (B, 3, h, w)."""
    own = sample_pictures(small[:, -1:], sketch.places[:, -1:].permute(0, 1, 3, 4, 2), small.shape[-1])[:, 0]
    blend = sketch.coarse + sketch.colour
    return blend + sketch.shares[:, -1:] * (own - blend)


def enlarge_sketch(sketch: Sketch, scale: float) -> Sketch:
    """Enlarge all maps of a sketch so many times, bilinear: places are piecewise affine."""
    return Sketch(*(enlarge_maps(part, scale) for part in vars(sketch).values()))


def enlarge_maps(maps: Tensor, scale: float) -> Tensor:
    """Enlarge maps (B, ..., h, w) so many times, bilinear."""
    if scale == 1:
        return maps
    flat = maps.flatten(1, -3)
    size = [round(scale * n) for n in maps.shape[-2:]]
    return functional.interpolate(flat, size, mode="bilinear").unflatten(1, maps.shape[1:-2])


def move_places(places: Tensor, flow: Tensor) -> Tensor:
    """Read places (B, P, h, w, 2) a flow's step aside; `flow` (B, P, 2, h, w) px of the same pictures.

    The places themselves are interpolated, so that pictures are sampled only once.
    """
    height, width = places.shape[2:4]
    step = flow.permute(0, 1, 3, 4, 2).flatten(0, 1)
    rows, columns = (torch.arange(n, device=flow.device, dtype=flow.dtype) for n in (height, width))
    at = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) + step
    grid = (at + 0.5) * (2 / at.new_tensor([width, height])) - 1
    moved = functional.grid_sample(
        places.flatten(0, 1).permute(0, 3, 1, 2), grid, "bilinear", "border", align_corners=False
    )
    return moved.permute(0, 2, 3, 1).unflatten(0, places.shape[:2])
