"""Videos to training data: face crops, landmarks, sound and an index; resumable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from g4g.config import AudioConfig, CropConfig
from g4g.errors import DataError, FaceError, G4GError
from g4g.faces import crop_face, make_backend, track_faces
from g4g.media import probe, read_frames, read_waveform

INDEX_VERSION = 2
MIN_SHOT_FRAMES = 25
MAX_SHOT_FRAMES = 250
VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v"}


def prepare(
    videos: Iterable[str | Path], folder: str | Path, *, faces: str = "mediapipe", workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict:  # fmt: skip
    """Cut videos into shots of face crops with their sound; videos that are already in the index are skipped.

    Args:
        videos: files, or folders whose videos are taken.
        folder: receives index.json and shots/*.safetensors.
        faces: face backend by name.
        workers: processes side by side.
        progress: called with (done, total, what happened).
    Returns:
        The index: {"version", "crop", "shots": [...], "failed": [{"source", "reason"}]}.
    Raises:
        DataError: no video given, or nothing usable in any.
    """
    folder = Path(folder)
    (folder / "shots").mkdir(parents=True, exist_ok=True)
    files = list_videos(videos)
    index = _read_index(folder / "index.json")
    done = {shot["source"] for shot in index["shots"]}
    todo = [file for file in files if str(file.resolve()) not in done]
    index["failed"] = []
    with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for number, (file, shots, reason) in enumerate(pool.map(_prepare_one, [(f, folder, faces) for f in todo]), 1):
            index["shots"] += shots
            if reason:
                index["failed"].append({"source": str(file.resolve()), "reason": reason})
            if number % 20 == 0:
                _write_index(folder / "index.json", index)
            if progress:
                progress(number, len(todo), f"{file.name}: {reason or f'{len(shots)} shots'}")
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
    if not files:
        raise DataError("no video given; name files, or folders with " + ", ".join(sorted(VIDEO_SUFFIXES)))
    return files


def _prepare_one(job: tuple[Path, Path, str]) -> tuple[Path, list[dict], str]:
    file, folder, faces = job
    try:
        return file, _cut_shots(file, folder, faces), ""
    except G4GError as error:
        return file, [], str(error)


def _cut_shots(file: Path, folder: Path, faces: str) -> list[dict]:
    info = probe(file)
    waveform = read_waveform(file)
    track = track_faces(read_frames(file), make_backend(faces))
    runs = [
        (start, min(start + MAX_SHOT_FRAMES, stop))
        for first, stop in track.runs()
        for start in range(first, stop, MAX_SHOT_FRAMES)
    ]
    runs = [(start, stop) for start, stop in runs if stop - start >= MIN_SHOT_FRAMES]
    if not runs:
        raise FaceError(f"no face for {MIN_SHOT_FRAMES} frames on end in {file.name}")
    shots = {start: [] for start, _ in runs}
    for number, item in enumerate(read_frames(file)):
        for start, stop in runs:
            if start <= number < stop:
                shots[start].append(crop_face(item.frame, track.frame_to_crop[number], CropConfig().size))
        for start, stop in runs:
            if number == stop - 1:
                shots[start] = _save_shot(folder, file, info.fps, track, waveform, start, np.stack(shots[start]))
    return list(shots.values())


def _save_shot(folder, file, fps, track, waveform, start, crops) -> dict:
    stop = start + len(crops)
    rate = AudioConfig().sample_rate
    first = int(track.times_s[start] * rate)
    last = int((track.times_s[stop - 1] + 1 / fps) * rate)
    clip = clip_of(file)
    name = f"{clip}_{start}" if start else clip
    target = folder / "shots" / f"{name}.safetensors"
    temporary = target.with_suffix(".part")
    tensors = {
        "crops": crops,
        "landmarks": track.crop_landmarks(slice(start, stop)),
        "times_s": track.times_s[start:stop] - first / rate,
        "waveform": np.array(waveform[first:last], dtype=np.float32),
        "frame_to_crop": track.frame_to_crop[start:stop].astype(np.float32),
    }
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, temporary)
    os.replace(temporary, target)
    return {
        "name": name, "clip": clip, "file": f"shots/{target.name}",
        "source": str(file.resolve()), "speaker": speaker_of(file),
        "frames": len(crops), "fps": fps, "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }  # fmt: skip


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
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(index, indent=1))
    os.replace(temporary, path)
