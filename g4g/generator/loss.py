"""Multi-scale supervision with a mask that stresses the mouth."""

from __future__ import annotations

import torch
from kornia.filters import spatial_gradient
from torch import Tensor
from torch.nn import functional

from g4g.faces.landmarks import MOUTH

_COARSER = 0.5
"""A coarser picture counts so much of the full one."""


def edge_weights(landmarks: Tensor, top: int, size: int, mouth: float = 4.0) -> Tensor:
    """Weigh pixels by how near the mouth they are.

    Args:
        landmarks: (B, 68, 2) px of the crop.
        top: first row of the picture in the crop.
        size: the crop's side, px.
        mouth: how much more a pixel of the mouth counts.
    Returns:
        (B, 1, size - top, size), mean about 1.
    Source:
        Our choice.
    """
    points = landmarks[:, MOUTH]
    centre = (points.amax(1) + points.amin(1)) / 2
    spread = (points.amax(1) - points.amin(1)) * 0.6 + 4
    rows = torch.arange(top, size, device=points.device) - centre[:, 1:, None]
    columns = torch.arange(size, device=points.device)[None] - centre[:, :1]
    distance = (rows[:, 0, :, None] / spread[:, 1, None, None]) ** 2 + (columns[:, None] / spread[:, :1, None]) ** 2
    weights = 1 + mouth * torch.exp(-0.5 * distance[:, None] ** 2)
    return weights / weights.mean()


def pyramid(picture: Tensor, sizes: int = 3) -> list[Tensor]:
    """Return the picture in so many sizes, by default at 1/4, 1/2 and full size."""
    return [functional.avg_pool2d(picture, 2**k) for k in range(sizes - 1, 0, -1)] + [picture]


def reconstruction_loss(outputs: list[Tensor], truth: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Compare pictures at every scale with the truth: weighted L1, and L1 of gradients at full size.

    Args:
        outputs: (B, 3, h, w), each twice as large as the one before, the last at full size.
        truth: (B, 3, h, w) at full size.
        weights: (B, 1, h, w), as `edge_weights` gives them.
    Returns:
        Both terms, scalars.
    """
    targets, shares = (pyramid(x, len(outputs)) for x in (truth, weights))
    terms = [((output - x).abs() * share).mean() for output, x, share in zip(outputs, targets, shares, strict=True)]
    pixels = _COARSER * sum(terms[:-1]) + terms[-1]
    edges = (spatial_gradient(outputs[-1]) - spatial_gradient(truth)).abs().mean(2)
    return pixels, (edges * weights).mean()
