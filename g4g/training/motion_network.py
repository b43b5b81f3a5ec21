"""What motion learns step by step, after the line is solved: how shapes bend away from it, and when lips close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.faces.canonical import LIPS, LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.motion import Motion

_BATCH = 512
_SHAPE_EPOCHS, _CLOSED_EPOCHS = 16, 12
_FEWEST_STEPS = 300
_RATE, _DECAY, _NOISE = 1e-3, 0.1, 0.3
"""Noise is added to inputs of unit variance."""
_BEND_DROP, _CLOSED_DROP = 0.3, 0.5
"""So many of the hidden values are dropped."""
_EACH, _OPENING, _SPEED = 0.2, 0.5, 2.0
"""Weights of single coefficients, of the opening and of its and the lips' speed; the lips' points have 1."""


@dataclass(frozen=True)
class Lessons:
    """What is fitted.

    `inputs` (N, taps * read), `shapes` (N, C) and `weights` (N,); `shut` (N,) bool and how far each of these `counts`
    (N,); `follows` (N,) bool: the next row is the same mouth's next frame.
    """

    inputs: np.ndarray
    shapes: np.ndarray
    shut: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    follows: np.ndarray

    @classmethod
    def join(cls, parts: list[Lessons]) -> Lessons:
        """Put several one after the other."""
        return cls(*(np.concatenate(part) for part in zip(*(vars(p).values() for p in parts), strict=True)))


def learn_bends(motion: Motion, lessons: Lessons) -> None:
    """Teach a motion network, whose line is solved, what the line leaves over.

    Source:
        Our choice; errors of the lips' points, of the opening, and of both from frame to frame. Dropout and noise on
        the inputs keep it from learning words by heart.
    """
    errors = _ShapeErrors(motion, torch.from_numpy(lessons.shapes).float())
    inputs, weights = torch.from_numpy(lessons.inputs).float(), _even(lessons.weights)
    follows = torch.from_numpy(lessons.follows)
    after = (torch.arange(len(inputs)) + 1).clamp(max=len(inputs) - 1)
    bend = _Standard(nn.Sequential(motion.hidden, nn.GELU(), nn.Dropout(_BEND_DROP), motion.bend), inputs)

    def measure(rows: Tensor) -> Tensor:
        rows = torch.cat([rows[: len(rows) // 2], after[rows[: len(rows) // 2]]])
        read = inputs[rows]
        return errors.weigh(motion.shape(read).detach() + bend(read), rows, weights[rows], follows[rows])

    _descend(bend, measure, len(inputs), _SHAPE_EPOCHS)
    bend.fold(motion.hidden)


def learn_closures(motion: Motion, lessons: Lessons) -> None:
    """Teach a motion network when lips are closed."""
    inputs, shut = torch.from_numpy(lessons.inputs).float(), torch.from_numpy(lessons.shut).float()
    weights = _even(lessons.weights * lessons.counts)
    rare = float(((weights * (1 - shut)).sum() / (weights * shut).sum().clamp(min=1e-3)).sqrt().clamp(0.1, 10))
    first, *others = motion.closed
    layers = [first, *(part for layer in others for part in _drop_after(layer))]
    closed = _Standard(nn.Sequential(*layers), inputs)

    def measure(rows: Tensor) -> Tensor:
        told = closed(inputs[rows])[:, 0]
        losses = functional.binary_cross_entropy_with_logits(told, shut[rows], reduction="none")
        return (weights[rows] * torch.where(shut[rows] > 0, rare, 1.0) * losses).mean()

    _descend(closed, measure, len(inputs), _CLOSED_EPOCHS)
    closed.fold(first)


class _ShapeErrors:
    """Errors of shapes as loss, each kind over how much it varies."""

    def __init__(self, motion: Motion, shapes: Tensor) -> None:
        lips = motion.components[:, list(LIPS)].flatten(1)
        upper, lower = (motion.components[:, list(lip[1:6]), 1].mean(1) for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
        self._shapes, self._lips, self._opens = shapes, lips, lower - upper
        self._moved = (shapes @ lips).square().sum(1).mean().clamp(min=1e-9)
        self._opened = (shapes @ self._opens).var().clamp(min=1e-9)

    def weigh(self, made: Tensor, rows: Tensor, weights: Tensor, follows: Tensor) -> Tensor:
        """Loss of `made` (2 B, C) for `rows` (2 B,): the second half follows the first where `follows` says so."""
        off = made - self._shapes[rows]
        now, then = off.chunk(2)
        single = (weights[:, None] * off.square()).mean()
        speed = self._sum(then - now, (weights * follows).chunk(2)[0])
        return self._sum(off, weights) + _EACH * single + _SPEED * speed

    def _sum(self, off: Tensor, weights: Tensor) -> Tensor:
        points = (weights * (off @ self._lips).square().sum(1)).mean() / self._moved
        return points + _OPENING * (weights * (off @ self._opens).square()).mean() / self._opened


class _Standard(nn.Module):
    """Layers that learn from inputs about zero and of unit variance; `fold` lets them take the inputs as they are."""

    def __init__(self, layers: nn.Sequential, inputs: Tensor) -> None:
        super().__init__()
        self.layers, self._middle, self._scale = layers, inputs.mean(0), inputs.std().clamp(min=1e-6)

    def forward(self, read: Tensor) -> Tensor:
        level = (read - self._middle) / self._scale
        return self.layers(level + _NOISE * torch.randn_like(level))

    @torch.no_grad()
    def fold(self, first: nn.Linear) -> None:
        """Put the change of scale into the first layer."""
        first.weight /= self._scale
        first.bias -= first.weight @ self._middle


def _drop_after(layer: nn.Module) -> Iterator[nn.Module]:
    yield layer
    if isinstance(layer, nn.GELU):
        yield nn.Dropout(_CLOSED_DROP)


def _even(weights: np.ndarray) -> Tensor:
    return torch.from_numpy(weights / weights.mean()).float()


def _descend(layers: nn.Module, measure: Callable[[Tensor], Tensor], count: int, epochs: int) -> None:
    """Take steps down a loss of random rows of `count`, by AdamW with a rate that rises once and falls."""
    parameters = list(layers.parameters())
    steps = max(epochs * count // _BATCH, _FEWEST_STEPS)
    optimiser = torch.optim.AdamW(parameters, _RATE, weight_decay=_DECAY)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, steps, pct_start=0.1)
    layers.train()
    for _ in range(steps):
        optimiser.zero_grad()
        measure(torch.randint(count, (_BATCH,))).backward()
        optimiser.step()
        rates.step()
    optimiser.zero_grad()
    layers.eval()
