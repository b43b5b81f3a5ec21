"""Lists of jobs: CSV, JSON lines, a folder of pairs, or dictionaries."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import get_type_hints

from g4g.errors import ConfigError, DataError
from g4g.options import DubOptions

OWN_COLUMNS = ("video", "avatar", "audio", "out")
"""Columns beside the options of a dub."""
VIDEO_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".png", ".jpg", ".jpeg"})
SOUND_ENDINGS = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus"})
"""Files of a folder that are taken for videos, stills and sounds."""
_SAME_CONTAINER = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""Videos whose dub has their own ending; the others become .mp4."""
_FLAGS = {"": None, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


@dataclass(frozen=True)
class Job:
    """One dub of a list.

    Attributes:
        row: its number in the list, from 1.
        out: output, below the batch's folder.
        source: video, still, folder of pictures or avatar file.
        audio: the new sound, or None where the options name speakers.
        options: what `DubOptions` takes, but for the sheet.
        sheet: contact sheet, below the batch's folder.
        problem: why it can't be done, in a sentence; None: it can be tried.
    """

    row: int
    out: PurePosixPath
    source: Path | None = None
    audio: Path | None = None
    options: dict[str, object] = field(default_factory=dict)
    sheet: PurePosixPath | None = None
    problem: str | None = None

    @property
    def video_key(self) -> tuple[Path | None, bool]:
        """What jobs have in common that share an avatar."""
        return self.source, bool(self.options.get("tolerant"))

    def inputs(self) -> dict[str, Path]:
        """Name every file that the dub reads by the column that it is given in."""
        files = {"source": self.source, "audio": self.audio, "voice": self.options.get("voice")}
        files |= {f"speaker {number}": sound for number, sound in self.options.get("speakers", {}).items()}
        return {name: file for name, file in files.items() if file is not None}


def read_jobs(jobs: str | Path | Iterable[dict]) -> list[Job]:
    """Read a list of jobs.

    Args:
        jobs: a CSV file with a header, a file of JSON lines (.jsonl, .ndjson), or dictionaries: `video` (or `avatar`),
            `audio`, `out`, and any field of `DubOptions`; paths are relative to the file's folder (dictionaries: to
            the present one), `out` and `sheet` to the batch's. In CSV `speakers` reads 0=ann.wav;1=ben.wav. Or a
            folder: each video with the sounds that begin with its name, such as ann.mp4 with ann.wav or ann.german.wav.
    Returns:
        Jobs; one that can not be understood carries its `problem`.
    Raises:
        DataError: no such file, nothing in it, an unknown column, or two jobs with one output.
    """
    if isinstance(jobs, (str, Path)):
        path = Path(jobs)
        base = path if path.is_dir() else path.parent
        rows, where = list(_read_file(path)), str(path)
    else:
        base, rows, where = Path(), list(jobs), "the list"
    if not rows:
        raise DataError(f"{where} holds no job; give rows with video, audio and out")
    base = base.absolute()  # workers elsewhere have another present folder
    _check_columns(rows, where)
    found = [_make_job(number, row, base) for number, row in enumerate(rows, 1)]
    counts = Counter(str(job.out) for job in found if job.problem is None)
    twice = next((out for out, count in counts.items() if count > 1), None)
    if twice:
        numbers = ", ".join(str(job.row) for job in found if str(job.out) == twice)
        raise DataError(f"jobs {numbers} of {where} have the same output {twice}; give each its own")
    return found


def _read_file(path: Path) -> Iterator[dict]:
    if path.is_dir():
        yield from _pair_files(path)
        return
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a CSV file, JSON lines, or a folder of videos and sounds")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}); store it as UTF-8") from error
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from (_read_line(line) for line in text.splitlines() if line.strip())
        return
    yield from csv.DictReader(text.splitlines(), restkey="more", restval="")


def _read_line(line: str) -> dict:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return {"problem": f"the line is no JSON ({error.msg} at character {error.pos + 1})"}
    return row if isinstance(row, dict) else {"problem": "the line is no JSON object"}


def _pair_files(folder: Path) -> Iterator[dict]:
    """List each video of a folder with each of its sounds; a lonely one is a job with a problem."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    sounds = [file for file in files if file.suffix.lower() in SOUND_ENDINGS]
    paired = set()
    for video in (file for file in files if file.suffix.lower() in VIDEO_ENDINGS):
        own = [sound for sound in sounds if sound.stem == video.stem or sound.stem.startswith(f"{video.stem}.")]
        ending = video.suffix if video.suffix.lower() in _SAME_CONTAINER else ".mp4"
        paired.update(own)
        for sound in own:
            yield {"video": video.name, "audio": sound.name, "out": sound.stem + ending}
        if not own:
            yield {"out": video.name, "problem": f"no sound beside {video}: name one {video.stem}.wav"}
    for sound in sounds:
        if sound not in paired:
            yield {"out": sound.name, "problem": f"no video beside {sound}: name one {sound.stem}.mp4"}


def _check_columns(rows: list[dict], where: str) -> None:
    known = {*OWN_COLUMNS, *DubOptions.__dataclass_fields__, "problem", "more"}
    unknown = {str(name) for row in rows for name in row} - known
    if unknown:
        raise DataError(
            f"{where} has unknown columns {', '.join(sorted(unknown))}; known are "
            f"{', '.join([*OWN_COLUMNS, *DubOptions.__dataclass_fields__])}"
        )


def _make_job(number: int, row: dict, base: Path) -> Job:
    given = {name: value for name, value in row.items() if value is not None and value != ""}
    out = PurePosixPath(str(given.get("out", f"row-{number}")))
    try:
        return _read_job(number, given, base)
    except ConfigError as error:
        return Job(number, out, problem=str(error))


def _read_job(number: int, given: dict, base: Path) -> Job:
    if "problem" in given:
        raise ConfigError(str(given["problem"]))
    if "more" in given:
        raise ConfigError("the row has more cells than the header; put texts with commas into quotes")
    if ("video" in given) == ("avatar" in given):
        raise ConfigError("a job has either a video or an avatar; give one of the two")
    if "out" not in given:
        raise ConfigError("the job has no out; name the video to write")
    if "audio" not in given and "speakers" not in given:
        raise ConfigError("the job has no audio; name the new sound")
    options = {
        name: read_option(name, value, base) for name, value in given.items() if name not in (*OWN_COLUMNS, "sheet")
    }
    DubOptions(**options)
    return Job(
        number, _read_inside("out", given["out"]), _read_path(given.get("video", given.get("avatar")), base),
        _read_path(given["audio"], base) if "audio" in given else None, options,
        _read_inside("sheet", given["sheet"]) if "sheet" in given else None,
    )  # fmt: skip


def read_option(name: str, value: object, base: Path) -> object:
    """Turn a cell into what the field of `DubOptions` of this name takes. Raises ConfigError where it can't be."""
    reader = _readers()[name]
    try:
        return reader(value, base)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{name} can not be {value!r}; see g4g dub --help for what it takes") from error


def _readers() -> dict[str, Callable[[object, Path], object]]:
    """Give each field of `DubOptions` its reader by its type."""
    kinds = {
        bool: _read_flag, float: _read_number(float), float | None: _read_number(float),
        int | None: _read_number(int), str: lambda value, base: str(value),
        str | None: lambda value, base: str(value), str | Path | None: _read_path,
        str | int | tuple[float, float] | None: _read_face, dict[int, str | Path]: _read_speakers,
        tuple[str | Path, str | Path] | None: _read_pair,
    }  # fmt: skip
    return {name: kinds[hint] for name, hint in get_type_hints(DubOptions).items()}


def _read_number(kind: type) -> Callable[[object, Path], object]:
    def read(value: object, base: Path) -> object:
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError(value)
        return kind(value)

    return read


def _read_flag(value: object, base: Path) -> bool:
    return value if isinstance(value, bool) else bool(_FLAGS[str(value).strip().lower()])


def _read_face(value: object, base: Path) -> object:
    return tuple(value) if isinstance(value, list) else value


def _read_path(value: object, base: Path) -> Path:
    return base / str(value)


def _read_pair(value: object, base: Path) -> tuple[Path, Path]:
    first, second = value.split(";") if isinstance(value, str) else value
    return base / first.strip(), base / second.strip()


def _read_speakers(value: object, base: Path) -> dict[int, Path]:
    if isinstance(value, str):
        value = dict(part.split("=", 1) for part in value.split(";") if part.strip())
    return {int(number): base / str(sound).strip() for number, sound in dict(value).items()}


def _read_inside(name: str, value: object) -> PurePosixPath:
    """Read an output's path, which must lie below the batch's folder and outside its hidden one."""
    path = PurePosixPath(str(value))
    if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0].startswith("."):
        raise ConfigError(
            f"{name} must lie below the batch's output folder, got {value}; write a name such as ann/de.mp4"
        )
    return path
