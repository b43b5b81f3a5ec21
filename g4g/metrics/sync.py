"""Sync scores from embeddings: LSE-D, LSE-C and the offset between lips and sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from g4g.config import MAX_OFFSET_FRAMES
from g4g.errors import ShapeError

RIVALS = 20
"""Windows of one clip that compete in `match_windows`."""


@dataclass(frozen=True)
class SyncScore:
    """How well lips and sound of one clip fit.

    Attributes:
        lse_d: distance at the best shift; lower is better.
        lse_c: median distance over the shifts minus the best; higher is better.
        offset_frames: > 0: the matching sound lies earlier than its lips.
        distances: mean distance at each shift, shape (2 * max_offset + 1,); the first belongs to +max_offset.
    """

    lse_d: float
    lse_c: float
    offset_frames: int
    distances: Tensor


def lip_sync_error(lip_embedding: Tensor, audio_embedding: Tensor, max_offset: int = MAX_OFFSET_FRAMES) -> SyncScore:
    """Score lip sync from per-frame embeddings: distance, confidence and offset.

    Args:
        lip_embedding: one row per frame, shape (T, D), float.
        audio_embedding: one row per frame, shape (T, D), same dtype and device.
        max_offset: largest shift tried, in frames (15 frames are 0.6 s at 25 fps).
    Returns:
        SyncScore; lower lse_d and higher lse_c are better. offset_frames > 0: the matching sound lies earlier than its
        lips.
    Raises:
        ShapeError: the inputs are not two (T, D) tensors of one shape, or T is 0.
    Source:
        Chung & Zisserman 2016 (SyncNet); LSE-D and LSE-C as in Prajwal et al. 2020. As in their protocol, sound before
        the first and after the last row is a row of zeros.
    Example:
        >>> frames = torch.eye(64)
        >>> lip_sync_error(frames, frames.roll(-3, dims=0)).offset_frames
        3
    """
    _check_rows(lip_embedding, audio_embedding)
    count = len(lip_embedding)
    padded = functional.pad(audio_embedding, (0, 0, max_offset, max_offset))
    # Shift by shift, so that memory does not grow with T * shifts.
    distances = torch.stack(
        [(lip_embedding - padded[k : k + count]).norm(dim=1).mean() for k in range(2 * max_offset + 1)]
    )
    best = int(distances.argmin())
    confidence = distances.median() - distances[best]
    return SyncScore(float(distances[best]), float(confidence), max_offset - best, distances)


def similarity_offset(lip_embedding: Tensor, audio_embedding: Tensor, max_offset: int = MAX_OFFSET_FRAMES) -> int:
    """Find the shift with the best mean cosine similarity, over the rows that overlap and without padding.

    Args:
        lip_embedding: one row per frame, shape (T, D), float.
        audio_embedding: the same shape.
        max_offset: largest shift tried, in frames; below T.
    Returns:
        Offset in frames with the sign of `lip_sync_error`: > 0: the matching sound lies earlier than its lips.
    Raises:
        ShapeError: the inputs are not two (T, D) tensors of one shape, or T is not above max_offset.
    Source:
        Our choice.
    Example:
        >>> frames = torch.eye(64)
        >>> similarity_offset(frames, frames.roll(-3, dims=0))
        3
    """
    _check_rows(lip_embedding, audio_embedding)
    count = len(lip_embedding)
    if count <= max_offset:
        raise ShapeError(f"shifts of {max_offset} frames need more rows than that, got {count}; lower max_offset")
    similarity = functional.normalize(lip_embedding, dim=1) @ functional.normalize(audio_embedding, dim=1).T
    means = [similarity.diagonal(-shift).mean() for shift in range(-max_offset, max_offset + 1)]
    return int(torch.stack(means).argmax()) - max_offset


@dataclass(frozen=True)
class WindowMatches:
    """How well one clip's windows find their sound: `first` and `near` are one bool per window tried."""

    first: list[bool]
    near: list[bool]
    offset_frames: int


def match_windows(
    lip_embedding: Tensor, audio_embedding: Tensor, rng: np.random.Generator, draws: int = 1
) -> WindowMatches:
    """Try whether each window of a clip finds its own sound.

    Args:
        lip_embedding: one unit row per frame, shape (T, D).
        audio_embedding: the same shape.
        rng: draws the windows that compete for `first`.
        draws: how many times.
    Returns:
        first: among 20 windows drawn, the own sound is the most similar; near: among all, it lies within one frame;
        and the clip's `similarity_offset`.
    Raises:
        ShapeError: the inputs are not two (T, D) tensors of one shape.
    Source:
        Our choice.
    """
    _check_rows(lip_embedding, audio_embedding)
    similarity, count = (lip_embedding @ audio_embedding.T).numpy(), len(lip_embedding)
    first: list[bool] = []
    for _ in range(draws):
        some = rng.permutation(count)[:RIVALS]
        first += (similarity[np.ix_(some, some)].argmax(1) == np.arange(len(some))).tolist()
    near = (abs(similarity.argmax(1) - np.arange(count)) <= 1).tolist()
    offset = similarity_offset(lip_embedding, audio_embedding, min(MAX_OFFSET_FRAMES, count - 1))
    return WindowMatches(first, near, offset)


def _check_rows(lips: Tensor, sound: Tensor) -> None:
    if lips.ndim != 2 or lips.shape != sound.shape or len(lips) == 0:
        raise ShapeError(
            f"expected lips and sound as two (T, D) tensors of one shape with T > 0, got {tuple(lips.shape)} and "
            f"{tuple(sound.shape)}; embed the same frames with both encoders"
        )
