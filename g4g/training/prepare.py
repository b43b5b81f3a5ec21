"""Videos to training data: face crops, landmarks, sound and an index; resumable."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from g4g.checkpoints.atomic import write_whole
from g4g.config import AudioConfig, CropConfig
from g4g.dubbing.people import choose_faces, list_appearances
from g4g.errors import DataError, FaceError, G4GError
from g4g.faces import FaceTrack, FaceTracks, crop_face, follow_faces, make_backend
from g4g.media import probe, read_frames, read_waveform

INDEX_VERSION = 2
MIN_SHOT_FRAMES = 25
MAX_SHOT_FRAMES = 250
_PART = 20
"""After so many videos the index is written."""
VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v"}


def prepare(
    videos: Iterable[str | Path], folder: str | Path, *, face: str | int | tuple | None = "largest",
    faces: str = "mediapipe", workers: int = 1, enough_frames: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict:  # fmt: skip
    """Cut videos into shots of face crops with their sound; videos that are already in the index are skipped.

    Args:
        videos: files, or folders whose videos are taken.
        folder: receives index.json and shots/*.safetensors.
        face: whom to take where several are seen, as `Dubber.dub` names them; None: a video in which two people are
            seen most of the time is refused.
        faces: face backend by name.
        workers: processes side by side.
        enough_frames: no more is read of one video, nor another video once the index has so many.
        progress: called with (done, total, what happened).
    Returns:
        The index: {"version", "crop", "shots": [...], "failed": [{"source", "reason"}]}; videos that were not needed
        are in neither list.
    Raises:
        DataError: no video given, or nothing usable in any.
    """
    folder = Path(folder)
    (folder / "shots").mkdir(parents=True, exist_ok=True)
    files = list_videos(videos)
    index = _read_index(folder / "index.json")
    done = {shot["source"] for shot in index["shots"]}
    todo = [file for file in files if str(file.resolve()) not in done]
    names = _name_clips(todo, {shot["clip"] for shot in index["shots"]})
    index["failed"], number = [], 0
    part = workers if enough_frames else _PART
    with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for some in (todo[first : first + part] for first in range(0, len(todo), part)):
            if enough_frames and sum(shot["frames"] for shot in index["shots"]) >= enough_frames:
                break
            jobs = [_Job(file, names[file], folder, face, faces, enough_frames) for file in some]
            for job, (shots, reason) in zip(jobs, pool.map(_prepare_one, jobs), strict=True):
                number += 1
                index["shots"] += shots
                if reason:
                    index["failed"].append({"source": str(job.file.resolve()), "reason": reason})
                if progress:
                    progress(number, len(todo), f"{job.file.name}: {reason or f'{len(shots)} shots'}")
            _write_index(folder / "index.json", index)
    _write_index(folder / "index.json", index)
    if not index["shots"]:
        raise DataError(f"none of {len(files)} videos has a usable face and sound: {index['failed'][0]['reason']}")
    return index


def list_videos(paths: Iterable[str | Path]) -> list[Path]:
    """List video files, opening folders. Raises DataError when there are none."""
    files: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
        files += inside
    files = list(dict.fromkeys(files))
    if not files:
        raise DataError("no video given; name files, or folders with " + ", ".join(sorted(VIDEO_SUFFIXES)))
    return files


@dataclass(frozen=True)
class _Job:
    file: Path
    clip: str
    folder: Path
    face: str | int | tuple | None
    faces: str
    enough_frames: int | None


def _prepare_one(job: _Job) -> tuple[list[dict], str]:
    try:
        return _cut_shots(job), ""
    except G4GError as error:
        return [], str(error)


def _cut_shots(job: _Job) -> list[dict]:
    info = probe(job.file)
    waveform = read_waveform(job.file)
    track = _choose_track(job, follow_faces(islice(read_frames(job.file), job.enough_frames), make_backend(job.faces)))
    runs = [
        (start, min(start + MAX_SHOT_FRAMES, stop))
        for first, stop in track.runs()
        for start in range(first, stop, MAX_SHOT_FRAMES)
    ]
    runs = [(start, stop) for start, stop in runs if stop - start >= MIN_SHOT_FRAMES]
    if not runs:
        raise FaceError(f"no face for {MIN_SHOT_FRAMES} frames on end in {job.file.name}")
    shots = {start: [] for start, _ in runs}
    for number, item in enumerate(islice(read_frames(job.file), len(track))):
        for start, stop in runs:
            if start <= number < stop:
                shots[start].append(crop_face(item.frame, track.frame_to_crop[number], CropConfig().size))
        for start, stop in runs:
            if number == stop - 1:
                shots[start] = _save_shot(job, info.fps, track, waveform, start, np.stack(shots[start]))
    return list(shots.values())


def _choose_track(job: _Job, tracks: FaceTracks) -> FaceTrack:
    if not len(tracks.faces):
        raise FaceError(f"no face in {job.file.name}")
    appearances = list_appearances(tracks)
    largest = max(person.width_px for person in appearances)
    rows = np.concatenate([person.rows for person in appearances if person.width_px > largest / 2])
    seen = np.bincount(tracks.frames[rows])
    if job.face is None and (seen > 1).sum() > (seen > 0).sum() / 2:
        raise FaceError(
            f"two people at once for most of {job.file.name}: say whom to take by --face left, right, largest, a "
            "number that g4g faces lists, or x,y"
        )
    return tracks.select(choose_faces(tracks, appearances, "largest" if job.face is None else job.face))


def _save_shot(job: _Job, fps, track, waveform, start, crops) -> dict:
    stop = start + len(crops)
    rate = AudioConfig().sample_rate
    first = int(track.times_s[start] * rate)
    last = int((track.times_s[stop - 1] + 1 / fps) * rate)
    name = f"{job.clip}_{start}" if start else job.clip
    target = job.folder / "shots" / f"{name}.safetensors"
    tensors = {
        "crops": crops,
        "landmarks": track.crop_landmarks(slice(start, stop)),
        "times_s": track.times_s[start:stop] - first / rate,
        "waveform": np.array(waveform[first:last], dtype=np.float32),
        "frame_to_crop": track.frame_to_crop[start:stop].astype(np.float32),
    }
    write_whole(target, save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))
    return {
        "name": name, "clip": job.clip, "file": f"shots/{target.name}",
        "source": str(job.file.resolve()), "speaker": speaker_of(job.file),
        "frames": len(crops), "fps": fps, "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }  # fmt: skip


def _name_clips(files: list[Path], taken: set[str]) -> dict[Path, str]:
    """Name clips as the split does; a name that another video has gets a number."""
    names: dict[Path, str] = {}
    for file in files:
        tries = itertools.chain([clip_of(file)], (f"{clip_of(file)}-{n}" for n in itertools.count(2)))
        names[file] = next(name for name in tries if name not in taken)
        taken = taken | {names[file]}
    return names


def clip_of(file: Path) -> str:
    """Name the clip of a video, as the split does: its folder and its file's stem."""
    return f"{file.resolve().parent.name}_{file.stem}"


def speaker_of(file: Path) -> str:
    """Name the speaker: the folder, or in a folder of many the file name's part before the first underscore."""
    folder = file.resolve().parent.name
    return file.stem.split("_")[0] if folder == "others" else folder.removeprefix("raw_")


def _read_index(path: Path) -> dict:
    fresh = {"version": INDEX_VERSION, "crop": asdict(CropConfig()), "shots": [], "failed": []}
    if not path.is_file():
        return fresh
    index = json.loads(path.read_text())
    if index["version"] != INDEX_VERSION or json.dumps(index["crop"]) != json.dumps(fresh["crop"]):
        raise DataError(f"{path} was prepared by another version or with other crops; prepare into an empty folder")
    return index


def _write_index(path: Path, index: dict) -> None:
    write_whole(path, json.dumps(index, indent=1).encode())
