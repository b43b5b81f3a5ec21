"""How well each face's lips fit a video's own sound: told by the aligner, where several faces share a scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from g4g.aligner import Aligner, compare_shifts, embed_lips_at, embed_sound_around, find_offset, measure_lips
from g4g.aligner.offset import score_moments
from g4g.dubbing.people import Appearance
from g4g.faces import FaceTracks

_MOST_FRAMES = 1500
"""Of a face in a scene at most this much is compared: a minute at 25 frames/s."""
_FEWEST_WINDOWS = 10
"""Fewer do not tell speech from chance."""
_NEAR_FRAMES = 5
"""The sound of a speaker is off by at most this, in frames of 1/25 s."""


def needs_sound(appearances: list[Appearance]) -> bool:
    """Tell whether any scene has several faces."""
    return max(Counter(a.scene for a in appearances).values(), default=0) > 1


def measure_fit(
    tracks: FaceTracks, appearances: list[Appearance], speech: np.ndarray, aligner: Aligner
) -> list[Appearance]:
    """Measure how well lips fit the old sound, for each face that is not alone in its scene.

    Args:
        tracks: all faces.
        appearances: as `list_appearances` gives them.
        speech: features of the video's own sound, on its clock, (S, D).
        aligner: in evaluation mode.
    Returns:
        The appearances, with `fit`: the peak of the best shift within 0.2 s, in deviations (`Offset.peak`).
    Source:
        Our choice; SyncNet (Chung & Zisserman 2016) finds the active speaker in the same way.
    """
    crowd = Counter(a.scene for a in appearances)
    return [
        replace(a, fit=_measure_one(tracks, a, speech, aligner)) if crowd[a.scene] > 1 and len(speech) else a
        for a in appearances
    ]


def _measure_one(tracks: FaceTracks, appearance: Appearance, speech: np.ndarray, aligner: Aligner) -> float:
    rows = appearance.rows[:_MOST_FRAMES]
    frames = tracks.frames[rows]
    lips, times_s = measure_lips(tracks.mesh[rows]), tracks.times_s[frames]
    curves, counts = [], []
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(frames) > 1) + 1):
        moments = score_moments(times_s[run])
        if len(moments) >= _FEWEST_WINDOWS:
            eye = embed_lips_at(aligner, lips[run], times_s[run], moments)
            curve = compare_shifts(eye, *embed_sound_around(aligner, speech, moments))
            if not np.isnan(curve).any():
                curves.append(curve)
                counts.append(len(moments))
    if not curves:
        return 0.0
    return find_offset(np.average(curves, axis=0, weights=counts), sum(counts), _NEAR_FRAMES).peak
