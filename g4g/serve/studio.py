"""What the page can do, without the page: one job at a time, each visitor in a folder of their own."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from g4g.avatar.store import is_avatar
from g4g.dubbing import Dubber
from g4g.dubbing.report import FACE_TILE_PX, SHEET_FACES
from g4g.errors import ConfigError, MediaError
from g4g.media import probe
from g4g.media.decode import open_media
from g4g.media.ffmpeg import input_arguments, run_ffmpeg, to_url
from g4g.options import ServeOptions
from g4g.serve.progress import JobProgress, Stopped
from g4g.serve.speech import read_aloud

__all__ = ["Dubbed", "Stopped", "Studio"]

_PREVIEW_PX = 480
Tell = Callable[[float, str], None]


@dataclass
class _Visit:
    """One visitor: a folder that goes with them, and whether they want their job to end."""

    folder: Path
    stop: threading.Event = field(default_factory=threading.Event)
    jobs: int = 0

    def make_folder(self) -> Path:
        """Make a new folder for one job."""
        self.jobs += 1
        folder = self.folder / str(self.jobs)
        folder.mkdir()
        return folder


@dataclass(frozen=True)
class Dubbed:
    """A finished job: the dub, the source as a browser shows it (None: an avatar), the contact sheet, the report."""

    video: Path
    source: Path | None
    sheet: Path
    words: str


class Studio:
    """Does the visitors' jobs; a dub always carries its provenance.

    Args:
        dubber: does the work.
        folder: for everything that is uploaded or made; the caller removes it.
        limits: of what visitors may give.
        sign: as for `Dubber.dub`.
    """

    def __init__(self, dubber: Dubber, folder: Path, limits: ServeOptions, sign=None) -> None:
        self._dubber, self._folder, self._limits, self._sign = dubber, folder, limits, sign
        self._visits: dict[str, _Visit] = {}
        self._one_at_a_time = threading.Lock()

    def open_visit(self) -> str:
        """Let a visitor in; returns what they are known by, which nobody can guess."""
        name = secrets.token_urlsafe(16)
        folder = self._folder / name
        folder.mkdir()
        self._visits[name] = _Visit(folder)
        return name

    def close_visit(self, name: str) -> None:
        """Stop a visitor's job and remove all that was made for them."""
        visit = self._visits.pop(name, None)
        if visit is not None:
            visit.stop.set()
            shutil.rmtree(visit.folder, ignore_errors=True)

    def stop(self, name: str) -> None:
        """End a visitor's job at its next frame."""
        if name in self._visits:
            self._visits[name].stop.set()

    def speak(self, name: str, text: str | None, language: str) -> Path:
        """Read a text aloud, beside whatever job runs; returns the sound. Raises as `read_aloud`."""
        sound = self._find(name).make_folder() / "spoken.wav"
        read_aloud(text, language, sound, self._limits.max_minutes)
        return sound

    def list_faces(self, name: str, video: str | None, tell: Tell) -> list[tuple[Path, str]]:
        """Return a picture and a line on each face. Raises as `Dubber.list_faces`."""
        with self._job(name, tell) as (visit, progress):
            self._check(video)
            sheet = visit.make_folder() / "faces.png"
            faces = self._dubber.list_faces(video, sheet=sheet, progress=progress)
            return [(_cut_face(sheet, face.index), str(face)) for face in faces]

    def try_frame(self, name: str, video: str | None, sound: str | None, face: int | None, tell: Tell) -> Path:
        """Make the first dubbed frame; returns a picture of the source beside it. Raises as `Dubber.dub`."""
        with self._job(name, tell) as (visit, progress):
            self._check(video, sound)
            tell(0.0, "looking for faces and making one frame")
            for item in self._dubber.generate_frames(video, sound, face=face):
                progress.check()
                if item.passed is None:
                    picture = visit.make_folder() / "frame.png"
                    Image.fromarray(np.concatenate([item.source, item.frame], axis=1)).save(picture)
                    return picture
            raise MediaError("no frame of this video can be dubbed: the face is never seen frontally and free")

    def dub(self, name: str, video: str | None, sound: str | None, face: int | None, tell: Tell) -> Dubbed:
        """Dub a video. Raises as `Dubber.dub`, and Stopped."""
        with self._job(name, tell) as (visit, progress):
            self._check(video, sound)
            folder = visit.make_folder()
            out, sheet = folder / "dub.mp4", folder / "sheet.png"
            report = self._dubber.dub(
                video, sound, out, face=face, sheet=sheet, sign=self._sign, provenance=True, progress=progress
            )
            words = str(report).replace(f"{out}: ", "")
            return Dubbed(out, _make_preview(Path(video), folder, report.duration_s), sheet, words)

    @contextmanager
    def _job(self, name: str, tell: Tell):
        """Wait for the machine and give (visit, progress)."""
        visit = self._find(name)
        visit.stop.clear()
        with self._one_at_a_time:
            progress = JobProgress(visit.stop, tell)
            progress.check()
            yield visit, progress

    def _find(self, name: str) -> _Visit:
        if name not in self._visits:
            raise ConfigError("this visit has ended; load the page again")
        return self._visits[name]

    def _check(self, video: str | None, *sounds: str | None) -> None:
        """Raise where something is missing or longer than the limit."""
        if not video:
            raise ConfigError("give a video, a portrait or an avatar first")
        if not all(sounds):
            raise ConfigError("give a sound first: a file, a recording, or a spoken text")
        media = [*sounds] if is_avatar(video) or probe(Path(video)).is_still else [video, *sounds]
        for file in media:
            minutes = _measure_s(Path(file)) / 60
            if minutes > self._limits.max_minutes:
                raise ConfigError(
                    f"this page takes up to {self._limits.max_minutes:g} minutes, {Path(file).name} has {minutes:.1f}; "
                    "cut it"
                )


def _measure_s(file: Path) -> float:
    """Measure how long a video or sound lasts."""
    with open_media(file) as media:
        return (media.duration or 0) / 1e6


def _cut_face(sheet: Path, face: int) -> Path:
    """Cut one face out of the sheet of all."""
    x, y = face % SHEET_FACES * FACE_TILE_PX, face // SHEET_FACES * FACE_TILE_PX
    picture = sheet.with_name(f"face{face}.png")
    with Image.open(sheet) as whole:
        whole.crop((x, y, x + FACE_TILE_PX, y + FACE_TILE_PX)).save(picture)
    return picture


def _make_preview(video: Path, folder: Path, duration_s: float) -> Path | None:
    """Make what a browser can show of a source, whatever its codec; None of an avatar."""
    if is_avatar(video):
        return None
    small = ["-vf", f"scale=-2:'min({_PREVIEW_PX},trunc(ih/2)*2)'", "-an"]
    if probe(video).is_still:
        preview, how = folder / "source.png", ["-frames:v", "1"]
    else:
        preview = folder / "source.mp4"
        how = ["-t", f"{duration_s:.3f}", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    run_ffmpeg([*input_arguments(video), *small, *how, to_url(preview)], "show the source")
    return preview
