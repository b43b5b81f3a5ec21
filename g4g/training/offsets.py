"""Clips whose sound was cut a little early or late: measured by the aligner, put right before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from g4g.aligner import Aligner, measure_offset
from g4g.config import SCORE_FPS
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
