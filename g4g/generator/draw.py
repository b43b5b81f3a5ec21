"""Draw frames from pictures, their places and the generator's maps, in any resolution."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional

from g4g.generator.model import Layout, Maps

_FINE_PX = 0.7
"""What is finer than a Gaussian of so many px of the crop suffers when pictures are blended (our choice)."""
_HIDDEN = 8.0
"""What a reference does not show is so much less likely, as a logit."""


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


def draw_frames(pictures: Tensor, layout: Layout, maps: Maps, size: int, keep_detail: bool = False) -> Tensor:
    """Draw frames: flow, blend, colour, detail.

    Args:
        pictures: (B, P, 3, s, s) in [-1, 1], whole crops, as fine as the frames or finer.
        layout: places for each pixel of the frames to be drawn, (B, P, h, w, 2).
        maps: as the generator gives them, of any size; they are enlarged.
        size: the crop's side in px that places and flow refer to.
        keep_detail: give back the finest band that blending takes away (at use; training judges the blend).
    Returns:
        (B, 3, h, w).
    Source:
        Our choice; what blending takes away is given back as in Heitz and Neyret 2018 (variance-preserving).
    """
    height, width = layout.places.shape[2:4]
    enlarge = lambda x: functional.interpolate(x, (height, width), mode="bilinear")  # noqa: E731
    places = move_places(layout.places[:, :-1], enlarge(maps.flow).unflatten(1, (-1, 2)), size)
    sampled = sample_pictures(pictures[:, :-1], places, size, "bicubic" if keep_detail else "bilinear")
    hidden = functional.pad(_HIDDEN * (layout.seen[:, :-1] - 1), (0, 0, 0, 0, 0, 1))
    shares = (enlarge(maps.logits) + hidden).softmax(1)
    blend = (sampled * shares[:, :-1, None]).sum(1)
    if keep_detail:
        blend = blend + _find_lost_detail(blend, shares[:, :-1], width / size)
    made = blend + shares[:, -1:] * enlarge(maps.colour) + enlarge(maps.detail)
    own = sample_pictures(pictures[:, -1:], layout.places[:, -1:], size, "bicubic" if keep_detail else "bilinear")[:, 0]
    share = layout.seen[:, -1:]
    return made + share * (own - made)


def _find_lost_detail(blend: Tensor, shares: Tensor, scale: float) -> Tensor:
    """Tell what blending with `shares` (B, K, h, w) took from the finest band: edges of pictures do not coincide."""
    reach = 2 * round(2 * _FINE_PX * scale) + 1
    grey = blend.mean(1, keepdim=True)
    fine = grey - gaussian_blur2d(grey, (reach, reach), (_FINE_PX * scale, _FINE_PX * scale), "replicate")
    # A mean with shares v keeps sqrt(sum v^2) of what is not the same in all.
    kept = shares.square().sum(1, keepdim=True).sqrt() / shares.sum(1, keepdim=True).clamp(min=1e-3)
    return fine * (1 / kept.clamp(min=0.5) - 1)


def move_places(places: Tensor, flow: Tensor, size: int) -> Tensor:
    """Read places (B, P, h, w, 2) a flow's step aside; `flow` (B, P, 2, h, w) in px of the crop of `size`.

    The places themselves are interpolated, so that pictures are sampled only once.
    """
    height, width = places.shape[2:4]
    step = flow.permute(0, 1, 3, 4, 2).flatten(0, 1) * (width / size)
    rows, columns = (torch.arange(n, device=flow.device, dtype=flow.dtype) for n in (height, width))
    at = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) + step
    grid = (at + 0.5) * (2 / at.new_tensor([width, height])) - 1
    moved = functional.grid_sample(
        places.flatten(0, 1).permute(0, 3, 1, 2), grid, "bilinear", "border", align_corners=False
    )
    return moved.permute(0, 2, 3, 1).unflatten(0, places.shape[:2])
