"""Which frames of a person serve as references."""

from __future__ import annotations

import numpy as np

from g4g.faces.landmarks import mouth_shape

MOUTH_SHAPES = 4
"""Closed, open, in between, round."""


def choose_references(crop_landmarks: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Choose four frames of different mouth shapes: most closed, most open, median, most rounded.

    Args:
        crop_landmarks: shape (T, 68, 2), px; T >= 1.
        rng: draws among the outermost fifth instead of taking the extreme, for variety in training.
    Returns:
        Frame numbers, shape (4,); they repeat when there are fewer frames (a still picture has one).
    Source:
        Our choice.
    """
    opening, width = mouth_shape(crop_landmarks).T
    middle = -np.abs(opening - np.median(opening))
    rounded = opening / (opening.std() + 1e-6) - 1.5 * width / (width.std() + 1e-6)
    scores = (-opening, opening, middle, rounded)
    if rng is None:
        return np.array([int(np.argmax(score)) for score in scores])
    reach = max(len(opening) // 5, 1)
    return np.array([int(np.argsort(score)[-1 - rng.integers(reach)]) for score in scores])
