"""Mouths that the generator makes of a clip with its own sound, against copies of the clip's own pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from clips import Clip

from g4g.dubbing.views import list_tried
from g4g.faces.landmarks import MOUTH
from g4g.generator import choose_references, follow_pose, try_references
from g4g.generator.references import head_pose, pose_distances
from g4g.metrics import cut_box, mean_squared_error, mouth_box, mse_to_psnr
from g4g.metrics.report import Figure
from g4g.training.data import reduce_crops
from g4g.training.generator import embed_moments
from g4g.training.speaker import generate_shot
from g4g.zoo import Models

_ABOVE_CLOSED = {"s1": 6.0, "unseen": 4.5}
"""dB above copying the most closed reference that each group should reach."""
_APART_FRAMES = 12
"""Pictures so near in time to a frame look like it: copying them says nothing."""


@dataclass(frozen=True)
class Made:
    """What the generator alone makes of a clip.

    Attributes:
        crops: (T, size, size, 3) uint8.
        references: frame numbers of all that served.
        known: frames that are references, or that references were tried on, (T,) bool.
    """

    crops: np.ndarray
    references: np.ndarray
    known: np.ndarray


def generate_clip(models: Models, clip: Clip) -> Made:
    """Make all crops of a clip with its own sound, from references that are chosen as in a dub."""
    shot, (candidates, shares) = clip.shot, follow_pose(clip.shot.landmarks)
    known, references, made = np.zeros(len(shot), bool), [], []
    for share, numbers in zip(shares.T, candidates, strict=True):
        chosen, tried = numbers[:, 0], list_tried(share, numbers)
        if len(tried):
            audio = embed_moments(models.aligner, shot, tried, models.generator.config.audio_windows)
            shown = shot.pictures[numbers], shot.landmarks[numbers]
            picked = try_references(models.generator, shot.pictures[tried], shot.landmarks[tried], audio, *shown)
            chosen = numbers[np.arange(len(picked)), picked]
        known[tried] = known[chosen] = True
        references.append(chosen)
        crops = generate_shot(models, shot, (shot.pictures[chosen], shot.landmarks[chosen]))
        made.append(reduce_crops(crops, shot.crops.shape[1]))
    crops = np.einsum("tp,pthwc->thwc", shares, made).round().astype(np.uint8)
    return Made(crops, np.concatenate(references), known)


def mouth_errors(clip: Clip, crops: np.ndarray) -> np.ndarray:
    """Squared errors (T,) in the mouth box of crops (T, size, size, 3), one for each frame of the clip."""
    errors = []
    for made, real, landmarks in zip(crops, clip.shot.crops, clip.shot.landmarks, strict=True):
        box = mouth_box(landmarks[MOUTH], len(real))
        errors.append(mean_squared_error(cut_box(made, box), cut_box(real, box)))
    return np.array(errors)


def compare_copy(clip: Clip, made: Made, numbers: np.ndarray) -> np.ndarray:
    """Compare what was made with copies of the frames `numbers` (T,): errors of both, 1 for known frames, (T, 3).

    The third column lets frames be left out that are known to the generator, or that are their own copies.
    """
    known = made.known | (numbers == np.arange(len(numbers)))
    return np.stack([mouth_errors(clip, made.crops), mouth_errors(clip, clip.shot.crops[numbers]), known], 1)


def compare_closed(clip: Clip, made: Made) -> np.ndarray:
    """Compare what was made with copying the most closed reference, as `compare_copy`."""
    return compare_copy(clip, made, np.full(len(clip.shot), choose_references(clip.shot.landmarks)[0]))


def nearest_references(landmarks: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Find for each frame of landmarks (T, 68, 2) the reference whose head pose is nearest: frame numbers (T,)."""
    pose = head_pose(landmarks)
    return references[pose_distances(pose, pose[references]).argmin(1)]


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
