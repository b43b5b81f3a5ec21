"""The face mesh on OpenVINO: 478 points of one face in three dimensions, from a rotated square around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from g4g.faces.blazeface import sigmoid
from g4g.faces.warp import transform_points, warp_frame

POINTS = 478
"""468 points of the face and 5 of each iris."""
INPUT_PX = 256
_ROI_SCALE = 1.5
_EYE_CORNERS = (33, 263)


class FaceMesh:
    """Place the mesh. Source: MediaPipe face_landmarks_detector (Apache-2.0); region of interest as its graph says."""

    def __init__(self, network) -> None:
        self._network = network

    def __call__(self, frame: np.ndarray, crop_to_frame: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the mesh (478, 3) and the probability that a face is there.

        x and y are frame pixels; z is depth in the same unit, smaller is nearer to the camera.
        """
        return self.place_each([frame], crop_to_frame)[0]

    def place_each(self, frames: Sequence[np.ndarray], crop_to_frame: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """Return mesh and probability for the same square of each frame."""
        pictures = np.stack([warp_frame(frame, crop_to_frame, (INPUT_PX, INPUT_PX)) for frame in frames])
        result = self._network(np.divide(pictures, 255, dtype=np.float32))
        points, scores = result["Identity"].reshape(-1, POINTS, 3), sigmoid(result["Identity_1"].reshape(-1))
        depth = points[..., 2:] * np.sqrt(abs(np.linalg.det(crop_to_frame[:, :2])))
        meshes = np.concatenate([transform_points(crop_to_frame, points[..., :2]), depth], axis=-1)
        return list(zip(meshes.astype(np.float32), scores.tolist(), strict=True))


def roi_from_box(box: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Make the rotated square (its crop_to_frame) around a detection."""
    return _rotated_square((box[:2] + box[2:]) / 2, max(box[2:] - box[:2]), eyes[1] - eyes[0])


def roi_from_mesh(mesh: np.ndarray) -> np.ndarray:
    """Make the rotated square around the last frame's mesh, so that a face is followed without detecting again."""
    points = mesh[:, :2].astype(np.float64)
    axis = points[_EYE_CORNERS[1]] - points[_EYE_CORNERS[0]]
    axis = axis / np.linalg.norm(axis)
    turned = points @ np.stack([axis, [-axis[1], axis[0]]], axis=1)
    low, high = turned.min(0), turned.max(0)
    centre = np.stack([axis, [-axis[1], axis[0]]], axis=1) @ ((low + high) / 2)
    return _rotated_square(centre, (high - low).max(), axis)


def _rotated_square(centre: np.ndarray, side: float, axis: np.ndarray) -> np.ndarray:
    axis = axis / np.linalg.norm(axis) * side * _ROI_SCALE / INPUT_PX
    linear = np.array([[axis[0], -axis[1]], [axis[1], axis[0]]])
    return np.column_stack([linear, centre - linear @ np.full(2, INPUT_PX / 2)])
