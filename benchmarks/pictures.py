"""Mouths that the generator makes of a clip with its own sound, against copies of the clip's own pictures."""

from __future__ import annotations

import numpy as np
from clips import Clip

from g4g.faces.landmarks import MOUTH
from g4g.generator import choose_references, follow_pose
from g4g.generator.references import head_pose, pose_distances
from g4g.metrics import cut_box, mean_squared_error, mouth_box, mse_to_psnr
from g4g.metrics.report import Figure
from g4g.training.data import reduce_crops
from g4g.training.speaker import generate_shot
from g4g.zoo import Models

_ABOVE_CLOSED = {"s1": 6.0, "unseen": 4.5}
"""dB above copying the most closed reference that each group should reach."""
_APART_FRAMES = 12
"""Pictures so near in time to a frame look like it: copying them says nothing."""


def generate_clip(models: Models, clip: Clip) -> np.ndarray:
    """Make all crops of a clip with its own sound by the generator alone, reduced to (T, size, size, 3) uint8."""
    shot, (poses, shares) = clip.shot, follow_pose(clip.shot.landmarks)
    made = [generate_shot(models, shot, (shot.pictures[pose], shot.landmarks[pose])) for pose in poses]
    made = [reduce_crops(crops, shot.crops.shape[1]) for crops in made]
    return np.einsum("tp,pthwc->thwc", shares, made).round().astype(np.uint8)


def mouth_errors(clip: Clip, crops: np.ndarray) -> np.ndarray:
    """Squared errors (T,) in the mouth box of crops (T, size, size, 3), one for each frame of the clip."""
    errors = []
    for made, real, landmarks in zip(crops, clip.shot.crops, clip.shot.landmarks, strict=True):
        box = mouth_box(landmarks[MOUTH], len(real))
        errors.append(mean_squared_error(cut_box(made, box), cut_box(real, box)))
    return np.array(errors)


def compare_copy(clip: Clip, made: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Compare what was made with copies of the frames `numbers` (T,): errors of both, 1 for references, (T, 3).

    A frame that serves as reference is known to the generator, and its own copy is perfect: the third column lets
    such frames be left out.
    """
    used = np.isin(np.arange(len(clip.shot)), follow_pose(clip.shot.landmarks)[0])
    return np.stack([mouth_errors(clip, made), mouth_errors(clip, clip.shot.crops[numbers]), used], 1)


def compare_closed(clip: Clip, made: np.ndarray) -> np.ndarray:
    """Compare what was made with copying the most closed reference, as `compare_copy`."""
    return compare_copy(clip, made, np.full(len(clip.shot), choose_references(clip.shot.landmarks)[0]))


def nearest_references(landmarks: np.ndarray) -> np.ndarray:
    """Find for each frame of landmarks (T, 68, 2) the reference whose head pose is nearest: frame numbers (T,)."""
    chosen, pose = follow_pose(landmarks)[0].ravel(), head_pose(landmarks)
    return chosen[pose_distances(pose, pose[chosen]).argmin(1)]


def nearest_frames(landmarks: np.ndarray) -> np.ndarray:
    """Find for each frame the one whose head pose is nearest among all that are far from it in time: numbers (T,)."""
    pose, numbers = head_pose(landmarks), np.arange(len(landmarks))
    distance = pose_distances(pose, pose)
    apart = np.abs(numbers[:, None] - numbers)
    # In a clip shorter than that, the farthest.
    return np.where(apart > np.minimum(_APART_FRAMES, apart.max(1, keepdims=True) - 1), distance, np.inf).argmin(1)


def report_pictures(
    errors: list[np.ndarray], point: str, group: str, copy: str, target: float | None = None
) -> list[Figure]:
    """Turn tables of `compare_copy` into figures: mean over frames of the PSNR, and the PSNR of all errors pooled."""
    table = np.concatenate(errors)
    frames = table[table[:, 2] == 0]
    ours, copied = (float(np.mean([mse_to_psnr(e) for e in frames[:, column]])) for column in (0, 1))
    pooled, pooled_copy = (mse_to_psnr(table[:, column].mean()) for column in (0, 1))
    everything = "generator: mouth PSNR, errors of all frames pooled, dB"
    return [
        Figure(point, group, "generator: mouth PSNR, dB", ours, len(frames), copied, copy),
        Figure(point, group, f"generator: above {copy}, dB", ours - copied, len(frames), 0.0, "copying", target),
        Figure(point, group, everything, pooled, len(table), pooled_copy, copy),
    ]


def report_closed(errors: list[np.ndarray], group: str) -> list[Figure]:
    """Report the tables of `compare_closed` of a group's clips."""
    return report_pictures(errors, "2 picture", group, "copying the most closed", _ABOVE_CLOSED.get(group))
