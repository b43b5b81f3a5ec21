"""All faces of a video, followed at once: detected now and then, from frame to frame by their own points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
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
from g4g.memory import ArrayFile, StoredArray, drop_pages, join_blocks, list_blocks

MOST_FACES = 8
"""So many faces are followed at once, the largest."""

OnFaces = Callable[[int, list[np.ndarray]], None]
"""Is told of a frame's number and its faces, points (68, 2) each."""

_LOOK_EVERY = 15
"""Frames between two looks for new faces, while all known ones are followed; so long a lost one is looked for."""
_THOROUGH_LOOKS = 10
"""Every so many looks, small faces are looked for too."""
_SAME_PLACE = 0.3
_SAME_FACE = 0.5
"""Boxes that overlap by so much (intersection over union): one face a moment later; one face followed twice."""

_BLOCK = 500
"""So many meshes are held at a time."""

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
        return _read_landmarks(self.mesh)

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
        found, frame_to_crop = np.zeros(count, bool), np.tile(np.eye(2, 3), (count, 1, 1))
        found[frames], frame_to_crop[frames] = True, self.frame_to_crop[rows]
        row_of = np.zeros(count, int)
        row_of[frames] = rows

        def make_blocks() -> Iterator[np.ndarray]:
            for block_rows in list_blocks(count, _BLOCK):
                seen = found[block_rows]
                block = np.zeros((len(seen), POINTS, 3), np.float32)
                block[seen] = self.mesh[row_of[block_rows][seen]]
                yield block

        mesh = join_blocks(make_blocks, (count, POINTS, 3), np.float32)
        return FaceTrack(self.times_s, mesh, found, frame_to_crop, self.cuts)


def follow_faces(
    frames: Iterable[TimedFrame | MarkedFrame], backend: FaceBackend, config: CropConfig = CropConfig(),
    on_faces: OnFaces | None = None,
) -> FaceTracks:  # fmt: skip
    """Follow all faces through a video; memory holds some hundred bytes per frame and face.

    A face that was lost, left, or comes back after a cut keeps its number where it looks alike (`describe_likeness`);
    otherwise it is a new face. Too many faces is the safer error: a number stands for one person's mouth, from which
    new mouths are made.

    Args:
        frames: the video in order; cuts are looked for here where `mark_cuts` has not.
        backend: as `make_backend` builds it.
        on_faces: told of each frame, in order.
    Returns:
        The tracks; without any face they have no rows. Their meshes lie in a file where they are many.
    Source:
        Our choice.
    """
    with closing(ArrayFile()) as file:
        times_s, starts, pieces = _gather(frames, _Follower(backend), file, on_faces)
        owners = _join(pieces, file)
        numbers = np.array([n for piece in pieces for n in range(piece.start, piece.stop)], np.int32)
        faces = np.array([owner for owner, piece in zip(owners, pieces, strict=True) for _ in piece.meshes], np.int32)
        order = np.lexsort((numbers, faces))
        mesh = _read_meshes(pieces, file, order)
    colours = np.array([taken for piece in pieces for taken in piece.colours], np.uint8)[order]
    numbers, faces, points = numbers[order], faces[order], _read_landmarks(mesh)
    every, appears = np.ones(len(order), bool), _differs(faces) | _differs(np.cumsum(starts)[numbers])
    frame_to_crop = fit_crop(points, find_runs(every, appears | (np.diff(numbers, prepend=-1) != 1)), config)
    covered = [find_occluded(colours[a:b], points[a:b]) for a, b in find_runs(every, appears)]
    return FaceTracks(
        times_s, starts, numbers, faces, mesh, frame_to_crop,
        np.concatenate([np.zeros(0, bool), *covered]),
        measure_light(colours) if len(order) else np.zeros((0, 3), np.float32),
    )  # fmt: skip


def _gather(
    frames: Iterable[TimedFrame | MarkedFrame], follower: _Follower, file: ArrayFile, on_faces: OnFaces | None
) -> tuple[np.ndarray, np.ndarray, list[_Piece]]:  # fmt: skip
    """See all frames: their times (T,), where scenes begin (T,), and all pieces, whose meshes are kept in the file."""
    times_s, cuts = [], []
    for number, (item, after) in enumerate(_add_next(mark_cuts(frames))):
        times_s.append(item.time_s)
        cuts.append(item.is_cut)
        live = follower.step(number, item, None if after is None or after.is_cut else after.frame)
        faces = [to_landmarks(mesh) for _, mesh in live]
        for (piece, mesh), points in zip(live, faces, strict=True):
            piece.add(file.keep(mesh), item.frame, points)
        if on_faces:
            on_faces(number, faces)
    seen = [piece for piece in follower.pieces if piece.meshes]  # a face more than are followed has none
    return np.array(times_s, np.float64), np.array(cuts, bool), seen


@dataclass
class _Piece:
    """One face through neighbouring frames of one scene, from `start` on; its meshes are kept in a file."""

    start: int
    scene: int
    meshes: list[StoredArray | np.ndarray] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    likeness: np.ndarray | float = 0.0
    ahead: np.ndarray | None = None
    """Its mesh in the frame that comes next, where that is known already."""

    @property
    def stop(self) -> int:
        return self.start + len(self.meshes)

    def add(self, mesh: StoredArray | np.ndarray, frame: np.ndarray, points: np.ndarray) -> None:
        """Add a frame in which the face has this mesh and these points (68, 2)."""
        if len(self.meshes) % _LOOK_EVERY == 0:
            self.likeness = self.likeness + _describe(frame, points)
        self.meshes.append(mesh)
        self.colours.append(sample_places(frame, points))


_Live = list[tuple[_Piece, np.ndarray]]
"""The faces of a frame: each with its mesh."""


class _Follower:
    """Sees frame after frame; `pieces` grows."""

    def __init__(self, backend: FaceBackend) -> None:
        self.pieces: list[_Piece] = []
        self._backend = backend
        self._live: _Live = []
        self._scene, self._age, self._missing_until = 0, 0, 0

    def step(self, number: int, item: MarkedFrame, following: np.ndarray | None) -> _Live:
        """See frame `number`; `following` is the one after it, None where another scene or nothing follows."""
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
        self._age += 1
        return self._live

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


def _join(pieces: list[_Piece], file: ArrayFile) -> list[int]:
    """Tell whose face each piece is: numbers from 0 on, in the order of their first frames, from left to right."""
    begin, end = ([file.read(piece.meshes[place]) for piece in pieces] for place in (0, -1))
    order = sorted(range(len(pieces)), key=lambda i: (pieces[i].start, begin[i][:, 0].mean()))
    faces: list[list[int]] = []
    owners = [0] * len(pieces)
    for i in order:
        piece = pieces[i]
        best, owner = 0.0, len(faces)
        for number, known in enumerate(faces):
            if any(piece.start < pieces[j].stop for j in known):  # a face is in one place at a time
                continue
            alike = float(unit_row(sum(pieces[j].likeness for j in known)) @ unit_row(piece.likeness))
            place = overlap(end[known[-1]], begin[i])
            in_place = place > _SAME_PLACE and pieces[known[-1]].scene == piece.scene
            if alike > (_ALIKE_IN_PLACE if in_place else ALIKE) and alike + place > best:
                best, owner = alike + place, number
        if owner == len(faces):
            faces.append([])
        faces[owner].append(i)
        owners[i] = owner
    return owners


def _read_meshes(pieces: list[_Piece], file: ArrayFile, order: np.ndarray) -> np.ndarray:
    """Read all meshes into one array (M, 478, 3); `order` (M,) tells which of them comes in which row."""
    kept = [mesh for piece in pieces for mesh in piece.meshes]

    def make_blocks() -> Iterator[np.ndarray]:
        for rows in list_blocks(len(order), _BLOCK):
            yield np.stack([file.read(kept[row]) for row in order[rows].tolist()])

    return join_blocks(make_blocks, (len(order), POINTS, 3), np.float32)


def _read_landmarks(mesh: np.ndarray) -> np.ndarray:
    """Find the points (M, 68, 2) of meshes (M, 478, 3), which may lie in a file: some at a time."""
    parts = [to_landmarks(mesh[:0])]
    for rows in list_blocks(len(mesh), _BLOCK):
        parts.append(to_landmarks(mesh[rows]))
        drop_pages(mesh)
    return np.concatenate(parts)


def _differs(numbers: np.ndarray) -> np.ndarray:
    """Tell where each number is not the one before it, (N,); the first has none before it."""
    return np.diff(numbers, prepend=-1) != 0


def _describe(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    frame_to_crop = fit_crop(landmarks[None], [(0, 1)], CropConfig(size=_LIKENESS_PX))[0]
    return describe_likeness(crop_face(frame, frame_to_crop, _LIKENESS_PX))
