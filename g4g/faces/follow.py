"""All faces of a video, followed at once: detected now and then, from frame to frame by their own points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from g4g.config import CropConfig
from g4g.faces.backends import THOROUGH_EVERY, FaceBackend, overlap
from g4g.faces.crop import crop_face, find_runs, fit_crop
from g4g.faces.cuts import MarkedFrame, TimedFrame, mark_cuts
from g4g.faces.facemesh import POINTS
from g4g.faces.landmarks import to_landmarks
from g4g.faces.likeness import ALIKE, describe_likeness, unit_row
from g4g.faces.occlusion import find_occluded, measure_light, sample_places
from g4g.faces.track import FaceTrack

MOST_FACES = 8
"""So many faces are followed at once, the largest."""

_LOOK_EVERY = 15
"""Frames between two looks for new faces, while all known ones are followed; so long a lost one is looked for."""
_THOROUGH_LOOKS = 10
"""Every so many looks, small faces are looked for too."""
_SAME_PLACE = 0.3
_SAME_FACE = 0.5
"""Boxes that overlap by so much (intersection over union): one face a moment later; one face followed twice."""

_LIKENESS_PX = 64
_ALIKE_IN_PLACE = 0.5
"""How alike two faces must look, as `describe_likeness` tells, to be one where it was lost; after a cut it is ALIKE."""


@dataclass(frozen=True)
class FaceTracks:
    """Every face of a video: row i tells where face `faces[i]` is in frame `frames[i]`, ordered by face, then frame.

    `times_s` (T,); `cuts` (T,): a new scene begins; `frames`, `faces` (M,) int32, faces numbered from 0 in the order
    in which they appear, from left to right; `mesh` (M, 478, 3) px; `frame_to_crop` (M, 2, 3); `covered` (M,):
    something is before the mouth; `light` (M, 3), as `measure_light` tells it.
    """

    times_s: np.ndarray
    cuts: np.ndarray
    frames: np.ndarray
    faces: np.ndarray
    mesh: np.ndarray
    frame_to_crop: np.ndarray
    covered: np.ndarray
    light: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)

    @cached_property
    def landmarks(self) -> np.ndarray:
        """The 68 points of each row, (M, 68, 2) px."""
        return to_landmarks(self.mesh)

    @property
    def scenes(self) -> np.ndarray:
        """Number of the scene of each frame, (T,), from 0 on."""
        return np.cumsum(self.cuts) - (self.cuts[0] if len(self) else 0)

    def select(self, chosen: np.ndarray) -> FaceTrack:
        """Put one face per scene together as one track; `chosen` (scenes,) holds their numbers, -1 for none."""
        rows = np.flatnonzero(chosen[self.scenes[self.frames]] == self.faces)
        frames, count = self.frames[rows], len(self)
        if count and np.array_equal(frames, np.arange(count)) and rows[-1] - rows[0] == count - 1:
            rows = slice(rows[0], rows[0] + count)  # one face throughout: nothing is copied
            return FaceTrack(self.times_s, self.mesh[rows], np.ones(count, bool), self.frame_to_crop[rows], self.cuts)
        mesh = np.zeros((count, POINTS, 3), np.float32)
        found = np.zeros(count, bool)
        frame_to_crop = np.tile(np.eye(2, 3), (count, 1, 1))
        mesh[frames], found[frames], frame_to_crop[frames] = self.mesh[rows], True, self.frame_to_crop[rows]
        return FaceTrack(self.times_s, mesh, found, frame_to_crop, self.cuts)


def follow_faces(
    frames: Iterable[TimedFrame | MarkedFrame], backend: FaceBackend, config: CropConfig = CropConfig(),
    on_faces: Callable[[int, list[np.ndarray]], None] | None = None,
) -> FaceTracks:  # fmt: skip
    """Follow all faces through a video; memory holds 6 KB per frame and face, never the frames.

    A face that was lost, left, or comes back after a cut keeps its number where it looks alike (`describe_likeness`);
    otherwise it is a new face. Too many faces is the safer error: a number stands for one person's mouth, from which
    new mouths are made.

    Args:
        frames: the video in order; cuts are looked for here where `mark_cuts` has not.
        backend: as `make_backend` builds it.
        on_faces: told of each frame's number and its faces, points (68, 2) each.
    Returns:
        The tracks; without any face they have no rows.
    Source:
        Our choice.
    """
    times_s, cuts, follower = [], [], _Follower(backend)
    for number, (item, after) in enumerate(_add_next(mark_cuts(frames))):
        times_s.append(item.time_s)
        cuts.append(item.is_cut)
        faces = follower.step(number, item, None if after is None or after.is_cut else after.frame)
        if on_faces:
            on_faces(number, faces)
    pieces = follower.pieces
    owners = _join(pieces)
    frames_of = np.array([n for p in pieces for n in range(p.start, p.stop)], np.int32)
    faces_of = np.array([owner for p, owner in zip(pieces, owners, strict=True) for _ in p.meshes], np.int32)
    order = np.lexsort((frames_of, faces_of))
    colours = np.array([taken for p in pieces for taken in p.colours], np.uint8)[order]
    mesh = _take_meshes(pieces, order)
    points = to_landmarks(mesh)
    numbers, faces, starts = frames_of[order], faces_of[order], np.array(cuts, dtype=bool)
    every, appears = np.ones(len(order), bool), _differs(faces) | _differs(np.cumsum(starts)[numbers])
    frame_to_crop = fit_crop(points, find_runs(every, appears | (np.diff(numbers, prepend=-1) != 1)), config)
    covered = [find_occluded(colours[a:b], points[a:b]) for a, b in find_runs(every, appears)]
    return FaceTracks(
        np.array(times_s, np.float64), starts, numbers, faces, mesh, frame_to_crop,
        np.concatenate([np.zeros(0, bool), *covered]),
        measure_light(colours) if len(order) else np.zeros((0, 3), np.float32),
    )  # fmt: skip


@dataclass
class _Piece:
    """One face through neighbouring frames of one scene, from `start` on."""

    start: int
    scene: int
    meshes: list[np.ndarray] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    likeness: np.ndarray | float = 0.0
    ahead: np.ndarray | None = None
    """Its mesh in the frame that comes next, where that is known already."""

    @property
    def stop(self) -> int:
        return self.start + len(self.meshes)


class _Follower:
    """Sees frame after frame; `pieces` grows."""

    def __init__(self, backend: FaceBackend) -> None:
        self.pieces: list[_Piece] = []
        self._backend = backend
        self._live: list[tuple[_Piece, np.ndarray]] = []
        self._scene, self._age, self._missing_until = 0, 0, 0

    def step(self, number: int, item: MarkedFrame, following: np.ndarray | None) -> list[np.ndarray]:
        """See frame `number`; `following` is the one after it, None where another scene or nothing follows.

        Returns:
            The points (68, 2) of each face.
        """
        frame = item.frame
        if item.is_cut:
            self._live, self._age, self._missing_until = [], 0, 0
            self._scene += 1
        live, lost = [], []
        for piece, mesh in self._live:
            now = self._move(piece, mesh, frame, following)
            if now is None:
                lost.append((piece, mesh))
            elif all(overlap(now, other) < _SAME_FACE for _, other in live):  # else it slid onto an older one
                live.append((piece, now))
        if lost:
            self._missing_until = self._age + _LOOK_EVERY
        if not live or self._age < self._missing_until or self._age % _LOOK_EVERY == 0:
            every = _LOOK_EVERY * _THOROUGH_LOOKS if live else THOROUGH_EVERY
            known = [mesh for _, mesh in live]
            for mesh in self._backend.detect(frame, self._age % every == 0, known):
                if any(overlap(mesh, other) > _SAME_PLACE for _, other in live):
                    continue
                same = [piece for piece, old in lost if overlap(mesh, old) > _SAME_PLACE]
                lost = [(piece, old) for piece, old in lost if not same or piece is not same[0]]
                live.append((same[0] if same else self._begin(number), mesh))
        self._live = sorted(live, key=lambda item: -np.ptp(item[1][:, :2], axis=0).prod())[:MOST_FACES]
        self._live.sort(key=lambda item: item[0].start)
        faces = [to_landmarks(mesh) for _, mesh in self._live]
        for (piece, mesh), points in zip(self._live, faces, strict=True):
            if len(piece.meshes) % _LOOK_EVERY == 0:
                piece.likeness = piece.likeness + _describe(frame, points)
            piece.meshes.append(mesh)
            piece.colours.append(sample_places(frame, points))
        self._age += 1
        return faces

    def _move(
        self, piece: _Piece, mesh: np.ndarray, frame: np.ndarray, following: np.ndarray | None
    ) -> np.ndarray | None:  # fmt: skip
        """Follow a face into a frame, and into the one after it where that costs little more (see `follow_two`)."""
        now, piece.ahead = piece.ahead, None
        if now is not None:
            return now
        if following is None:
            return self._backend.follow(frame, mesh)
        now, piece.ahead = self._backend.follow_two(frame, following, mesh)
        return now

    def _begin(self, number: int) -> _Piece:
        self.pieces.append(_Piece(number, self._scene))
        return self.pieces[-1]


def _add_next(items: Iterable[MarkedFrame]) -> Iterator[tuple[MarkedFrame, MarkedFrame | None]]:
    """Yield each item with the one after it; None after the last."""
    items = iter(items)
    item = next(items, None)
    while item is not None:
        after = next(items, None)
        yield item, after
        item = after


def _join(pieces: list[_Piece]) -> list[int]:
    """Tell whose face each piece is: numbers from 0 on, in the order of their first frames, from left to right."""
    order = sorted(range(len(pieces)), key=lambda i: (pieces[i].start, pieces[i].meshes[0][:, 0].mean()))
    faces: list[list[_Piece]] = []
    owners = [0] * len(pieces)
    for i in order:
        piece = pieces[i]
        best, owner = 0.0, len(faces)
        for number, known in enumerate(faces):
            last = known[-1]
            if any(piece.start < other.stop for other in known):  # a face is in one place at a time
                continue
            alike = float(unit_row(sum(other.likeness for other in known)) @ unit_row(piece.likeness))
            place = overlap(last.meshes[-1], piece.meshes[0])
            in_place = place > _SAME_PLACE and last.scene == piece.scene
            if alike > (_ALIKE_IN_PLACE if in_place else ALIKE) and alike + place > best:
                best, owner = alike + place, number
        if owner == len(faces):
            faces.append([])
        faces[owner].append(piece)
        owners[i] = owner
    return owners


def _take_meshes(pieces: list[_Piece], order: np.ndarray) -> np.ndarray:
    """Move all meshes out of the pieces into one array (M, 478, 3), `order` (M,) tells which comes in which row."""
    mesh, rows = np.empty((len(order), POINTS, 3), np.float32), np.empty(len(order), int)
    rows[order] = np.arange(len(order))
    taken = iter(rows.tolist())
    for piece in pieces:
        piece.meshes.reverse()
        while piece.meshes:  # each goes as soon as it is copied: all together are as large as the array
            mesh[next(taken)] = piece.meshes.pop()
    return mesh


def _differs(numbers: np.ndarray) -> np.ndarray:
    """Tell where each number is not the one before it, (N,); the first has none before it."""
    return np.diff(numbers, prepend=-1) != 0


def _describe(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    frame_to_crop = fit_crop(landmarks[None], [(0, 1)], CropConfig(size=_LIKENESS_PX))[0]
    return describe_likeness(crop_face(frame, frame_to_crop, _LIKENESS_PX))
