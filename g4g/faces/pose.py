"""Head pose: how the rigid head lies in the picture, and a face's points with that pose taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from g4g.faces.canonical import FACE_POINTS, OUTER_EYES, STABLE_POINTS, load_canonical

_ROUNDS = 2
"""The person's own face replaces the average one so many times."""
_MOST_FRAMES = 1500
"""More do not change the median face (our choice)."""
_BLOCK = 52
"""Points whose median is taken at a time: doubles of all points of all these frames would take 70 MB."""


@dataclass(frozen=True)
class HeadPose:
    """Weak perspective of T frames: picture = scale * rotation @ point + shift.

    `scale` (T,) px per canonical unit; `rotation` (T, 3, 3); `shift` (T, 3) px.
    """

    scale: np.ndarray
    rotation: np.ndarray
    shift: np.ndarray

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, rows) -> HeadPose:
        """Take some frames; `rows` as for an array, a single number gives one frame."""
        rows = [rows] if np.isscalar(rows) else rows
        return HeadPose(self.scale[rows], self.rotation[rows], self.shift[rows])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Lay canonical points (T or 1, N, 3) into the picture: (T, N, 3) px, depth last."""
        turned = np.einsum("tij,tnj->tni", self.rotation, np.broadcast_to(points, (len(self), *points.shape[1:])))
        return self.scale[:, None, None] * turned + self.shift[:, None]

    def lift(self, mesh: np.ndarray) -> np.ndarray:
        """Take the pose out of meshes (T, N, 3) px: canonical points (T, N, 3)."""
        return _turn(mesh - self.shift[:, None], self.rotation) / self.scale[:, None, None]

    @property
    def degrees(self) -> np.ndarray:
        """Pitch, yaw and roll, (T, 3)."""
        r = self.rotation
        yaw = -np.arcsin(np.clip(r[:, 2, 0], -1, 1))
        return np.degrees(np.stack([np.arctan2(r[:, 2, 1], r[:, 2, 2]), yaw, np.arctan2(r[:, 1, 0], r[:, 0, 0])], 1))


@numba.njit(cache=True, nogil=True)
def _turn(points, rotation):
    """Multiply points (T, N, 3) by matrices (T, 3, 3), to the bit as numpy's einsum does, but four times as fast."""
    turned = np.empty(points.shape, np.float64)
    for t in range(len(points)):
        for n in range(points.shape[1]):
            x, y, z = points[t, n, 0], points[t, n, 1], points[t, n, 2]
            for i in range(3):
                turned[t, n, i] = x * rotation[t, 0, i] + y * rotation[t, 1, i] + z * rotation[t, 2, i]
    return turned


def fit_pose(mesh: np.ndarray) -> tuple[HeadPose, np.ndarray]:
    """Find the poses of one person's head and the person's own face.

    Args:
        mesh: (T, 468 or more, 3) px, of one person, T >= 1.
    Returns:
        The poses, and the canonical points (T, 468, 3), float32: outer eye corners of the median face at distance 1.
    Source:
        Similarity of two point sets, Umeyama 1991, on points that speech leaves alone; first against the average face,
        then against the person's median.
    """
    pose = place_head(mesh, find_face(mesh))
    return pose, pose.lift(mesh[:, :FACE_POINTS]).astype(np.float32)


def find_face(mesh: np.ndarray) -> np.ndarray:
    """Find a person's median face in meshes (T, 468 or more, 3) px: canonical points (468, 3), float64.

    Of a long video, as many frames as a minute has are looked at, evenly spread.
    """
    some = mesh[:: -(-len(mesh) // _MOST_FRAMES), :FACE_POINTS]
    face = load_canonical().points.astype(np.float64)
    for _ in range(_ROUNDS):
        pose = place_head(some, face)
        parts = (some[:, first : first + _BLOCK].astype(np.float64) for first in range(0, FACE_POINTS, _BLOCK))
        face = _centre(np.concatenate([np.median(pose.lift(part), axis=0) for part in parts]))
    return face


def place_head(mesh: np.ndarray, face: np.ndarray) -> HeadPose:
    """Find the poses in which a face (468, 3) fits meshes (T, 468 or more, 3) px best, by its stable points."""
    stable = list(STABLE_POINTS)
    source, target = face[stable], mesh[:, stable].astype(np.float64)
    middle, place = source.mean(0), target.mean(1)
    source = source - middle
    u, s, vt = np.linalg.svd(np.einsum("ni,tnj->tij", source, target - place[:, None]))
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    s[:, 2] *= sign
    vt[:, 2] *= sign[:, None]
    rotation = np.einsum("tji,tkj->tik", vt, u)
    scale = s.sum(1) / (source**2).sum()
    return HeadPose(scale, rotation, place - scale[:, None] * (rotation @ middle))


def _centre(face: np.ndarray) -> np.ndarray:
    left, right = face[list(OUTER_EYES)]
    return (face - (left + right) / 2) / np.linalg.norm(left - right)
