"""Which faces are turned too far aside to be dubbed."""

from __future__ import annotations

import numpy as np

from g4g.faces.follow import FaceTracks
from g4g.faces.landmarks import head_yaw

MOST_TURN_DEG, MOST_YAW_DEG = 30.0, 50.0
"""A face passes through where it is turned aside by more, from how it is mostly held, or altogether (our choice, by
eye: references that show a mouth from one side do not make one that is seen from the other)."""
_TURN_BACK_DEG = 4.0
"""It is dubbed again when it has come back by so much, so that it does not flicker."""


def find_turned(tracks: FaceTracks) -> np.ndarray:
    """Tell in which rows a face is turned too far aside to be dubbed, (M,), bool."""
    turned = np.zeros(len(tracks.faces), bool)
    for face in np.unique(tracks.faces):
        rows = np.flatnonzero(tracks.faces == face)
        yaw = head_yaw(tracks.landmarks[rows])
        beyond = np.maximum(np.abs(yaw - np.median(yaw)) - MOST_TURN_DEG, np.abs(yaw) - MOST_YAW_DEG)
        away = False
        for row, degrees in zip(rows.tolist(), beyond.tolist(), strict=True):
            away = degrees > (-_TURN_BACK_DEG if away else 0)
            turned[row] = away
    return turned
