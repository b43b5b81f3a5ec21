"""The mesh's fixed layout: which points form triangles, lips, the outline, and where they lie on an average face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from safetensors.numpy import load_file

from g4g.checkpoints import find_weights

FACE_POINTS = 468
"""Points of the mesh without the irises."""
OUTER_EYES = (33, 263)
"""Outer corners of the eyes; their distance is the unit of canonical coordinates."""
UPPER_INNER_LIP = (80, 81, 82, 13, 312, 311, 310)
LOWER_INNER_LIP = (88, 178, 87, 14, 317, 402, 318)
"""Facing pairs, from the picture's left to right."""
INNER_LIPS = (78, 191, *UPPER_INNER_LIP, 415, 308, 324, *LOWER_INNER_LIP[::-1], 95)
"""Around the opening of the mouth, in order."""
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LIPS = (*OUTER_LIPS, *INNER_LIPS)
"""The 40 points of the lips."""
JAW_LINE = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)
OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Around the face, in order."""
STABLE_POINTS = (33, 133, 362, 263, 168, 6, 197, 195, 5, 127, 356, 162, 389, 21, 251, 143, 372, 117, 346)
"""What neither speech nor brows move: corners of the eyes, ridge of the nose, temples, cheekbones."""
MOUTH_CORNERS = (61, 291)

_MOVES_FROM, _MOVES_BELOW = 0.5, 0.62
"""Between these heights below the eyes, from the wings of the nose to the upper lip, speech begins to move the face."""


@dataclass(frozen=True)
class Canonical:
    """The average face: `points` (468, 3), x to the picture's right, y down, z away from the camera, the middle between
    the outer corners of the eyes at 0 and their distance 1; `triangles` (898, 3) of point numbers; `moves` (468,) says
    how much speech may move each point, 0 for the upper face, 1 from the upper lip down."""

    points: np.ndarray
    triangles: np.ndarray
    moves: np.ndarray


@lru_cache
def load_canonical() -> Canonical:
    """Load the average face. Source: MediaPipe's face geometry (Apache-2.0); `moves` is our choice."""
    stored = load_file(find_weights("face-geometry"))
    ramp = np.clip((stored["points"][:, 1] - _MOVES_FROM) / (_MOVES_BELOW - _MOVES_FROM), 0, 1)
    return Canonical(stored["points"], stored["triangles"], (ramp * ramp * (3 - 2 * ramp)).astype(np.float32))


def lip_gap(points: np.ndarray) -> np.ndarray:
    """Measure the opening between the inner lips.

    Args:
        points: meshes (..., N, 2 or 3) of the same points' order as the mesh.
    Returns:
        Mean distance of three facing pairs over the distance of the outer eye corners, (...).
    """
    upper, lower = points[..., UPPER_INNER_LIP[2:5], :2], points[..., LOWER_INNER_LIP[2:5], :2]
    left, right = (points[..., corner, :2] for corner in OUTER_EYES)
    return np.linalg.norm(upper - lower, axis=-1).mean(-1) / np.linalg.norm(left - right, axis=-1)
