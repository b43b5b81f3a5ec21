"""Point 1: how well the aligner tells one moment of a clip from another."""

from __future__ import annotations

import numpy as np
from clips import Clip

from g4g.aligner import Aligner
from g4g.metrics import MAX_OFFSET_FRAMES, RIVALS, match_windows
from g4g.metrics.report import Figure
from g4g.training.aligner import embed_shot

_DRAWS = 10
_TARGETS = {"s1": (0.70, 0.75, 1.0), "unseen": (None, None, 0.95)}


def measure_aligner(aligner: Aligner, clips: list[Clip], group: str) -> list[Figure]:
    """Measure whole windows of each clip: first of 20, nearest within one frame, offset of the clip."""
    rng, again = np.random.default_rng(0), np.random.default_rng(1)
    first, second, near, chance, offsets = [], [], [], [], []
    for clip in clips:
        # Windows at the ends repeat frames; only whole ones count.
        lips, sound = (rows[2:-2] for rows in embed_shot(aligner, clip.shot))
        matches, count = match_windows(lips, sound, rng, _DRAWS), len(lips)
        first, near = first + matches.first, near + matches.near
        second += match_windows(lips, sound, again, _DRAWS).first
        chance.append((3 * count - 2) / count**2)
        offsets.append(abs(matches.offset_frames) <= 1)
    targets = _TARGETS.get(group, (None, None, None))
    rows = (
        (f"right sound first of {RIVALS} (share of windows)", first, 1 / RIVALS),
        ("nearest sound within 1 frame (share of windows)", near, float(np.mean(chance))),
        ("offset within 1 frame of 0 (share of clips)", offsets, 3 / (2 * MAX_OFFSET_FRAMES + 1)),
    )
    noise = abs(float(np.mean(first) - np.mean(second)))
    figures = [
        Figure("1 aligner", group, name, float(np.mean(values)), len(clips), baseline, "chance", target)
        for (name, values, baseline), target in zip(rows, targets, strict=True)
    ]
    name = "noise floor: first of 20, drawn by another seed"
    return [*figures, Figure("1 aligner", group, name, noise, len(clips))]
