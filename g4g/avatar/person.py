"""One person of a video: where the head is, how the mouth moves, and pictures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.avatar.learnt import Learnt
from g4g.avatar.library import MouthLibrary
from g4g.faces import FaceTracks, HeadPose, add_ring, load_canonical, transform_points
from g4g.faces.canonical import FACE_POINTS
from g4g.motion import NeutralFace
from g4g.painter import Finish

UNTRIED_FINISH = Finish(residual=0.5)
"""Taken where a video is too short to try it."""


@dataclass(frozen=True)
class HeadTrack:
    """One face through a video: `frames` (n,) in which it is seen, ascending, `pose` in each, smoothed over time.

    `mesh` (n, 478, 3) px; `frame_to_crop` (n, 2, 3); `light` (n, 3); `face` (468, 3): the person's median face.
    """

    frames: np.ndarray
    mesh: np.ndarray
    frame_to_crop: np.ndarray
    light: np.ndarray
    pose: HeadPose
    face: np.ndarray

    @staticmethod
    def rows_of(tracks: FaceTracks, number: int) -> slice:
        """Tell which rows of the tracks are a face's: they are ordered by face, then by frame."""
        return slice(*np.searchsorted(tracks.faces, [number, number + 1]).tolist())

    @classmethod
    def of(cls, tracks: FaceTracks, number: int, pose: HeadPose, face: np.ndarray) -> HeadTrack:
        """Take one face out of all tracks of a video."""
        rows = cls.rows_of(tracks, number)
        return cls(tracks.frames[rows], tracks.mesh[rows], tracks.frame_to_crop[rows], tracks.light[rows], pose, face)

    def find_rows(self, frames: np.ndarray) -> np.ndarray:
        """Tell which rows hold frames of the video in which the face is seen."""
        return np.searchsorted(self.frames, frames)

    def lift(self, rows: np.ndarray | slice) -> np.ndarray:
        """Canonical faces of some rows, (B, 468, 3)."""
        return self.pose[rows].lift(self.mesh[rows, :FACE_POINTS])

    def draw(self, rows: np.ndarray | slice, canonical: np.ndarray) -> np.ndarray:
        """Lay canonical faces (B, 468, 3) into the crops of some rows, with the ring: (B, 504, 2), crop px."""
        pose = self.pose[rows]
        points = add_ring(pose.project(canonical), pose.project(self.face[None]))
        return transform_points(self.frame_to_crop[rows], points).astype(np.float32)


@dataclass(frozen=True)
class Person:
    """What a dub knows of a person before it hears the new sound.

    `shapes` (n, C): of the mouth in each row of `head`, as the motion network counts them, from `neutral`; `gain`: how
    far the mouth goes, over how far the network moves it; `scale`: crops have so many times 128 px each way;
    `finish`: how mouths are finished; `learnt`: networks of this person's own.
    """

    head: HeadTrack
    neutral: NeutralFace
    shapes: np.ndarray
    gain: float
    scale: int
    library: MouthLibrary
    finish: Finish = UNTRIED_FINISH
    learnt: Learnt = Learnt()

    def place_points(
        self, rows: np.ndarray, laid: np.ndarray, shares: np.ndarray | float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Place a person's own mesh, and the mesh with another mouth, in the crops of some rows.

        Args:
            rows: of `head`, (B,).
            laid: canonical faces with the new mouth, (B, 468, 3).
            shares: how far the own mouth goes towards it, 0 to 1, (B,) or one for all.
        Returns:
            Own and target points (B, 504, 2) px of the crop of 128 px; they are the same where speech moves nothing.
        """
        own = self.head.lift(rows)
        moves = load_canonical().moves[:, None] * np.reshape(shares, (-1, 1, 1))
        return self.head.draw(rows, own), self.head.draw(rows, own + moves * (laid - own))
