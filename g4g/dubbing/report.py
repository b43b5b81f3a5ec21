"""What a dub makes and tells: its frames, its report, its contact sheet."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from g4g.dubbing.people import Face
from g4g.errors import MediaError
from g4g.faces import FaceTracks, crop_face, eye_distance, head_yaw, warp_frame
from g4g.media import pick_frames
from g4g.media.picture import Patch, Picture, lay_patches
from g4g.media.sheet import paste_columns

_SHEET_TILE_PX = 256
FACE_TILE_PX, SHEET_FACES = 160, 8
"""Size of a face on the sheet of all faces, and how many stand beside each other."""


@dataclass(frozen=True)
class DubbedFace:
    """A new lower face: how much of it is `taken` (size, size), in a crop of the networks' size, and where that is."""

    taken: np.ndarray
    frame_to_crop: np.ndarray


@dataclass(frozen=True)
class DubbedFrame:
    """One frame of a dub before encoding; where the source passed through, `faces` is empty and `passed` says why.

    `source` and `frame` are RGB (H, W, 3); `alpha` is (H, W, 1) where the output holds the source's transparency,
    else (H, W, 0). `taken` and `frame_to_crop` are the first face's, or None. It is made of the source's `picture` and
    the `patches` that changed.
    """

    picture: Picture
    patches: tuple[Patch, ...]
    faces: tuple[DubbedFace, ...] = ()
    passed: str | None = None

    @cached_property
    def source(self) -> np.ndarray:
        return self.picture.whole()

    @cached_property
    def frame(self) -> np.ndarray:
        return lay_patches(self.picture, self.patches) if self.patches else self.source

    @property
    def alpha(self) -> np.ndarray:
        return self.picture.alpha

    @property
    def taken(self) -> np.ndarray | None:
        return self.faces[0].taken if self.faces else None

    @property
    def frame_to_crop(self) -> np.ndarray | None:
        return self.faces[0].frame_to_crop if self.faces else None


@dataclass(frozen=True)
class DubReport:
    """What a dub did, or after a dry run, would do.

    `frames_passed` are the source's own, `passed_why` counts them by reason; `faces` are all that are seen, the chosen
    ones marked; `cuts_s` tells when new scenes begin in the source; `seconds` per stage; `warnings` are sentences on
    what the output lacks or has otherwise. `offsets`, of the "source" with its own sound and of what is "dubbed", are
    frames of 1/25 s, > 0: the sound lies earlier than its lips; left out where the aligner cannot tell: below 3 s, in
    silence, where lips and sound do not belong together, with several speakers, and after a dry run. `average_teeth`:
    numbers of dubbed faces that never show their teeth, so that the average of many people's are drawn. `provenance`
    says how the output is marked as made by a machine.
    """

    output: Path
    frames: int
    frames_dubbed: int
    frames_passed: int
    passed_why: dict[str, int]
    fps: float
    duration_s: float
    faces: tuple[Face, ...]
    cuts_s: tuple[float, ...]
    offsets: dict[str, float]
    seconds: dict[str, float]
    sheet: Path | None
    warnings: tuple[str, ...]
    average_teeth: tuple[int, ...]
    provenance: str
    dry_run: bool

    def __str__(self) -> str:
        passed = "".join(f", {count} passed through ({why})" for why, count in self.passed_why.items())
        would = "not written; would have " if self.dry_run else ""
        done = f"{would}{self.frames_dubbed} of {self.frames} frames dubbed{passed}, {self.duration_s:.2f} s"
        notes = [f"  note: {warning}" for warning in self.warnings]
        notes += [f"  note: face {face} never shows its teeth: average ones are drawn" for face in self.average_teeth]
        return "\n".join([f"{self.output}: {done}", *notes, f"  provenance: {self.provenance}"])

    def to_json(self) -> str:
        """Return all fields as JSON text."""
        return json.dumps(asdict(self), default=str, indent=2, ensure_ascii=False)


def draw_sheet(items: list[DubbedFrame], path: str | Path) -> None:
    """Draw a contact sheet: rows of source, dubbed, and both mouths enlarged. Raises MediaError if the disk refuses."""
    columns = []
    for item in items:
        tiles = [item.source, item.frame]
        for face in item.faces:
            tiles += [crop_face(picture, face.frame_to_crop, 128)[56:, 16:112] for picture in tiles[:2]]
        columns.append(tiles)
    try:
        paste_columns(columns, _SHEET_TILE_PX).save(path)
    except OSError as error:
        raise MediaError(
            f"the video is written, but the contact sheet {path} cannot be: {error.strerror or error}"
        ) from error


def draw_faces(tracks: FaceTracks, video: str | Path, path: Path) -> None:
    """Draw a sheet of all faces with their numbers, each from the most frontal of its larger pictures.

    Args:
        tracks: all faces of the video, at least one.
        video: damaged places in it are passed over.
        path: picture to write.
    Raises:
        MediaError: it cannot be written.
    """
    wanted = defaultdict(list)
    for face in range(int(tracks.faces.max()) + 1):
        rows = np.flatnonzero(tracks.faces == face)
        sizes = eye_distance(tracks.landmarks[rows])
        rows = rows[sizes >= np.median(sizes)]
        row = rows[np.abs(head_yaw(tracks.landmarks[rows])).argmin()]
        wanted[int(tracks.frames[row])].append((face, tracks.landmarks[row]))
    heads = {
        face: _draw_head(frame, landmarks, face)
        for number, frame in pick_frames(video, wanted, on_fault=lambda fault: None)
        for face, landmarks in wanted[number]
    }
    tiles = [heads[face] for face in sorted(heads)]
    columns = [tiles[start::SHEET_FACES] for start in range(min(len(tiles), SHEET_FACES))]
    try:
        paste_columns(columns, FACE_TILE_PX).save(path)
    except OSError as error:
        raise MediaError(f"cannot write the sheet {path}: {error.strerror or error}") from error


def _draw_head(frame: np.ndarray, landmarks: np.ndarray, number: int) -> np.ndarray:
    """Cut a head out of its frame, square, and write its number into the corner."""
    centre, side = landmarks.mean(0), 2 * np.ptp(landmarks, axis=0).max()
    scale = side / FACE_TILE_PX
    crop_to_frame = np.array([[scale, 0, centre[0] - side / 2], [0, scale, centre[1] - side / 2]])
    tile = warp_frame(frame, crop_to_frame, (FACE_TILE_PX, FACE_TILE_PX))
    picture = Image.fromarray(tile)
    ImageDraw.Draw(picture).text(
        (6, 2), str(number), "white", ImageFont.load_default(FACE_TILE_PX // 5), stroke_width=3, stroke_fill="black"
    )
    return np.asarray(picture)
