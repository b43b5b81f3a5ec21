"""Deformation: references are laid over a face by their landmarks, then as the network sees fit, and blended."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SOFTNESS_PX = 5.0
"""Within so many px of a landmark, its neighbours have a say too."""


def landmark_flow(target: Tensor, references: Tensor, top: int, size: int, cell: int) -> Tensor:
    """Say where each part of a face lies in its references, from landmarks alone.

    Args:
        target: (B, 68, 2) px of the crop.
        references: (B, K, 68, 2) px of theirs.
        top: first row of the crop that is painted.
        size: the crop's side, px.
        cell: side of the cells that the flow is wanted for, px.
    Returns:
        (B, 2 K, (size - top) / cell, size / cell): how far to look aside in each reference, (x, y) px.
    Source:
        Shepard 1968: displacements weighted by inverse distance, here to the fourth power; our choice.
    """
    rows = torch.arange(top, size, cell, device=target.device) + (cell - 1) / 2
    columns = torch.arange(0, size, cell, device=target.device) + (cell - 1) / 2
    cells = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).flatten(0, 1)
    distances = ((cells[None, :, None] - target[:, None]) ** 2).sum(-1)
    weights = 1 / (distances + _SOFTNESS_PX**2) ** 2
    weights = weights / weights.sum(-1, keepdim=True)
    aside = (references - target[:, None]).transpose(1, 2).flatten(2)
    with torch.autocast(target.device.type, enabled=False):  # halves of floats are tenths of pixels
        flow = weights @ aside
    return flow.transpose(1, 2).unflatten(2, (len(rows), len(columns)))


def warp(pictures: Tensor, flow: Tensor, unit_px: float) -> Tensor:
    """Look aside in pictures.

    Args:
        pictures: (B, C, h, w).
        flow: (B, 2, h', w'), (x, y) px of the crop.
        unit_px: side of a pixel of `pictures` in px of the crop.
    Returns:
        (B, C, h', w') float32; at the border pictures go on as they end.
    """
    height, width = flow.shape[-2:]
    rows = torch.linspace(-1 + 1 / height, 1 - 1 / height, height, device=flow.device)
    columns = torch.linspace(-1 + 1 / width, 1 - 1 / width, width, device=flow.device)
    here = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    reach = flow.new_tensor([2 / (pictures.shape[-1] * unit_px), 2 / (pictures.shape[-2] * unit_px)])
    there = here + flow.float().permute(0, 2, 3, 1) * reach
    return functional.grid_sample(pictures.float(), there, padding_mode="border", align_corners=False)


def blend(maps: Tensor, pictures: Tensor, unit_px: float) -> Tensor:
    """Warp each reference by its flow, blend by visibility, fill with colour what none shows.

    Args:
        maps: (B, 3 K + 4, h', w'): a flow (2 K), a visibility (K) per reference, a colour (3) and its visibility (1).
        pictures: (B, K, 3, h, w).
        unit_px: as for `warp`.
    Returns:
        (B, 3, h', w').
    """
    k = pictures.shape[1]
    visible = torch.cat([maps[:, 2 * k : 3 * k], maps[:, 3 * k + 3 :]], 1).float().softmax(1)
    picture = 3 * torch.tanh(maps[:, 3 * k : 3 * k + 3].float()) * visible[:, k:]
    for i in range(k):
        warped = warp(pictures[:, i], maps[:, 2 * i : 2 * i + 2], unit_px)
        picture = torch.addcmul(picture, warped, visible[:, i : i + 1])
    return picture
