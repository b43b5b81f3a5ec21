"""Which frames teach when lips close: quick closures do, lips at rest hardly, and what lies between not at all."""

from __future__ import annotations

import numpy as np

from g4g.audio import SPEECH_RATE
from g4g.faces import find_runs
from g4g.metrics.phonemes import Phoneme

CLOSED_GAP = 0.03
"""Lips count as closed below this gap, over the distance of the outer eye corners."""
_AJAR_GAP = 0.05
"""Below it they are neither closed nor open."""
_REST_FRAMES, _REST_COUNTS = 9, 0.1
"""Lips that stay closed so long, or where a clip begins or ends, rest: that is no sound's doing."""
_CORE = (0.3, 0.6)
"""Lips are surely closed in this part of p, b and m: they still meet before it, and the burst opens them after it."""
_EDGE_S = 0.06
"""So long around such a sound nobody knows whether they are."""


def label_gaps(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell in which frames of a clip real lips are closed.

    Args:
        gaps: as `lip_gap` gives them, (T,).
    Returns:
        Whether they are, (T,) bool, and how far each frame counts, (T,) in [0, 1].
    """
    shut = gaps < CLOSED_GAP
    counts = np.where(shut | (gaps >= _AJAR_GAP), 1.0, 0.0)
    for start, stop in find_runs(shut):
        if stop - start >= _REST_FRAMES or start == 0 or stop == len(gaps):
            counts[start:stop] = _REST_COUNTS
    return shut, counts


def label_sounds(phonemes: list[Phoneme], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Tell at which of so many rows of speech features, 50 a second, the lips of known sounds are closed.

    Returns:
        As `label_gaps`, (rows,) each.
    """
    times_s, shut, counts = np.arange(rows) / SPEECH_RATE, np.zeros(rows, bool), np.ones(rows)
    for sound in (one for one in phonemes if one.is_closure):
        near = (times_s >= sound.start_s - _EDGE_S) & (times_s < sound.stop_s + _EDGE_S)
        counts[near & ~shut] = 0
    for sound in (one for one in phonemes if one.is_closure):
        first_s, last_s = (sound.start_s + share * (sound.stop_s - sound.start_s) for share in _CORE)
        core = (times_s >= first_s - 0.5 / SPEECH_RATE) & (times_s < last_s + 0.5 / SPEECH_RATE)
        shut[core], counts[core] = True, 1
    return shut, counts
