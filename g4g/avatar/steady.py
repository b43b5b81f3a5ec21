"""Head poses smoothed over time, so that a still head does not tremble with the noise of its points."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from g4g.faces import HeadPose
from g4g.faces.canonical import JAW_LINE

_SMOOTHING_S = 0.08
_MOST_LAG = 0.015
"""So far, in distances of the outer eye corners, smoothing may move the jaw: a quick nod is no noise."""


def steady_pose(pose: HeadPose, face: np.ndarray, runs: list[tuple[int, int]], fps: float) -> HeadPose:
    """Smooth poses within runs of neighbouring frames.

    Args:
        pose: of one head, T frames.
        face: the person's canonical face, (468, 3).
        runs: (start, stop) of rows that follow each other in one scene.
        fps: frames per second.
    Returns:
        Poses that lie at most _MOST_LAG off, measured at the jaw.
    Source:
        Our choice; a Gaussian over time.
    """
    scale, rotation, shift = (part.copy() for part in (pose.scale, pose.rotation, pose.shift))
    for start, stop in runs:
        rows = slice(start, stop)
        mean = _turn_back(*(_blur(part[rows], fps) for part in (scale, rotation, shift)))
        jaw = face[None, list(JAW_LINE)]
        lag = np.linalg.norm(mean.project(jaw) - pose[rows].project(jaw), axis=-1).mean(1)
        share = np.minimum(1, _MOST_LAG * pose.scale[rows] / np.maximum(lag, 1e-9))
        mixed = _turn_back(
            scale[rows] + share * (mean.scale - scale[rows]),
            rotation[rows] + share[:, None, None] * (mean.rotation - rotation[rows]),
            shift[rows] + share[:, None] * (mean.shift - shift[rows]),
        )
        scale[rows], rotation[rows], shift[rows] = mixed.scale, mixed.rotation, mixed.shift
    return HeadPose(scale, rotation, shift)


def _blur(values: np.ndarray, fps: float) -> np.ndarray:
    return gaussian_filter1d(values, _SMOOTHING_S * fps, axis=0, mode="nearest", truncate=3.0)


def _turn_back(scale: np.ndarray, matrices: np.ndarray, shift: np.ndarray) -> HeadPose:
    """Make a pose of means: the nearest rotations to `matrices` (T, 3, 3)."""
    u, _, vt = np.linalg.svd(matrices)
    return HeadPose(scale, u @ vt, shift)
