"""Point 1: how well the aligner tells one moment of a clip from another."""

from __future__ import annotations

import numpy as np
from clips import Clip

from g4g.aligner import Aligner
from g4g.metrics import similarity_offset
from g4g.metrics.report import Figure
from g4g.training.aligner import embed_shot

_DRAWS = 10
_WINDOWS = 20
_MAX_OFFSET = 15
_TARGETS = {"s1": (0.70, 0.75, 1.0), "unseen": (None, None, 0.95)}


def measure_aligner(aligner: Aligner, clips: list[Clip], group: str) -> list[Figure]:
    """Measure whole windows of each clip: first of 20, nearest within one frame, offset of the clip."""
    rng = np.random.default_rng(0)
    first, near, chance, offsets = [], [], [], []
    for clip in clips:
        # Windows at the ends repeat frames; only whole ones count.
        lips, sound = (rows[2:-2] for rows in embed_shot(aligner, clip.shot))
        similarity = (lips @ sound.T).numpy()
        count = len(similarity)
        for _ in range(_DRAWS):
            some = rng.permutation(count)[:_WINDOWS]
            first += (similarity[np.ix_(some, some)].argmax(1) == np.arange(len(some))).tolist()
        near += (abs(similarity.argmax(1) - np.arange(count)) <= 1).tolist()
        chance.append((3 * count - 2) / count**2)
        offsets.append(abs(similarity_offset(lips, sound, _MAX_OFFSET)) <= 1)
    targets = _TARGETS.get(group, (None, None, None))
    rows = (
        (f"right sound first of {_WINDOWS} (share of windows)", first, 1 / _WINDOWS),
        ("nearest sound within 1 frame (share of windows)", near, float(np.mean(chance))),
        ("offset within 1 frame of 0 (share of clips)", offsets, 3 / (2 * _MAX_OFFSET + 1)),
    )
    return [
        Figure("1 aligner", group, name, float(np.mean(values)), len(clips), baseline, "chance", target)
        for (name, values, baseline), target in zip(rows, targets, strict=True)
    ]
