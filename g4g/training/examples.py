"""What the generator learns from: frames of a shot, made of other frames of it by the very recipe of a dub."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.faces import add_ring
from g4g.faces.canonical import LIPS
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas
from g4g.training.data import Shot

_APART_S = 0.4
"""References are at least so far from the frame, or a third of a short shot."""
_NEAREST, _NEAR, _STILL = 0.5, 0.3, 0.2
"""Shares of examples whose references are the best ones, drawn from the better ones, or one picture several times."""
_NEAR_COUNT = 12
_POSE_WEIGHT = 3e-5
"""Squared degrees against squared canonical distances of the lips' points."""
_OTHER_OWN = 0.5
"""Share of examples in which the frame's own picture is a neighbour's, with another mouth, as in a dub."""
_NEIGHBOUR_FRAMES = 6
_SHAPE_NOISE = 0.12
"""Target geometry is off by so many standard deviations: what motion predicts is never quite true."""


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


def _draw_references(subject: Subject, frame: int, count: int, rng: np.random.Generator) -> np.ndarray:
    length_s = float(np.ptp(subject.shot.times_s))
    ranked = subject.rank_references(frame, min(_APART_S, length_s / 3))
    way = rng.random()
    if way < _STILL:
        return np.repeat(rng.choice(ranked), count)
    if way < _STILL + _NEAR and len(ranked) > count:
        few = ranked[: max(_NEAR_COUNT, count)]
        return few[np.sort(rng.choice(len(few), min(count, len(few)), replace=False))]
    return np.resize(ranked[:count], count)

