"""Motion: speech features in, shapes of the lower face out, with closures told apart and met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.audio import SPEECH_RATE
from g4g.config import SCORE_FPS
from g4g.errors import ShapeError
from g4g.faces.canonical import FACE_POINTS
from g4g.motion.shape import ShapeSpace

_FRAME_MIDDLE_S = 0.5 / SCORE_FPS
"""A frame shown at t shows the mouth of t and a little later: its middle counts."""


@dataclass(frozen=True)
class MotionConfig:
    """Sizes of the motion network (our choice)."""

    speech: int = 192
    """Columns of the speech features."""
    read: int = 96
    """Leading columns that are read: those that vary most; the others tell voices apart more than mouths."""
    components: int = 16
    taps: tuple[int, ...] = (-8, -6, -4, -2, 0, 2, 4, 6)
    """Rows around a row that the linear part reads; the last is the look-ahead."""
    channels: int = 96
    dilations: tuple[int, ...] = (1, 1, 2, 4)
    ahead: tuple[int, ...] = (1, 1, 2, 2)
    """Rows that each block looks ahead."""


class Motion(nn.Module):
    """Move a mouth by sound: coefficients of a `ShapeSpace`, and how surely the lips are closed.

    A linear part, fitted in closed form, says most: it carries over to voices and words that training never had. A
    small network adds what is not linear.
    """

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        width, outputs = config.channels, config.components + 1
        self.linear = nn.Linear(len(config.taps) * config.read, outputs)
        self.enter = nn.Linear(config.read, width)
        self.blocks = nn.ModuleList(
            _Block(width, dilation, ahead) for dilation, ahead in zip(config.dilations, config.ahead, strict=True)
        )
        self.leave = nn.Linear(width, outputs)
        for layer in (self.linear, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("components", torch.zeros(config.components, FACE_POINTS, 3))

    @property
    def space(self) -> ShapeSpace:
        """What the coefficients mean."""
        return ShapeSpace(self.components.float().cpu().numpy())

    def forward(self, speech: Tensor) -> tuple[Tensor, Tensor]:
        """Move mouths.

        Args:
            speech: features (B, S, D), 50 rows a second.
        Returns:
            Shapes (B, S, C), zero is the closed mouth at rest; logits (B, S) of closed lips.
        Raises:
            ShapeError: the features have another width.
        """
        if speech.ndim != 3 or speech.shape[-1] != self.config.speech:
            raise ShapeError(f"motion expects features (B, S, {self.config.speech}), got {tuple(speech.shape)}")
        read = speech[..., : self.config.read]
        x = self.enter(read).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        out = self.linear(self.gather_taps(read)) + self.leave(x.transpose(1, 2))
        return out[..., :-1], out[..., -1]

    def gather_taps(self, read: Tensor) -> Tensor:
        """Put the rows around each row side by side, ends held: (B, S, read) to (B, S, taps * read)."""
        rows = torch.arange(read.shape[1], device=read.device)
        parts = [read[:, (rows + tap).clamp(0, read.shape[1] - 1)] for tap in self.config.taps]
        return torch.cat(parts, -1)


class _Block(nn.Module):
    """A dilated convolution over time around a shortcut; `ahead` of its reach lies in the future."""

    def __init__(self, width: int, dilation: int, ahead: int) -> None:
        super().__init__()
        self.pad = (2 * dilation - ahead, ahead)
        self.wide = nn.Conv1d(width, 2 * width, 3, dilation=dilation)
        self.narrow = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.wide(functional.pad(x, self.pad)).chunk(2, 1)
        return x + self.narrow(torch.tanh(value) * torch.sigmoid(gate))


def frame_rows(times_s: np.ndarray) -> np.ndarray:
    """Tell which row of the speech features shows in frames at `times_s` (T,): fractions of rows, (T,)."""
    return (np.asarray(times_s) + _FRAME_MIDDLE_S) * SPEECH_RATE


def sample_rows(sequence: Tensor, rows: Tensor) -> Tensor:
    """Interpolate sequences (B, S, ...) at fractional rows (B, T), ends held: (B, T, ...)."""
    rows = rows.clamp(0, sequence.shape[1] - 1)
    low = rows.floor().long().clamp(max=max(sequence.shape[1] - 2, 0))
    high = (low + 1).clamp(max=sequence.shape[1] - 1)
    share = rows - low
    batch = torch.arange(len(sequence), device=sequence.device)[:, None]
    if sequence.ndim == 3:
        share = share[..., None]
    return sequence[batch, low] * (1 - share) + sequence[batch, high] * share
