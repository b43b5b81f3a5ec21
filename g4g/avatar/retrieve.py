"""Which pictures of a mouth library each frame of a dub is made from, chosen along time so that they do not flicker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.avatar.library import MouthLibrary
from g4g.faces.canonical import JAW_LINE, LIPS, LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.motion import ShapeSpace

REFERENCES = 3
"""Pictures per frame; the first resembles it most."""
UNIT = 0.01
"""Costs count distances of the lips' points of this size, in distances of the outer eye corners, as 1."""
_PER_DEGREE = 0.001
"""A head turned by one degree more counts as lips that are so far off."""
_PER_LIGHT = 0.05
"""Light that is e times as bright counts as lips that are so far off."""
_JAW_SHARE = 0.5
"""Points of the jaw count so much of the lips'."""
_HIDDEN = 1.0
"""Where lips are to be further apart than in a picture, it does not show what is between them: so much of the missing
gap is added to the cost. Lips that are too far apart hide it by themselves."""

SWITCH = 1.5
"""What it costs to go on with a picture that is no neighbour, in UNIT."""
STEPS = {1: 0.0, 0: 0.1, 2: 0.15, -1: 0.3, -2: 0.4}
"""What it costs to go so many frames of the video further on: its own successor is free."""
KIN = 0.0
"""What it costs to go on between pictures that were drawn of one, and this one: they are alike by themselves."""
NEAR_S = 0.1
"""Second and third pictures are not so near to an earlier one."""
_STRETCH, _AHEAD = 1000, 100
"""So many frames of a dub are decided at a time, looking so many ahead: memory does not grow with its length."""
EXCLUDED = 1e4
"""The cost of a picture that should not be taken; small libraries have no other."""


@dataclass(frozen=True)
class Wanted:
    """What each frame of a dub asks for: `shapes` (T, C), `degrees` (T, 3), `light` (T, 3).

    `times_s` (T,) of the frame of the video that is shown; `starts` (T,): the frame before it shows something else.
    """

    shapes: np.ndarray
    degrees: np.ndarray
    light: np.ndarray
    times_s: np.ndarray
    starts: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Wanted:
        """Keep some frames."""
        return Wanted(**{name: array[rows] for name, array in vars(self).items()})


def find_references(
    library: MouthLibrary, wanted: Wanted, space: ShapeSpace, apart_s: float = 0.0, count: int = REFERENCES
) -> np.ndarray:
    """Choose the pictures from which each frame is made.

    Args:
        library: at least one entry.
        wanted: T frames of one person, in order.
        space: what shapes mean.
        apart_s: entries nearer than this to the frame that is shown are not taken, where others are left.
        count: pictures per frame, K.
    Returns:
        Numbers of entries, (T, K), the best path first; where the library is small, they repeat.
    Source:
        Viterbi 1967, as unit selection in speech synthesis does (Hunt & Black 1996); the costs are our choice.
    """
    neighbours, total = list_neighbours(library), len(wanted.times_s)
    chosen = np.empty((total, count), np.int64)
    for first in range(0, total, _STRETCH):
        part = wanted.take(slice(first, first + _STRETCH + _AHEAD))
        costs = cost_entries(library, part, space)
        if apart_s > 0:
            costs[np.abs(part.times_s[:, None] - library.times_s) < apart_s] += EXCLUDED
        for k in range(count):
            before = int(chosen[first - 1, k]) if first else None
            path = follow_cheapest(costs, neighbours, part.starts, before)
            costs[np.abs(library.times_s[path][:, None] - library.times_s) < NEAR_S] += EXCLUDED
            chosen[first : first + _STRETCH, k] = path[:_STRETCH]
    return chosen


def describe_entries(shapes: np.ndarray, degrees: np.ndarray, light: np.ndarray, space: ShapeSpace) -> np.ndarray:
    """Place mouths where their distance says how unlike they look, in UNIT: shape (N, F).

    Args:
        shapes, degrees, light: of N mouths, as in MouthLibrary.
        space: what shapes mean; distances are taken at the lips and the jaw.
    """
    points, shares = [*LIPS, *JAW_LINE], [1.0] * len(LIPS) + [_JAW_SHARE] * len(JAW_LINE)
    moved = space.components[:, points].astype(np.float64) * np.sqrt(np.array(shares) / sum(shares))[:, None]
    moved = moved.reshape(space.size, -1)
    values, vectors = np.linalg.eigh(moved @ moved.T)
    metric = vectors * np.sqrt(np.maximum(values, 0))
    return np.concatenate([shapes @ metric, degrees * _PER_DEGREE, light * _PER_LIGHT], axis=1) / UNIT


def cost_entries(library: MouthLibrary, wanted: Wanted, space: ShapeSpace) -> np.ndarray:
    """Say how badly each entry serves each frame, in UNIT: shape (T, N)."""
    given = describe_entries(library.shapes, library.degrees, library.light, space)
    asked = describe_entries(wanted.shapes, wanted.degrees, wanted.light, space)
    squared = (asked**2).sum(1)[:, None] + (given**2).sum(1) - 2 * asked @ given.T
    missing = _open_lips(wanted.shapes, space)[:, None] - _open_lips(library.shapes, space)
    return np.sqrt(np.maximum(squared, 0)) + np.maximum(missing, 0) * _HIDDEN / UNIT


def _open_lips(shapes: np.ndarray, space: ShapeSpace) -> np.ndarray:
    """Measure how far the inner lips of shapes (N, C) are apart, over closed ones: (N,), canonical units."""
    upper, lower = (list(lip[2:5]) for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
    opens = (space.components[:, lower, 1] - space.components[:, upper, 1]).mean(1)
    return np.maximum(shapes @ opens, 0)


def list_neighbours(library: MouthLibrary) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """List cheap steps between entries: cost, entries that are reached, and those from which they are."""
    frames, steps = library.frames, []
    kin = np.flatnonzero(np.isin(library.times_s, library.times_s[frames < 0]))
    for turn in range(len(kin)):  # each entry is reached once in a step
        other = np.roll(kin, turn)
        alike = library.times_s[kin] == library.times_s[other]
        steps.append((KIN, kin[alike], other[alike]))
    for step, cost in STEPS.items():
        before = np.searchsorted(frames, frames - step)
        reached = np.flatnonzero(frames[np.minimum(before, len(frames) - 1)] == frames - step)
        steps.append((cost, reached, before[reached]))
    return steps


def follow_cheapest(
    costs: np.ndarray, neighbours: list[tuple[float, np.ndarray, np.ndarray]], starts: np.ndarray,
    before: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Find the path through entries that costs least.

    Args:
        costs: of each entry in each frame, (T, N).
        neighbours: cheap steps, as `list_neighbours` gives them; any other step costs SWITCH.
        starts: (T,), bool; there every step is free.
        before: the entry that the frame before the first one took; None: there is none.
    Returns:
        Numbers of entries, (T,).
    """
    came_from = np.zeros(costs.shape, np.int32)
    best = np.zeros(costs.shape[1])
    if before is not None:
        best += EXCLUDED
        best[before] = 0
    for t, cost in enumerate(costs):
        cheapest, is_free = int(best.argmin()), starts[t] or (t == 0 and before is None)
        came_from[t] = cheapest
        total = np.full(len(best), best[cheapest] + (0.0 if is_free else SWITCH))
        for step, reached, source in () if is_free else neighbours:
            value = best[source] + step
            better = value < total[reached]
            total[reached[better]] = value[better]
            came_from[t, reached[better]] = source[better]
        best = total + cost
    path = np.empty(len(costs), np.int64)
    path[-1] = best.argmin()
    for t in range(len(costs) - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path
