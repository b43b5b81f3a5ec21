"""Motion: speech features in, shapes of the lower face and how surely the lips are closed out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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


class Motion(nn.Module):
    """Move a mouth by sound: coefficients of a `ShapeSpace`, and how surely the lips are closed.

    Linear in features that know every voice. Source: our choice, measured: fitted in closed form on a quarter of an
    hour of speech, it follows people and words that it never met better than convolutional networks did, which learnt
    the few words of the data by heart (weights/HISTORY.md).
    """

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.shape = nn.Linear(len(config.taps) * config.read, config.components)
        self.closed = nn.Linear(len(config.taps) * config.read, 1)
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
        read = self.gather_taps(speech)
        return self.shape(read), self.closed(read)[..., 0]

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
