"""Which pictures each frame of a live stream is made from, chosen frame by frame: what comes later is not known."""

from __future__ import annotations

import numpy as np

from g4g.avatar.library import MouthLibrary
from g4g.avatar.retrieve import EXCLUDED, NEAR_S, REFERENCES, SWITCH, Wanted, cost_entries, list_neighbours
from g4g.motion import ShapeSpace


class ReferenceBeam:
    """Follows one path per picture through a mouth library: the cheapest next step from where it stands.

    Costs are those of `find_references`, which knows the whole way.
    """

    def __init__(self, library: MouthLibrary, space: ShapeSpace, count: int = REFERENCES) -> None:
        self._library, self._space, self._count = library, space, count
        self._neighbours = list_neighbours(library)

    def choose(self, wanted: Wanted, before: np.ndarray | None) -> np.ndarray:
        """Choose the pictures of the next frame.

        Args:
            wanted: one frame.
            before: entries of the frame before it, (K,); None: there is none.
        Returns:
            Numbers of entries, (K,), the best first; where the library is small, they repeat.
        """
        times_s, chosen = self._library.times_s, np.empty(self._count, np.int64)
        costs = cost_entries(self._library, wanted, self._space)[0]
        for k in range(self._count):
            way = 0.0 if before is None or wanted.starts[0] else self._cost_steps(int(before[k]))
            chosen[k] = np.argmin(costs + way)
            costs[np.abs(times_s[chosen[k]] - times_s) < NEAR_S] += EXCLUDED
        return chosen

    def _cost_steps(self, entry: int) -> np.ndarray:
        """Say what it costs to go on from an entry to each, (N,)."""
        costs = np.full(len(self._library), SWITCH)
        for cost, reached, source in self._neighbours:
            of_entry = reached[source == entry]
            costs[of_entry] = np.minimum(costs[of_entry], cost)
        return costs
