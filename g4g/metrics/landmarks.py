"""Figures from landmarks: how far the mouth is open, how far two mouths differ, how much points tremble."""

from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks

from g4g.errors import ShapeError
from g4g.faces.landmarks import JAW, MOUTH, eye_distance, mouth_shape

OPEN_GAP = 0.06
"""A mouth counts as open from this gap of the inner lips over the distance of the eyes' centres (our choice)."""
CLOSED_GAP = 0.03
"""Below this gap lips touch or nearly so: at rest they read as 0.01 to 0.02, at a quick b as 0.025 (measured)."""
_CLOSURE_RISE = 0.015
"""A closure is one only if the mouth opens by so much on both sides; less is the landmarks' noise."""
_CLOSURE_FRAMES = 2
"""A mouth that closes so near to the real closure closes with it."""


def mouth_opening(landmarks: np.ndarray) -> np.ndarray:
    """Measure the gap of the inner lips over the distance of the eyes' centres.

    Args:
        landmarks: shape (..., 68, 2), px.
    Returns:
        Shape (...); 0 for closed lips.
    Raises:
        ShapeError: not 68 points.
    Source:
        Our choice.
    """
    return mouth_shape(_check_points(landmarks))[..., 0]


def mouth_distance(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Measure the mean distance of the mouth's landmarks over the real face's inter-ocular distance (LMD).

    Args:
        made, real: shape (..., 68, 2), px of the same picture.
    Returns:
        Shape (...).
    Raises:
        ShapeError: not 68 points each, or different shapes.
    Source:
        LMD of Chen et al. 2018, divided by the inter-ocular distance so that it does not depend on size.
    """
    if made.shape != real.shape:
        raise ShapeError(f"expected landmarks of one shape, got {made.shape} and {real.shape}; compare frame by frame")
    apart = np.linalg.norm(_check_points(made)[..., MOUTH, :] - real[..., MOUTH, :], axis=-1).mean(-1)
    return apart / eye_distance(real)


def articulation(made: np.ndarray, real: np.ndarray) -> float:
    """Compare how far a mouth opens and closes with the real one.

    Args:
        made, real: landmarks of whole clips, shape (T, 68, 2) each, px; the lengths may differ.
    Returns:
        Range of the opening (5th to 95th percentile) over the real range: 1 = as lively, 0 = frozen.
    Raises:
        ShapeError: not 68 points.
    Source:
        Our choice.
    """
    ranges = [np.ptp(np.percentile(mouth_opening(points), [5, 95])) for points in (made, real)]
    return float(ranges[0] / ranges[1]) if ranges[1] else float("nan")


def opening_correlation(made: np.ndarray, real: np.ndarray) -> float:
    """Correlate the mouth's opening with the real clip's, frame by frame.

    Args:
        made, real: landmarks of the same frames, shape (T, 68, 2), px.
    Returns:
        Pearson's coefficient; 0 for a mouth that never moves.
    Raises:
        ShapeError: not 68 points each, or different shapes.
    Source:
        Our choice.
    """
    ours, theirs = (opening - opening.mean() for opening in _open_both(made, real))
    size = np.sqrt((ours**2).sum() * (theirs**2).sum())
    return float((ours * theirs).sum() / size) if size else 0.0


def open_share(landmarks: np.ndarray) -> float:
    """Count how often a mouth is open.

    Args:
        landmarks: shape (T, 68, 2), px.
    Returns:
        Share of frames whose inner lips stand further apart than OPEN_GAP of the eyes' distance; a mouth that rests in
        silence has 0.
    Raises:
        ShapeError: not 68 points.
    Source:
        Our choice.
    """
    return float((mouth_opening(landmarks) > OPEN_GAP).mean())


def closure_share(made: np.ndarray, real: np.ndarray) -> float:
    """Count at how many of the real mouth's closures, as for b, m and p, the made one closes too.

    A closure is a smallest gap below CLOSED_GAP between two rises of the opening; the rest before and after speech is
    none.

    Args:
        made, real: landmarks of the same neighbouring frames, shape (T, 68, 2), px.
    Returns:
        Share of the closures at which the made lips touch within 2 frames; NaN where the real mouth has none. A mouth
        that never opens has 1: read it beside `articulation`.
    Raises:
        ShapeError: not 68 points each, or different shapes.
    Source:
        Our choice.
    """
    ours, theirs = _open_both(made, real)
    lowest, _ = find_peaks(-theirs, height=-CLOSED_GAP, prominence=_CLOSURE_RISE)
    near = [ours[max(frame - _CLOSURE_FRAMES, 0) : frame + _CLOSURE_FRAMES + 1] for frame in lowest]
    return float(np.mean([gaps.min() < CLOSED_GAP for gaps in near])) if near else float("nan")


def jitter(landmarks: np.ndarray) -> float:
    """Measure how much jaw and mouth tremble: mean size of their acceleration over the inter-ocular distance.

    Args:
        landmarks: shape (T, 68, 2), px, px of the crop, where the head is still; T >= 3 neighbouring frames.
    Returns:
        Per frame squared; 0 for points that stand still or move evenly.
    Raises:
        ShapeError: not 68 points, or fewer than 3 frames.
    Source:
        Our choice.
    """
    if _check_points(landmarks).ndim != 3 or len(landmarks) < 3:
        raise ShapeError(f"expected landmarks (T, 68, 2) with T >= 3, got {landmarks.shape}; give a whole clip")
    lower = np.concatenate([landmarks[:, JAW], landmarks[:, MOUTH]], axis=1)
    acceleration = np.linalg.norm(np.diff(lower, n=2, axis=0), axis=-1).mean(-1)
    return float((acceleration / eye_distance(landmarks[1:-1])).mean())


def _check_points(landmarks: np.ndarray) -> np.ndarray:
    if landmarks.shape[-2:] != (68, 2):
        raise ShapeError(f"expected landmarks (..., 68, 2), got {landmarks.shape}; give all points of the face")
    return landmarks


def _open_both(made: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if made.shape != real.shape:
        raise ShapeError(f"expected landmarks of one shape, got {made.shape} and {real.shape}; compare frame by frame")
    return mouth_opening(made), mouth_opening(real)
