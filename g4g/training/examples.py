"""What the generator learns from: frames of a shot, made of other frames of it by the very recipe of a dub."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from g4g.config import CropConfig
from g4g.faces import add_ring, load_canonical, warp_picture
from g4g.faces.canonical import FACE_POINTS, LIPS, OUTLINE
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas
from g4g.training.data import Shot

_APART_S = 0.4
"""References are at least so far from the frame, or a third of a short shot."""
_NEAR, _STILL, _CLOSED = 0.3, 0.15, 0.1
"""Shares of examples whose references are drawn from the better ones, are any picture several times, or one with closed
lips several times; those of all others are the best ones."""
_NEAR_COUNT, _CLOSED_SHARE = 12, 0.2
"""So many are better ones; this share of a shot's frames counts as closed."""
_POSE_WEIGHT = 3e-5
"""Squared degrees against squared canonical distances of the lips' points."""
_OTHER_OWN = 0.5
"""Share of examples in which the frame's own picture is a neighbour's, with another mouth, as in a dub."""
_NEIGHBOUR_FRAMES = 6
_SHAPE_NOISE = 0.12
"""Target geometry is off by so many standard deviations: what motion predicts is never quite true."""
_MESH_NOISE = 0.06
"""The mesh of a still that was moved is off by so much, as those that are found in pictures are."""
_ONE_PICTURE = 0.5
"""Share of a still's examples with one reference several times, as in a dub of a still; the others have several."""


@dataclass(frozen=True)
class Subject:
    """A shot with what retrieval needs: points with ring (T, 504, 2) crop px, lips (T, 80), degrees (T, 3)."""

    shot: Shot
    points: np.ndarray
    lips: np.ndarray
    degrees: np.ndarray

    @classmethod
    def of(cls, shot: Shot) -> Subject:
        """Measure a shot."""
        face = np.median(shot.canonical, axis=0)
        points = add_ring(shot.mesh, shot.pose.project(face[None])).astype(np.float32)
        return cls(shot, points, shot.canonical[:, LIPS, :2].reshape(len(shot), -1), shot.pose.degrees)

    def rank_references(self, frame: int, apart_s: float) -> np.ndarray:
        """List the frames at least `apart_s` away, those with the most alike mouth and pose first."""
        cost = np.square(self.lips - self.lips[frame]).sum(1)
        cost += _POSE_WEIGHT * np.square(self.degrees - self.degrees[frame]).sum(1)
        far = np.abs(self.shot.times_s - self.shot.times_s[frame]) >= apart_s
        order = np.argsort(cost)
        return order[far[order]] if far.any() else order


def draw_example(subject: Subject, space: ShapeSpace, count: int, rows: int, rng: np.random.Generator):
    """Draw a frame and what it is made of.

    Args:
        subject: of a shot with speech.
        space: the shapes that target geometry is off by.
        count: references.
        rows: of speech features around the frame.
    Returns:
        Canvas of one frame, and the frame as it really is, (s, s, 3) uint8. The canvas's `crops` and `references`
        are as fine as the shot's.
    """
    shot = subject.shot
    frame = int(rng.integers(len(shot)))
    chosen = _draw_references(subject, frame, count, rng)
    own = frame
    if rng.random() < _OTHER_OWN:
        own = int(np.clip(frame + rng.integers(-_NEIGHBOUR_FRAMES, _NEIGHBOUR_FRAMES + 1), 0, len(shot) - 1))
    target = subject.points[frame].copy()
    noise = space.decode(rng.normal(0, _SHAPE_NOISE, (1, space.size)).astype(np.float32))
    pose = shot.pose[frame]
    moved = pose.project(shot.canonical[frame][None] + noise) - pose.project(shot.canonical[frame][None])
    target[: moved.shape[1]] += moved[0, :, :2]
    canvas = Canvas(
        np.asarray(shot.crops[own])[None], subject.points[own][None], target[None],
        np.stack([shot.crops[i] for i in chosen])[None], subject.points[chosen][None],
        frame_speech(shot.speech, shot.times_s[[frame]], rows),
    )  # fmt: skip
    return canvas, np.asarray(shot.crops[frame])


def draw_still_example(still: Subject, driver: Subject, space: ShapeSpace, count: int, rows: int, rng):
    """Draw a still as it is, made of pictures of it whose mouths are moved as another person's moves.

    Args:
        still: a subject of one frame.
        driver: of a shot with speech, whose mouth and sound are borrowed.
        space, count, rows, rng: as for `draw_example`.
    Returns:
        As `draw_example`.
    """
    shot, real, points = driver.shot, np.asarray(still.shot.crops[0]), still.points[0]
    alike = int(np.abs(shot.lip_gap - still.shot.lip_gap[0]).argmin())
    frames = rng.integers(len(shot), size=count + 1)
    if rng.random() < _ONE_PICTURE:
        frames[:count] = frames[0]
    moved = space.decode(space.encode(shot.canonical[frames] - shot.canonical[alike]))
    noise = space.decode(rng.normal(0, _MESH_NOISE, (count + 1, space.size)).astype(np.float32))
    if np.ptp(frames[:count]) == 0:  # one picture has one mesh
        noise[:count] = noise[0]
    pose, face = still.shot.pose[np.zeros(count + 1, int)], still.shot.canonical
    meshes, true = (_move(points, pose.project(face + x) - pose.project(face)) for x in (moved, moved + noise))
    pictures = np.stack([warp_picture(real, points, mesh) for mesh in true])
    canvas = Canvas(
        pictures[-1:], meshes[-1:], points[None], pictures[None, :-1], meshes[None, :-1],
        frame_speech(shot.speech, shot.times_s[frames[-1:]], rows),
    )  # fmt: skip
    return canvas, real


def _move(points: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Move a face's points (504, 2) by the mesh's steps (N, 468, 3) px: (N, 504, 2)."""
    moved = np.repeat(points[None], len(steps), 0)
    moved[:, :FACE_POINTS] += steps[..., :2]
    return moved


def mirror_example(canvas: Canvas, real: np.ndarray) -> tuple[Canvas, np.ndarray]:
    """Mirror what an example is made of, and the frame as it really is: everybody has a twin."""
    flip = lambda pictures: np.ascontiguousarray(np.flip(pictures, -2))  # noqa: E731
    turn = lambda points: points[..., _twins(), :] * [-1, 1] + [CropConfig().size - 1, 0]  # noqa: E731
    mirrored = Canvas(
        flip(canvas.crops), turn(canvas.meshes), turn(canvas.targets), flip(canvas.references),
        turn(canvas.reference_meshes), canvas.speech,
    )  # fmt: skip
    return mirrored, flip(real)


@lru_cache
def _twins() -> np.ndarray:
    """Tell which point lies across the face from each of the mesh with its ring, (504,)."""
    face = load_canonical().points
    apart = np.square(face[:, None] * [-1, 1, 1] - face[None]).sum(-1)
    twins = apart.argmin(1)
    ring = [FACE_POINTS + OUTLINE.index(twins[point]) for point in OUTLINE]
    return np.concatenate([twins, ring])


def _draw_references(subject: Subject, frame: int, count: int, rng: np.random.Generator) -> np.ndarray:
    length_s = float(np.ptp(subject.shot.times_s))
    ranked = subject.rank_references(frame, min(_APART_S, length_s / 3))
    way = rng.random()
    if way < _STILL:
        return np.repeat(rng.choice(ranked), count)
    if way < _STILL + _CLOSED:
        gaps = subject.shot.lip_gap[ranked]
        return np.repeat(rng.choice(ranked[gaps <= np.quantile(gaps, _CLOSED_SHARE)]), count)
    if way < _STILL + _CLOSED + _NEAR and len(ranked) > count:
        few = ranked[: max(_NEAR_COUNT, count)]
        return few[np.sort(rng.choice(len(few), min(count, len(few)), replace=False))]
    return np.resize(ranked[:count], count)
