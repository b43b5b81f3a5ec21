"""Motion: speech features in, shapes of the lower face and how surely the lips are closed out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.audio import SPEECH_RATE, features_at
from g4g.config import SCORE_FPS
from g4g.errors import ShapeError
from g4g.faces.canonical import FACE_POINTS
from g4g.motion.shape import ShapeSpace

FRAME_MIDDLE_S = 0.5 / SCORE_FPS
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
    """Rows around a row that are read, 1/50 s apart; the last is the look-ahead."""
    bends: int = 384
    """Hidden values between sound and shapes."""
    closing: int = 256
    """Hidden values in each of two layers between sound and closures."""


class Motion(nn.Module):
    """Move a mouth by sound: coefficients of a `ShapeSpace`, and how surely the lips are closed.

    Shapes are a line through features that know every voice, fitted in closed form, and what one hidden layer bends of
    it; closures have a network of their own. Source: our choice, measured: larger networks, and those that learnt all
    of the way, learnt the few words of the data by heart (weights/HISTORY.md).
    """

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        width = len(config.taps) * config.read
        self.shape = nn.Linear(width, config.components)
        self.hidden = nn.Linear(width, config.bends)
        self.bend = nn.Linear(config.bends, config.components)
        nn.init.zeros_(self.bend.weight)
        nn.init.zeros_(self.bend.bias)
        self.closed = nn.Sequential(
            nn.Linear(width, config.closing), nn.GELU(), nn.Linear(config.closing, config.closing), nn.GELU(),
            nn.Linear(config.closing, 1),
        )  # fmt: skip
        self.components: Tensor
        self.register_buffer("components", torch.zeros(config.components, FACE_POINTS, 3))
        self.register_buffer("doubts", torch.ones(config.components))

    @property
    def space(self) -> ShapeSpace:
        """What the coefficients mean."""
        return ShapeSpace(self.components.float().cpu().numpy(), self.doubts.float().cpu().numpy())

    def forward(self, speech: Tensor) -> tuple[Tensor, Tensor]:
        """Move mouths.

        Args:
            speech: features (B, S, D), 50 rows a second.
        Returns:
            Shapes (B, S, C), zero is the closed mouth at rest; logits (B, S) of closed lips.
        Raises:
            ShapeError: the features have another width.
        """
        read = self.gather_taps(speech)
        return self.bend_shapes(read), self.closed(read)[..., 0]

    def bend_shapes(self, read: Tensor) -> Tensor:
        """Turn what `gather_taps` gives, (..., taps * read), into shapes (..., C)."""
        return self.shape(read) + self.bend(functional.gelu(self.hidden(read)))

    def gather_taps(self, speech: Tensor) -> Tensor:
        """Put what is read of the rows around each row side by side, ends held: (B, S, D) to (B, S, taps * read)."""
        if speech.ndim != 3 or speech.shape[-1] != self.config.speech:
            raise ShapeError(f"motion expects features (B, S, {self.config.speech}), got {tuple(speech.shape)}")
        rows = torch.arange(speech.shape[1], device=speech.device)
        around = [(rows + tap).clamp(0, speech.shape[1] - 1) for tap in self.config.taps]
        return torch.cat([speech[:, near, : self.config.read] for near in around], -1)


def frame_rows(times_s: np.ndarray) -> np.ndarray:
    """Tell which row of the speech features shows in frames at `times_s` (T,): fractions of rows, (T,)."""
    return (np.asarray(times_s) + FRAME_MIDDLE_S) * SPEECH_RATE


def frame_speech(speech: np.ndarray, times_s: np.ndarray, count: int) -> np.ndarray:
    """Cut the features (T, count, D) around frames at `times_s` (T,) out of a sound's (S, D), 1/50 s apart."""
    return features_at(speech, np.asarray(times_s) + FRAME_MIDDLE_S, count, SPEECH_RATE)


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
