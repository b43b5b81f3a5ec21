"""The 68-point face and how the 478-point mesh maps to it."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

# Mesh vertices nearest to the 68 iBUG points (our choice, checked by eye): jaw, brows, nose, eyes, lips.
MESH_TO_68 = np.array(
    [162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389]
    + [71, 63, 105, 66, 107, 336, 296, 334, 293, 301]
    + [168, 197, 5, 4, 75, 97, 2, 326, 305]
    + [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
    + [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
)


def to_landmarks(mesh: np.ndarray) -> np.ndarray:
    """Take the 68 points (..., 68, 2) px, float32, out of meshes (..., 478, 2 or 3)."""
    return mesh[..., MESH_TO_68, :2].astype(np.float32)


JAW = slice(0, 17)
MOUTH = slice(48, 68)
INNER_LIPS = slice(60, 68)
UPPER_FACE = slice(17, 48)
"""Brows, nose and eyes: they tell the head's pose, and by small movements the old speech."""
STABLE = np.array([27, 28, 29, 30, 36, 39, 42, 45])
"""Nose bridge and eye corners: the crop is fitted to these, never to lips or jaw."""
LEFT_EYE = slice(36, 42)
RIGHT_EYE = slice(42, 48)
NOSE_LENGTH = 0.8

_STEADY_S = 0.16


def eye_distance(landmarks: np.ndarray) -> np.ndarray:
    """Measure the distance of the eyes' centres of landmarks (..., 68, 2), px, shape (...)."""
    return np.linalg.norm(landmarks[..., LEFT_EYE, :].mean(-2) - landmarks[..., RIGHT_EYE, :].mean(-2), axis=-1)


def mouth_shape(landmarks: np.ndarray) -> np.ndarray:
    """Measure the mouth: opening and width over the inter-ocular distance.

    Args:
        landmarks: shape (..., 68, 2), px.
    Returns:
        Shape (..., 2): height of the inner lips' gap and width of the lips, over the distance of the eyes' centres.
    """
    eyes = eye_distance(landmarks)
    gaps = np.linalg.norm(landmarks[..., [61, 62, 63], :] - landmarks[..., [67, 66, 65], :], axis=-1).mean(-1)
    width = np.linalg.norm(landmarks[..., 48, :] - landmarks[..., 54, :], axis=-1)
    return np.stack([gaps / eyes, width / eyes], axis=-1)


def head_yaw(landmarks: np.ndarray) -> np.ndarray:
    """Estimate how far heads are turned aside.

    Args:
        landmarks: shape (..., 68, 2), px.
    Returns:
        Degrees, shape (...): 0 is frontal, positive towards the picture's right; beyond 60 it reads too low.
    Source:
        Our choice: the nose's tip moves off the middle of the outer eye corners by the tangent of the angle. The nose's
        length, as a share of half the corners' distance, was measured on faces that FaceMesh's depth had turned.
    """
    left, right = landmarks[..., 36, :], landmarks[..., 45, :]
    half = (right - left) / 2
    off = ((landmarks[..., 30, :] - left - half) * half).sum(-1) / ((half**2).sum(-1) + 1e-9)
    return np.degrees(np.arctan(off / NOSE_LENGTH))


def steady_upper_face(landmarks: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Smooth brows, nose and eyes over time, so that they tell the head's pose but not what was said.

    Args:
        landmarks: (T, 68, 2) px, neighbouring frames of one face.
        times_s: (T,).
    Returns:
        (T, 68, 2); jaw and mouth as they were.
    Source:
        Our choice: a generator that sees them tremble reads the old mouth from them and trusts the new sound less.
    """
    steady = landmarks.copy()
    if len(landmarks) > 1:
        sigma = _STEADY_S / np.median(np.diff(times_s))
        steady[:, UPPER_FACE] = gaussian_filter1d(landmarks[:, UPPER_FACE], sigma, axis=0, mode="nearest")
    return steady
