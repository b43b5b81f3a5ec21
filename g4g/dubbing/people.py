"""Who is in a video, who of them speaks, and whose face a dub drives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.errors import FaceError
from g4g.faces import FaceTracks, eye_distance, find_runs, mouth_shape
from g4g.options import SPEAKER, parse_face

FIT_UNIT = 0.7
"""So much more fit of lips and sound counts like a mouth that moves e times as far (our choice: of 900 pairs of
held-out clips with the sound of one, both speaking, it names the right one in 99.9 %, by 1.5 s of them in 99.6 %;
movement alone in 50 %)."""

_STEADY_SHARE = 0.5
"""Chosen are only faces seen so long, as a share of the one seen longest in the scene."""


@dataclass(frozen=True)
class Appearance:
    """A face in one scene: the `rows` of FaceTracks that hold it, its mean width and place in px.

    `moves_px`: standard deviation of the gap between the inner lips; `fit`: how much better lips and old sound agree in
    time than by chance, in deviations (`Offset.peak`), above 2.75 for most speakers, 0 where it was not measured.
    """

    face: int
    scene: int
    rows: np.ndarray
    width_px: float
    centre: tuple[float, float]
    moves_px: float
    fit: float = 0.0


@dataclass(frozen=True)
class Face:
    """One person of a video, as `g4g faces` lists them.

    `spans_s`: from when to when it is seen; `width_px`, `centre` (x, y) px: means; `speaks`, 0 to 1: its share of the
    speaking in its scenes, 1 for a face that is alone (told by movement alone where the choice did not need the sound);
    `chosen`: a dub drives it, at least in one scene.
    """

    index: int
    spans_s: tuple[tuple[float, float], ...]
    frames: int
    width_px: float
    centre: tuple[float, float]
    speaks: float
    chosen: bool

    def __str__(self) -> str:
        spans = ", ".join(f"{start:.2f}-{stop:.2f} s" for start, stop in self.spans_s)
        x, y = self.centre
        return f"face {self.index}: {self.width_px:.0f} px wide at {x:.0f},{y:.0f}, speaks {self.speaks:.2f}, {spans}"


def list_appearances(tracks: FaceTracks) -> list[Appearance]:
    """List every face in every scene, scene by scene."""
    scenes = tracks.scenes[tracks.frames]
    order = np.lexsort((tracks.faces, scenes))
    ends = np.flatnonzero((np.diff(scenes[order]) != 0) | (np.diff(tracks.faces[order]) != 0)) + 1
    return [_measure(tracks, rows, int(scenes[rows[0]])) for rows in np.split(order, ends) if len(rows)]


def _measure(tracks: FaceTracks, rows: np.ndarray, scene: int) -> Appearance:
    points = tracks.landmarks[rows]
    gaps_px = mouth_shape(points)[:, 0] * eye_distance(points)
    x, y = points.mean((0, 1)).tolist()
    width_px = float(np.ptp(points[..., 0], axis=1).mean())
    return Appearance(int(tracks.faces[rows[0]]), scene, rows, width_px, (x, y), float(gaps_px.std()))


def share_speech(appearances: list[Appearance]) -> np.ndarray:
    """Give each appearance its share of the speaking in its scene, (len(appearances),), 0 to 1.

    A mouth that is large and moves far counts more, much more where it fits the old sound, and by how long it is seen.
    """
    moves = np.array([len(a.rows) * (a.moves_px + 1e-6) for a in appearances])
    weights = moves * np.exp(np.array([a.fit for a in appearances]) / FIT_UNIT)
    scenes = np.array([a.scene for a in appearances], int)
    return weights / np.bincount(scenes, weights)[scenes]


def choose_faces(tracks: FaceTracks, appearances: list[Appearance], face: str | int | tuple | None) -> np.ndarray:
    """Choose the face that is dubbed, one per scene.

    Args:
        tracks: all faces.
        appearances: as `list_appearances` gives them, with their fit.
        face: "speaker" (or None), "left", "right" or "largest": in each scene; a number, or the pixel (x, y) of a face,
            also as text: this person wherever it is seen, nobody elsewhere.
    Returns:
        Numbers of faces, (scenes,), -1 where a scene has none to dub.
    Raises:
        ConfigError: face is none of these. FaceError: no face has this number, or ever covers this pixel.
    Source:
        Our choice. Shot and counter-shot show one face each, so that a rule dubs each in its turn, with the one sound
        of a whole dialogue; who wants one person only names it.
    """
    chosen = np.full(int(tracks.scenes[-1]) + 1, -1)
    wanted = parse_face(face)
    if isinstance(wanted, str):
        x = np.array([a.centre[0] for a in appearances])
        rank = {
            SPEAKER: share_speech(appearances),
            "left": -x,
            "right": x,
            "largest": np.array([a.width_px for a in appearances]),
        }[wanted]
        for scene in {a.scene for a in appearances}:
            here = [i for i, a in enumerate(appearances) if a.scene == scene]
            longest = max(len(appearances[i].rows) for i in here)
            steady = [i for i in here if len(appearances[i].rows) >= _STEADY_SHARE * longest]
            chosen[scene] = appearances[max(steady, key=rank.__getitem__)].face
        return chosen
    number = wanted if isinstance(wanted, int) else _find_face_at(tracks, *wanted)
    check_face(tracks, number)
    for a in appearances:
        if a.face == number:
            chosen[a.scene] = number
    return chosen


def check_face(tracks: FaceTracks, number: int) -> None:
    """Raise FaceError unless a face has this number."""
    last = int(tracks.faces.max())
    if not 0 <= number <= last:
        numbers = f"faces 0 to {last}" if last else "face 0 only"
        raise FaceError(f"there is no face {number}: the video has {numbers}; `g4g faces` shows them")


def _find_face_at(tracks: FaceTracks, x: float, y: float) -> int:
    """Number of the face whose box covers a pixel in most frames."""
    low, high = tracks.landmarks.min(1), tracks.landmarks.max(1)
    covers = ((low <= [x, y]) & (high >= [x, y])).all(1)
    if not covers.any():
        raise FaceError(f"no face ever covers the pixel {x:g},{y:g}; `g4g faces` tells where they are")
    return int(np.bincount(tracks.faces[covers]).argmax())


def describe_faces(tracks: FaceTracks, appearances: list[Appearance], fps: float, chosen: set[int]) -> tuple[Face, ...]:
    """Sum up each face over the whole video; `chosen` are those that a dub drives."""
    shares, faces = share_speech(appearances), []
    for number in range(int(tracks.faces.max(initial=-1)) + 1):
        own = [i for i, a in enumerate(appearances) if a.face == number]
        weights = np.array([len(appearances[i].rows) for i in own])
        mean = lambda values: float(np.average(list(values), weights=weights))  # noqa: B023, E731
        seen = np.zeros(len(tracks), bool)
        seen[tracks.frames[tracks.faces == number]] = True
        spans = [(tracks.times_s[a], tracks.times_s[b - 1] + 1 / fps) for a, b in find_runs(seen)]
        faces.append(
            Face(
                index=number,
                spans_s=tuple((round(float(a), 3), round(float(b), 3)) for a, b in spans),
                frames=int(weights.sum()),
                width_px=round(mean(appearances[i].width_px for i in own), 1),
                centre=tuple(round(mean(appearances[i].centre[axis] for i in own), 1) for axis in (0, 1)),
                speaks=round(mean(shares[i] for i in own), 3),
                chosen=number in chosen,
            )  # fmt: skip
        )
    return tuple(faces)
