"""Point 1: how well the aligner tells the offset of a clip, and how sure it is."""

from __future__ import annotations

from clips import Clip, hear_clips

from g4g.metrics.report import Figure
from g4g.training.offset_figures import measure_clips, sum_up
from g4g.zoo import Models

_ROWS = {
    "halves_agree": ("offsets of both halves within 1 frame (share of clips)", 1.0, ">="),
    "clear": ("offset clear (share of clips)", 1.0, ">="),
    "planted_found": ("planted shifts of up to 10 frames found within 1 (share)", 0.98, ">="),
    "wrong_clear": ("wrong sounds with a clear offset (share)", 0.01, "<="),
}
"""Figures of `sum_up`: in words, their goal, and on which side of it they should lie."""


def measure_aligner(models: Models, clips: list[Clip], group: str) -> list[Figure]:
    """Measure the offsets of each clip, by the geometry of its lips and by the speech features of its sound."""
    figures = sum_up(measure_clips(models.aligner, [clip.shot for clip in hear_clips(clips, models)]))
    return [
        Figure("1 aligner", group, words, figures[name], len(clips), target=target, wish=wish)
        for name, (words, target, wish) in _ROWS.items()
    ]
