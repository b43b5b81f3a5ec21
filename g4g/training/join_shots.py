"""One clip's shots of a person as one: a frame may then be made of pictures from any of them, as in a dub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from g4g.audio import SPEECH_RATE
from g4g.training.data import Shot


class JoinedCrops:
    """Crops of several shots, one after the other; they stay where they lie until one is looked at."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts, self._ends = parts, np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, frame: int) -> np.ndarray:
        part = int(np.searchsorted(self._ends, frame, "right"))
        return self._parts[part][frame - self._ends[part]]


def join_shots(shots: list[Shot]) -> Shot:
    """Join shots of one person, with crops of one size and speech features.

    Shots whose features are the very same array keep their clock; others are told one after the other, so that a frame
    hears its own sound.
    """
    rows = [len(shot.speech) for shot in shots]
    starts_s, speech = np.concatenate([[0], np.cumsum(rows)[:-1]]) / SPEECH_RATE, [shot.speech for shot in shots]
    if all(one is speech[0] for one in speech):
        starts_s, speech = np.zeros(len(shots)), speech[:1]
    times_s = [shot.times_s + start_s for shot, start_s in zip(shots, starts_s, strict=True)]
    return replace(
        shots[0], crops=JoinedCrops([shot.crops for shot in shots]), mesh=np.concatenate([s.mesh for s in shots]),
        times_s=np.concatenate(times_s), speech=np.concatenate(speech),
    )  # fmt: skip
