"""How the mouth of a video moves: the one place that turns face points into the gap, the width and the lower lip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.errors import FaceError, ShapeError
from g4g.faces import make_backend, track_faces
from g4g.faces.landmarks import MESH_TO_68
from g4g.media import read_frames

_MESH_POINTS = (468, 478)
_OUTER_EYES = (36, 45)
_NOSE_BASE, _LOWER_LIP = 33, 66
_INNER_UPPER, _INNER_LOWER = [61, 62, 63], [67, 66, 65]
_MOUTH_CORNERS = (48, 54)


@dataclass(frozen=True)
class MouthTrace:
    """The mouth in each frame, lengths over the distance of the outer eye corners; NaN where no face was found.

    Attributes:
        times_s: (T,), of the frames.
        gap: (T,), between the inner lips; 0 where they meet.
        width: (T,), between the mouth's corners.
        lower_lip: (T,), from the base of the nose down to the inner edge of the lower lip. The upper teeth stand still
            against the nose, so this tells how far the lower lip is from them.
    """

    times_s: np.ndarray
    gap: np.ndarray
    width: np.ndarray
    lower_lip: np.ndarray


def measure_mouth(landmarks: np.ndarray, times_s: np.ndarray) -> MouthTrace:
    """Measure the mouth of a face in each frame.

    Args:
        landmarks: (T, 68, 2) px, or MediaPipe's whole mesh (T, 468 or 478, 2 or 3); NaN where
            no face was found.
        times_s: (T,).
    Returns:
        Gap, width and lower lip over the outer eye corners' distance. Closed lips read 0.003 to 0.006 with the mesh of
        478 points, but up to 0.04 with that of 468, which is too vague to tell whether lips meet.
    Raises:
        ShapeError: not so many points, or another number of times.
    Source:
        Our choice.
    """
    if landmarks.ndim == 3 and landmarks.shape[1] in _MESH_POINTS:
        landmarks = landmarks[:, MESH_TO_68, :2]
    if landmarks.shape != (len(times_s), 68, 2):
        raise ShapeError(f"expected landmarks ({len(times_s)}, 68, 2), one row per time, got {landmarks.shape}")
    points = np.asarray(landmarks, np.float64)
    across = points[:, _OUTER_EYES[1]] - points[:, _OUTER_EYES[0]]
    eyes = np.linalg.norm(across, axis=-1)
    down = np.stack([-across[:, 1], across[:, 0]], -1) / eyes[:, None]
    gaps = np.linalg.norm(points[:, _INNER_UPPER] - points[:, _INNER_LOWER], axis=-1).mean(-1)
    widths = np.linalg.norm(points[:, _MOUTH_CORNERS[0]] - points[:, _MOUTH_CORNERS[1]], axis=-1)
    lower = ((points[:, _LOWER_LIP] - points[:, _NOSE_BASE]) * down).sum(-1)
    return MouthTrace(np.asarray(times_s, np.float64), gaps / eyes, widths / eyes, lower / eyes)


def trace_mouth(video: str | Path, faces: str = "mediapipe") -> MouthTrace:
    """Follow the largest face of a video and measure its mouth in each frame.

    Args:
        video: a video file.
        faces: face backend by name.
    Returns:
        One value per frame of the file.
    Raises:
        MediaError: the file cannot be read. FaceError: it shows no face.
    Source:
        Our choice.
    """
    track = track_faces(read_frames(video), make_backend(faces))
    if not track.found.any():
        raise FaceError(f"no face in any of the {len(track)} frames of {video}; there is no mouth to measure")
    return measure_mouth(np.where(track.found[:, None, None], track.landmarks, np.nan), track.times_s)
