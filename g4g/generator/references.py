"""Which pictures of a person serve as references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.cluster.vq import kmeans2
from scipy.ndimage import uniform_filter1d

from g4g.config import CropConfig
from g4g.faces import ALIKE, describe_likeness
from g4g.faces.landmarks import JAW, eye_distance, mouth_shape

MOUTH_SHAPES = 4
"""Closed, open, in between, round."""

_POSES = 3
"""A gallery holds every mouth shape for so many head poses."""
_POSE_REACH = 0.12
"""A picture whose pose differs by more, in distances of the eyes, lends its head's turn to the mouth."""
_LIKE_POSE = 0.06
"""Poses that differ by more get references of their own, and a picture of another take does not serve them."""
_MOST_POSES, _FEWEST_FRAMES = 6, 12
"""A person has references for at most so many poses, each shown by so many frames."""
_POSE_FRAMES, _CHANGE_FRAMES = 9, 7
"""Poses are means over so many frames; from one pose's references to the next it takes so many."""
_CANDIDATES, _OUTER = 3, 8
"""So many pictures of each mouth shape may serve, the best of all and others out of the best eighth."""
_GAIN = 0.5
"""By so many standard deviations a gallery's picture must show a mouth shape better than the video itself does."""


@dataclass(frozen=True)
class Gallery:
    """Pictures of one speaker that come with fine-tuned weights: `crops` (N, size, size, 3) uint8, `landmarks` px."""

    crops: np.ndarray
    landmarks: np.ndarray


def choose_references(crop_landmarks: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Choose four frames of different mouth shapes, in a usual pose: most closed, most open, median, most rounded.

    Args:
        crop_landmarks: shape (T, 68, 2), px; T >= 1.
        rng: draws among the outermost fifth instead of taking the extreme, for variety in training.
    Returns:
        Frame numbers, shape (4,); they repeat when there are fewer frames (a still picture has one).
    Source:
        Our choice.
    """
    scores = _score_usual(crop_landmarks)
    if rng is None:
        return scores.argmax(1)
    reach = max(len(crop_landmarks) // 5, 1)
    return np.array([int(np.argsort(score)[-1 - rng.integers(reach)]) for score in scores])


def follow_pose(crop_landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List references for each pose in which a head is seen, and say how much of which each frame takes.

    Args:
        crop_landmarks: shape (T, 68, 2), px; frames of one person in order.
    Returns:
        Frame numbers, shape (P, 4, C): for each mouth shape what `choose_references` chooses, and others that show it
        well; shares (T, P), which sum to 1: a frame takes those of its pose, and passes from one to the next within a
        few frames.
    Source:
        Our choice.
    """
    poses = head_pose(crop_landmarks)
    calm = uniform_filter1d(poses, _POSE_FRAMES, axis=0, mode="nearest")
    centres = np.median(calm, axis=0, keepdims=True)
    while len(centres) < _MOST_POSES and (far := pose_distances(calm, centres).min(1)).max() > _LIKE_POSE:
        centres = np.concatenate([centres, calm[far.argmax(), None]])
    if len(centres) == 1:
        return _list_candidates(_score_usual(crop_landmarks))[None], np.ones((len(poses), 1))
    centres = kmeans2(calm, centres, minit="matrix")[0]
    counts = np.bincount(pose_distances(calm, centres).argmin(1), minlength=len(centres))
    centres = centres[counts >= min(_FEWEST_FRAMES, counts.max())]
    far, scores = pose_distances(poses, centres), _score_shapes(crop_landmarks)
    enough = np.sort(far, axis=0)[min(_FEWEST_FRAMES, len(far) - 1)]
    near = far <= np.maximum(_LIKE_POSE, enough)
    chosen = np.stack([_list_candidates(np.where(pose, scores, -np.inf)) for pose in near.T])
    nearest = np.eye(len(centres))[pose_distances(calm, centres).argmin(1)]
    return chosen, uniform_filter1d(nearest, _CHANGE_FRAMES, axis=0, mode="nearest")


def add_gallery(
    gallery: Gallery, crop_landmarks: np.ndarray, crops: np.ndarray, landmarks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Replace references of a video by pictures of the gallery that show their mouth shape better in a like pose.

    A face that does not look like the gallery's speaker keeps its own: a video may show several people.

    Args:
        gallery: of one speaker.
        crop_landmarks: all frames of the video, shape (T, 68, 2), px.
        crops: those that `choose_references` chose: (4, s, s, 3) uint8, s the gallery's size or larger.
        landmarks: theirs, (4, 68, 2), px of the gallery's size.
    Returns:
        crops and landmarks; the gallery's enlarged to s and in the light of the video.
    Source:
        Our choice. Of 17 GRID clips of three people, each is at least 0.85 alike to a gallery made of others of that
        person; of 61 pairs of two people none is more than 0.82.
    """
    crops, landmarks = crops.copy(), landmarks.copy()
    if not len(gallery.crops) or describe_likeness(gallery.crops.mean(0)) @ describe_likeness(crops.mean(0)) < ALIKE:
        return crops, landmarks
    closed = crops[0].copy()
    for place, number in enumerate(_find_better(gallery, crop_landmarks)):
        if number >= 0:
            crops[place] = match_light(_enlarge(gallery.crops[number], len(closed)), closed)
            landmarks[place] = gallery.landmarks[number]
    return crops, landmarks


def make_gallery(crops: list[np.ndarray], landmarks: list[np.ndarray]) -> Gallery:
    """Pick every mouth shape for every head pose of a speaker's shots.

    Args:
        crops: per shot (T, size, size, 3) uint8.
        landmarks: per shot (T, 68, 2) px.
    """
    points = np.concatenate(landmarks)
    turn = head_pose(points)[:, 0]
    order = np.argsort(turn)
    poses = np.array_split(
        order, _POSES if np.ptp(turn[order[len(order) // 20 : -len(order) // 20]]) > _POSE_REACH else 1
    )
    chosen = np.unique(np.concatenate([rows[choose_references(points[rows])] for rows in poses]))
    starts = np.cumsum([0, *(len(shot) for shot in crops)])
    shots = np.searchsorted(starts, chosen, side="right") - 1
    pictures = [crops[shot][row - starts[shot]] for shot, row in zip(shots, chosen, strict=True)]
    return Gallery(np.stack(pictures), points[chosen].astype(np.float32))


def match_light(picture: np.ndarray, like: np.ndarray, config: CropConfig = CropConfig()) -> np.ndarray:
    """Give a gallery's crop the light of a video's: mean and contrast of each colour between eyes and mouth.

    Args:
        picture, like: crops of one size (s, s, 3) uint8 and of one person.
    Returns:
        `picture`, relit, uint8.
    """
    size = len(picture)
    rows = slice(round(config.eye_line * size), round(config.hidden_top * size))
    columns = slice(size // 4, size * 3 // 4)
    mine, theirs = (x[rows, columns].reshape(-1, 3).astype(np.float32) for x in (picture, like))
    gain = np.clip(theirs.std(0) / np.maximum(mine.std(0), 1), 0.67, 1.5)
    return np.clip((picture - mine.mean(0)) * gain + theirs.mean(0), 0, 255).round().astype(np.uint8)


def head_pose(landmarks: np.ndarray) -> np.ndarray:
    """Measure how a head is turned: where the nose's tip lies between the jaw's sides and below the eyes.

    Args:
        landmarks: shape (..., 68, 2), px.
    Returns:
        Shape (..., 2): sideways and downwards, in distances of the eyes; about (0, 0.5) straight ahead.
    Source:
        Our choice.
    """
    eyes = eye_distance(landmarks)[..., None]
    middle = (landmarks[..., JAW.start, :] + landmarks[..., JAW.stop - 1, :]) / 2
    return (landmarks[..., 30, :] - middle) / eyes


def pose_distances(poses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far each pose (T, 2), as `head_pose` measures it, is from each other pose (P, 2): (T, P)."""
    return np.linalg.norm(poses[:, None] - others, axis=-1)


def _find_better(gallery: Gallery, crop_landmarks: np.ndarray) -> np.ndarray:
    """Number of the gallery's picture that shows each mouth shape better, or -1: shape (4,)."""
    own = len(crop_landmarks)
    scores = _score_shapes(np.concatenate([crop_landmarks, gallery.landmarks]))
    pose = np.median(head_pose(crop_landmarks), axis=0)
    far = np.linalg.norm(head_pose(gallery.landmarks) - pose, axis=1) > _LIKE_POSE
    theirs = np.where(far, -np.inf, scores[:, own:])
    better = theirs.max(1) > scores[:, :own].max(1) + _GAIN * scores.std(1)
    return np.where(better, theirs.argmax(1), -1)


def _score_usual(crop_landmarks: np.ndarray) -> np.ndarray:
    """As `_score_shapes`; minus infinity where the head is turned."""
    return np.where(_is_usual(head_pose(crop_landmarks)), _score_shapes(crop_landmarks), -np.inf)


def _list_candidates(scores: np.ndarray) -> np.ndarray:
    """List the best picture of each mouth shape and others down to the best eighth: (4, C) out of scores (4, T)."""
    ranks = np.linspace(0, np.isfinite(scores[0]).sum() / _OUTER, _CANDIDATES).astype(int)
    return np.argsort(-scores, axis=1, kind="stable")[:, ranks]


def _is_usual(poses: np.ndarray) -> np.ndarray:
    """Mark the poses (T, 2) near the middle one; at least the nearer half."""
    far = np.linalg.norm(poses - np.median(poses, axis=0), axis=1)
    return far <= max(_POSE_REACH, np.median(far))


def _enlarge(picture: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))


def _score_shapes(crop_landmarks: np.ndarray) -> np.ndarray:
    """Score each picture (T) as closed, open, in between and round: shape (4, T)."""
    opening, width = mouth_shape(crop_landmarks).T
    middle = -np.abs(opening - np.median(opening))
    rounded = opening / (opening.std() + 1e-6) - 1.5 * width / (width.std() + 1e-6)
    return np.stack([-opening, opening, middle, rounded])
