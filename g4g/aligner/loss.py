"""The diagonal-matrix loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def diagonal_loss(
    rows: Tensor, columns: Tensor, clip: Tensor, time: Tensor, scale: Tensor | float, margin: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Make the similarity matrix of N windows diagonal.

    Args:
        rows, columns: unit embeddings of the same N windows from two encoders, shape (N, D).
        clip: which clip each window is from, shape (N,), int.
        time: frame number of each window in its clip, shape (N,), int.
        scale: factor on cosine similarities before the cross entropy.
        margin: by how much a diagonal cell should exceed the hardest other cell of its row and column.
    Returns:
        The symmetric cross entropy over rows and columns, and the diagonal-enhancement margin term; scalars.
        Cells one frame off the diagonal are near-duplicates: neither pulled nor pushed.
    Source:
        G4G (arXiv 2402.18122) names a diagonal matrix that enhances contrastive alignment; this formula is our choice.
    """
    similarity = rows @ columns.T
    near = (clip[:, None] == clip[None]) & ((time[:, None] - time[None]).abs() <= 1)
    diagonal = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    ignored = near & ~diagonal
    logits = (similarity * scale).masked_fill(ignored, -1e4)
    target = torch.arange(len(rows), device=rows.device)
    contrast = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    others = similarity.masked_fill(near, -1.0)
    hardest = torch.maximum(others.amax(0), others.amax(1))
    return contrast, functional.relu(margin + hardest - similarity.diagonal()).mean()
