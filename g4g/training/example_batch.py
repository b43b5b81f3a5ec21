"""Batches of examples for the generator: drawn and laid out on the CPU, by worker processes where these are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from g4g.faces.landmarks import MESH_TO_68
from g4g.generator import Layout
from g4g.painter import Canvas, join_parts, lay_out, mask_lower_face

_AHEAD = 3
"""Batches that each worker has ready."""


@dataclass(frozen=True)
class Examples:
    """B frames to learn from.

    Attributes:
        pictures: what they are made of, (B, K + 1, s, s, 3) uint8, the frame's own picture last.
        real: the frames as they are, (B, s, s, 3) uint8.
        layout: where the pictures show what.
        speech: features around each frame, (B, R, D).
        landmarks: where the faces are to be, (B, 68, 2) px of the crop.
        taken: the share of each pixel that a dub takes, (B, 1, h, w).
    """

    pictures: Tensor
    real: Tensor
    layout: Layout
    speech: Tensor
    landmarks: Tensor
    taken: Tensor

    @classmethod
    def of(cls, drawn: list[tuple[Canvas, np.ndarray]], top: int) -> Examples:
        """Lay out canvases of one frame each, of one resolution, beside their real frames; rows from `top` down."""
        canvas = join_parts([canvas for canvas, _ in drawn])
        masks = [mask_lower_face(mesh, target) for mesh, target in zip(canvas.meshes, canvas.targets, strict=True)]
        pictures = np.concatenate([canvas.references, canvas.crops[:, None]], 1)
        return cls(
            torch.from_numpy(pictures), torch.from_numpy(np.stack([real for _, real in drawn])), lay_out(canvas, top),
            torch.from_numpy(canvas.speech), torch.from_numpy(canvas.targets[:, MESH_TO_68]).float(),
            torch.from_numpy(np.stack(masks)[:, None, top:]),
        )  # fmt: skip


def draw_ahead(draw: Callable[[np.random.Generator], Examples], workers: int, seed: int) -> Iterator[Examples]:
    """Let worker processes draw batches without end, each with its own random numbers.

    Args:
        draw: draws one batch.
        workers: how many processes, at least 1; they end with the iterator.
        seed: of their random numbers.
    """
    drawn = _Endless(draw, seed)
    return iter(DataLoader(drawn, None, num_workers=workers, prefetch_factor=_AHEAD))


class _Endless(IterableDataset):
    def __init__(self, draw: Callable[[np.random.Generator], Examples], seed: int) -> None:
        self._draw, self._seed = draw, seed

    def __iter__(self) -> Iterator[Examples]:
        rng = np.random.default_rng([self._seed, get_worker_info().id])
        while True:
            yield self._draw(rng)
