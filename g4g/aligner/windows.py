"""What the aligner's encoders see: windows of sound, of lip geometry and of lip pictures around moments in time."""

from __future__ import annotations

import numpy as np

from g4g.config import SCORE_FPS, AudioConfig
from g4g.faces import find_face, place_head
from g4g.faces.canonical import LIPS, OUTER_LIPS

SPEECH_HZ = 50
"""Rows of speech features per second."""
SPEECH_ROWS = 15
"""Rows that the sound encoder sees: 0.28 s."""
GEOMETRY_FRAMES = 9
"""Frames of 1/25 s whose lips the geometry encoder sees: 0.32 s."""

_CORNERS = (0, len(OUTER_LIPS) // 2)
"""Rows of LIPS that hold the mouth's corners."""


def lip_geometry(canonical: np.ndarray) -> np.ndarray:
    """Take the person out of lips whose pose is taken out already.

    Args:
        canonical: one person's canonical points as `fit_pose` gives them, (T, 468, 3).
    Returns:
        How far the 40 points of LIPS are off their median, x and y, in widths of the mouth, (T, 40, 2), float32.
    Source:
        Our choice.
    """
    return _take_person_out(canonical[:, LIPS, :2])


def measure_lips(mesh: np.ndarray) -> np.ndarray:
    """Take pose and person out of the lips of one person's meshes (T, 478, 3) px: as `lip_geometry`, (T, 40, 2)."""
    pose = place_head(mesh, find_face(mesh))
    return _take_person_out(pose.lift(mesh[:, LIPS]).astype(np.float32)[..., :2])


def _take_person_out(lips: np.ndarray) -> np.ndarray:
    """Count lips (T, 40, 2) from their median, in widths of the mouth."""
    median = np.median(lips, axis=0)
    width = np.linalg.norm(median[_CORNERS[0]] - median[_CORNERS[1]])
    return ((lips - median) / max(width, 1e-3)).astype(np.float32)


def geometry_windows(lips: np.ndarray, times_s: np.ndarray, moments_s: np.ndarray) -> np.ndarray:
    """Cut windows of lip geometry, at 25 frames/s whatever the video has.

    Args:
        lips: as `lip_geometry` gives them, (T, 40, 2).
        times_s: of the frames, rising, (T,).
        moments_s: middles of the windows, (B,).
    Returns:
        (B, GEOMETRY_FRAMES, 40, 2); between frames the points are interpolated, beyond the ends they repeat.
    """
    return _interpolate(lips, times_s, _around(moments_s, GEOMETRY_FRAMES // 2, SCORE_FPS))


def speech_windows(speech: np.ndarray, moments_s: np.ndarray) -> np.ndarray:
    """Cut windows of speech features.

    Args:
        speech: row i belongs to second i / SPEECH_HZ, (S, D).
        moments_s: middles of the windows, (B,).
    Returns:
        (B, SPEECH_ROWS, D), float32; between rows they are interpolated, beyond the ends they repeat.
    """
    times_s = np.arange(len(speech)) / SPEECH_HZ
    return _interpolate(speech, times_s, _around(moments_s, SPEECH_ROWS // 2, SPEECH_HZ))


def picture_frames(times_s: np.ndarray, moments_s: np.ndarray) -> np.ndarray:
    """List the frames nearest to the five of each lip picture window around moments: (B, AudioConfig.window_frames)."""
    wanted = _around(moments_s, AudioConfig().window_frames // 2, SCORE_FPS)
    return np.searchsorted((times_s[1:] + times_s[:-1]) / 2, wanted)


def _around(moments_s: np.ndarray, half: int, rate_hz: float) -> np.ndarray:
    """Times (B, 2 * half + 1) around moments (B,), `half` steps to each side."""
    return np.asarray(moments_s)[:, None] + np.arange(-half, half + 1) / rate_hz


def _interpolate(rows: np.ndarray, times_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """Interpolate rows (T, ...) at times_s (T,) at wanted_s (B, W): (B, W, ...), float32."""
    place = np.interp(wanted_s, times_s, np.arange(len(times_s)))
    low = np.minimum(place.astype(int), max(len(rows) - 2, 0))
    high = np.minimum(low + 1, len(rows) - 1)
    share = (place - low).astype(np.float32).reshape(*place.shape, *[1] * (rows.ndim - 1))
    return rows[low].astype(np.float32) * (1 - share) + rows[high].astype(np.float32) * share
