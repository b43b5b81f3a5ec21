"""The diagonal-matrix loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrast_windows(
    rows: Tensor, columns: Tensor, clip: Tensor, time: Tensor, scale: Tensor | float, spare_neighbours: bool = True
) -> Tensor:
    """Compute the symmetric cross entropy over rows and columns.

    Args:
        rows, columns, clip, time, scale: as for `diagonal_loss`.
        spare_neighbours: cells one frame off the diagonal do not count.
    Returns:
        Scalar.
    Source:
        InfoNCE, van den Oord et al. 2018; the spared neighbours our choice.
    """
    logits = _similarity(rows, columns) * scale
    if spare_neighbours:
        near = _find_near(clip, time) & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        logits = logits.masked_fill(near, float("-inf"))
    target = torch.arange(len(rows), device=rows.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def diagonal_loss(
    rows: Tensor, columns: Tensor, clip: Tensor, time: Tensor, scale: Tensor | float, margin: float = 0.2,
    spare_neighbours: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Make the similarity matrix of N windows diagonal.

    Args:
        rows, columns: unit embeddings of the same N windows from two encoders, shape (N, D).
        clip: which clip each window is from, shape (N,), int.
        time: frame number of each window in its clip, shape (N,), int.
        scale: factor on cosine similarities before the cross entropy.
        spare_neighbours: as for `contrast_windows`.
        margin: by how much a diagonal cell should exceed the hardest other cell of its row and column.
    Returns:
        The symmetric cross entropy over rows and columns, and the diagonal-enhancement margin term; scalars.
        Cells one frame off the diagonal are near-duplicates: neither pulled nor pushed, except that without
        `spare_neighbours` they count in the cross entropy.
    Source:
        G4G (arXiv 2402.18122) names a diagonal matrix that enhances contrastive alignment; this formula is our choice.
    """
    similarity = _similarity(rows, columns)
    others = similarity.masked_fill(_find_near(clip, time), -1.0)
    hardest = torch.maximum(others.amax(0), others.amax(1))
    enhancement = functional.relu(margin + hardest - similarity.diagonal()).mean()
    return contrast_windows(rows, columns, clip, time, scale, spare_neighbours), enhancement


def _similarity(rows: Tensor, columns: Tensor) -> Tensor:
    """Compare all pairs in float32 even where the networks run in bfloat16, which cannot tell near neighbours apart."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows.float() @ columns.float().T


def _find_near(clip: Tensor, time: Tensor) -> Tensor:
    """Mark the cells (N, N) on the diagonal and one frame off it."""
    return (clip[:, None] == clip[None]) & ((time[:, None] - time[None]).abs() <= 1)
