"""Videos and stills to training data: face crops, meshes, sound and an index; resumable."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from g4g.checkpoints.atomic import write_whole
from g4g.config import CropConfig
from g4g.engine import limit_threads, share_threads
from g4g.errors import ConfigError, DataError, G4GError, ResourceError
from g4g.options import CROP_PX, FACES, WORKERS, check_backend
from g4g.settings import as_paths, check_exists
from g4g.stamp import stamp_file
from g4g.training.cutting import MIN_SHOT_FRAMES, STRETCH_FRAMES, Cut, Job, cut_shots
from g4g.training.data import INDEX_VERSION, check_version

_PART = 20
"""After so many videos the index is written."""
_WORTH_A_WORD_S = 1.0
"""What is left out of a video is listed if it lasts so long."""
VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v"}
STILL_SUFFIXES = {".jpg", ".jpeg", ".png"}
_CROP_PX_LIMITS = (64, 512)


def prepare(
    videos: str | Path | Iterable[str | Path], folder: str | Path, *, face: str | int | tuple | None = "largest",
    faces: str = FACES, workers: int = WORKERS, enough_frames: int | None = None, crop_px: int = CROP_PX,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict:  # fmt: skip
    """Cut videos into shots of face crops with mesh and sound; videos that are already in the index are skipped.

    Args:
        videos: files, or folders whose videos and stills are taken; a still is a shot of one frame without sound. A
            single path is a list of one.
        folder: receives index.json and shots/*.safetensors.
        face: whom to take where several are seen, as `Dubber.dub` names them; None: stretches in which two people are
            seen most of the time are left out.
        faces: face backend by name.
        workers: processes side by side.
        enough_frames: no more are cut, at 25 frames/s, shared out among the videos.
        crop_px: side of the stored crops; they show the same part of the face whatever it is.
        progress: called with (stage, done, total).
    Returns:
        The index: {"version", "crop", "crop_px", "shots": [...], "left_out": [{"source", "seconds", "reason"}],
        "failed": [{"source", "reason"}]}; videos that were not needed are in no list.
    Raises:
        DataError: no video given, or nothing usable in any.
        ConfigError: no worker, crops of no use, or no such face backend.
        ResourceError: a worker died.
    """
    check_backend(faces)
    if workers < 1:
        raise ConfigError(f"at least one worker is needed, got {workers}")
    if not _CROP_PX_LIMITS[0] <= crop_px <= _CROP_PX_LIMITS[1]:
        raise ConfigError(f"crops have {_CROP_PX_LIMITS[0]} to {_CROP_PX_LIMITS[1]} px each way, got {crop_px}")
    folder, files = Path(folder), list_videos(videos)
    (folder / "shots").mkdir(parents=True, exist_ok=True)
    index = _read_index(folder / "index.json", files, crop_px)
    done = {shot["source"] for shot in index["shots"]}
    todo = [file for file in files if str(file.resolve()) not in done]
    names = _name_clips(todo, {shot["clip"] for shot in index["shots"]})
    index["failed"], number = [], 0
    part = workers if enough_frames else _PART
    with _start_workers(workers) as pool:
        for first in range(0, len(todo), part):
            share = _share_out(index, enough_frames, len(todo) - first)
            if share is not None and share < MIN_SHOT_FRAMES:
                break
            jobs = [Job(file, names[file], folder, face, faces, share, crop_px) for file in todo[first : first + part]]
            for job, (cut, reason) in zip(jobs, pool.map(_cut_or_say_why, jobs), strict=True):
                number += 1
                _enter(index, job, cut, reason)
                if progress:
                    progress("prepare", number, len(todo))
            _write_index(folder / "index.json", index)
            for job in jobs:
                job.part.unlink(missing_ok=True)
    _write_index(folder / "index.json", index)
    if not index["shots"]:
        reasons = "".join(f"\n  {Path(failure['source']).name}: {failure['reason']}" for failure in index["failed"])
        raise DataError(f"none of {len(files)} videos has a usable face and sound:{reasons}")
    return index


def list_videos(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """List videos and stills, opening folders.

    Raises:
        DataError: there are none. MediaError: there is no such file.
    """
    files, suffixes = [], VIDEO_SUFFIXES | STILL_SUFFIXES
    given = as_paths(paths, "videos")
    check_exists(given)
    for path in given:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes) if path.is_dir() else [path]
        files += inside
    files = list(dict.fromkeys(files))
    if not files:
        raise DataError("no video given; name files, or folders with " + ", ".join(sorted(suffixes)))
    return files


def clip_of(file: Path) -> str:
    """Name the clip of a video, as the split does: its folder and its file's stem."""
    return f"{file.resolve().parent.name}_{file.stem}"


@contextmanager
def _start_workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes; Ctrl-C ends them at once and without a word."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # forked, they could wait for ever for threads that only we have
    with ProcessPoolExecutor(count, context, _begin_worker, (share_threads(count),)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise
        except BrokenProcessPool as error:
            raise ResourceError(
                "a process that prepares videos was killed, most likely for want of memory; the same command goes on, "
                "take fewer workers"
            ) from error


def _begin_worker(threads: int) -> None:
    limit_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent's own way to end is not for workers


def _cut_or_say_why(job: Job) -> tuple[Cut | None, str]:
    try:
        return cut_shots(job), ""
    except G4GError as error:
        return None, str(error)


def _share_out(index: dict, enough_frames: int | None, files: int) -> int | None:
    """How many frames to take of each of the next videos, `files` being left: an equal share, but not too short."""
    if enough_frames is None:
        return None
    missing = enough_frames - sum(shot["frames"] for shot in index["shots"])
    return min(missing, max(-(-missing // files), STRETCH_FRAMES))


def _enter(index: dict, job: Job, cut: Cut | None, reason: str) -> None:
    """Enter a video in the index."""
    source = str(job.file.resolve())
    if cut is None:
        index["failed"].append({"source": source, "reason": reason})
        return
    index["shots"] += cut.shots
    index["left_out"] += [
        {"source": source, "seconds": seconds, "reason": why}
        for why, seconds in cut.left_out.items()
        if seconds >= _WORTH_A_WORD_S
    ]


def _name_clips(files: list[Path], taken: set[str]) -> dict[Path, str]:
    """Name clips as the split does; a name that another video has gets a number."""
    names: dict[Path, str] = {}
    for file in files:
        tries = itertools.chain([clip_of(file)], (f"{clip_of(file)}-{n}" for n in itertools.count(2)))
        names[file] = next(name for name in tries if name not in taken)
        taken = taken | {names[file]}
    return names


def _read_index(path: Path, files: list[Path], crop_px: int) -> dict:
    """Read the index of an earlier run, without those of the `files` that were changed since."""
    fresh = {"version": INDEX_VERSION, "crop": asdict(CropConfig()), "crop_px": crop_px}
    fresh |= {"shots": [], "left_out": [], "failed": []}
    if not path.is_file():
        return fresh
    index = json.loads(path.read_text())
    check_version(index, path)
    if any(json.dumps(index[name]) != json.dumps(fresh[name]) for name in ("crop", "crop_px")):
        raise DataError(f"{path} was prepared with other crops; prepare into an empty folder")
    stamps = {str(file.resolve()): stamp_file(file) for file in files if file.is_file()}
    changed = {s["source"] for s in index["shots"] if s["stamp"] != stamps.get(s["source"], s["stamp"])}
    for name in ("shots", "left_out"):
        index[name] = [row for row in index[name] if row["source"] not in changed]
    return index


def _write_index(path: Path, index: dict) -> None:
    write_whole(path, json.dumps(index, indent=1).encode())
