"""Clips whose sound was cut a little early or late: measured by the aligner, put right before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from g4g.aligner import Aligner
from g4g.config import SCORE_FPS
from g4g.metrics import MAX_OFFSET_FRAMES
from g4g.training.aligner import embed_shot
from g4g.training.data import Shot

_EVERY = 3
"""Of a shot's lips, every third window is compared; its sound whole."""


def correct_offsets(aligner: Aligner, shots: list[Shot], log: Callable[[str], None]) -> list[Shot]:
    """Shift the times of shots so that lips and sound fit to a fraction of a frame.

    Args:
        aligner: trained; its own opinion of the shots is what is corrected.
        shots: any; one too short to tell (MAX_OFFSET_FRAMES frames or fewer) stays as it is.
        log: is told how far they moved.
    Source:
        Chung & Zisserman 2016 correct whole frames; fractions are our choice. A quarter of the GRID clips that we
        train on are more than half a frame off: as they are, neighbouring windows cannot be told apart.
    """
    offsets = np.array([measure_offset(*embed_shot(aligner.eval(), shot, _EVERY), _EVERY) for shot in shots])
    far = (abs(offsets) > 0.5).sum()
    log(f"sound moved by {abs(offsets).mean():.2f} frames on average, by more than half a frame in {far} shots")
    return [
        replace(shot, times_s=shot.times_s - offset / SCORE_FPS) for shot, offset in zip(shots, offsets, strict=True)
    ]


def measure_offset(lips: torch.Tensor, sound: torch.Tensor, every: int = 1) -> float:
    """Find the offset of a clip to a fraction of a frame; arguments as for `compare_shifts`.

    Returns:
        Frames, > 0: the matching sound lies earlier than its lips; 0 for clips too short to tell.
    """
    return find_peak(compare_shifts(lips, sound, every)) if len(sound) > MAX_OFFSET_FRAMES else 0.0


def compare_shifts(lips: torch.Tensor, sound: torch.Tensor, every: int = 1) -> np.ndarray:
    """Measure how alike lips and sound are at each shift of -15..15 frames.

    Args:
        lips: unit rows of every `every`-th frame, (ceil(T / every), D).
        sound: unit rows of all frames, (T, D), T > MAX_OFFSET_FRAMES.
        every: step of the lips' frames.
    Returns:
        Mean cosine similarity, shape (31,).
    """
    similarity = (lips @ sound.T).numpy()
    rows = np.arange(len(lips))
    means = []
    for shift in range(-MAX_OFFSET_FRAMES, MAX_OFFSET_FRAMES + 1):
        columns = rows * every - shift
        inside = (columns >= 0) & (columns < len(sound))
        means.append(similarity[rows[inside], columns[inside]].mean())
    return np.array(means)


def find_peak(means: np.ndarray) -> float:
    """Find the best shift by a parabola through the highest of `means` (31,) and its neighbours, frames."""
    best = int(np.clip(np.argmax(means), 1, len(means) - 2))
    before, top, after = means[best - 1 : best + 2]
    bend = before - 2 * top + after
    return float(best - MAX_OFFSET_FRAMES + (0.5 * (before - after) / bend if bend < 0 else 0.0))
