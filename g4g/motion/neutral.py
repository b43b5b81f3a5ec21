"""The neutral face of a person: closed lips at rest, as it looks in each head pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.faces.canonical import lip_gap
from g4g.motion.shape import ShapeSpace

_CLOSED_SHARE, _CLOSED_GAP, _FEWEST = 0.1, 0.012, 3
"""Lips count as closed in the tenth of the frames with the smallest gap, and wherever the gap is below this."""
_TRUST_DEG = 6.0
"""The pose changes the neutral face as far as frames in so many degrees of other poses bear it out."""


@dataclass(frozen=True)
class NeutralFace:
    """Canonical face with closed lips, (468, 3), and how it changes per degree of (pitch, yaw, roll), (3, 468, 3)."""

    face: np.ndarray
    per_degree: np.ndarray
    degrees: np.ndarray
    """Of the head as it is mostly held, (3,)."""

    def at(self, degrees: np.ndarray) -> np.ndarray:
        """Return the neutral face in poses (T, 3): (T, 468, 3)."""
        return self.face + np.tensordot(degrees - self.degrees, self.per_degree, 1)


def fit_neutral(faces: np.ndarray, degrees: np.ndarray, space: ShapeSpace | None = None) -> NeutralFace:
    """Find a person's neutral face.

    Args:
        faces: canonical faces of one person, (T, 468, 3).
        degrees: pitch, yaw and roll of each, (T, 3); the pose, not brows or cheeks, which know what was said.
        space: closes lips that never meet; None leaves the most closed as they are.
    Source:
        Our choice; ridge regression of closed frames on the pose.
    """
    gaps = lip_gap(faces)
    few = np.sort(gaps)[max(int(_CLOSED_SHARE * len(gaps)), min(_FEWEST, len(gaps))) - 1]
    closed = gaps <= max(few, _CLOSED_GAP)
    shown, turned = faces[closed].astype(np.float64), degrees[closed]
    if space is not None:
        shown = shown + space.decode(space.close_lips(shown))
    usual = np.median(degrees, axis=0)
    face = shown.mean(0)
    off = turned - turned.mean(0)
    gram = off.T @ off + len(off) * _TRUST_DEG**2 / 4 * np.eye(3)
    per_degree = np.linalg.solve(gram, np.tensordot(off.T, shown - face, 1).reshape(3, -1)).reshape(3, *face.shape)
    face = face + np.tensordot(usual - turned.mean(0), per_degree, 1)
    return NeutralFace(face.astype(np.float32), per_degree.astype(np.float32), usual)
