"""Avatars on disk: one file with the video's own bytes, arrays, and a header that says what made them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import zipfile
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from g4g.avatar.learnt import Learnt
from g4g.avatar.library import MouthLibrary
from g4g.avatar.packing import pack_tracks, unpack_tracks
from g4g.avatar.person import HeadTrack, Person
from g4g.avatar.prepare import Avatar
from g4g.errors import MediaError
from g4g.faces import FaceTracks, HeadPose
from g4g.media import probe
from g4g.motion import NeutralFace
from g4g.painter import Finish
from g4g.zoo import Models

_KIND, _VERSION = "g4g avatar", 3
_HEADER, _ARRAYS, _VIDEO = "avatar.json", "arrays.safetensors", "video/"
_BLOCK_BYTES = 1 << 20
_POSE = ("scale", "rotation", "shift")
_NEUTRAL = ("face", "per_degree", "degrees")
_LIBRARY = ("frames", "times_s", "shapes", "degrees", "light", "crops", "meshes")
_PARTS = ("speech", "motion", "generator", "fusion")
"""Networks that an avatar depends on: shapes and gain on the first two, the finish on those that paint."""


@dataclass(frozen=True)
class StoredAvatar(Avatar):
    """An avatar out of a file; `folder` holds its video, of this hash, and goes with it."""

    folder: tempfile.TemporaryDirectory | None = None
    video_sha256: str = ""


def is_avatar(path: str | Path) -> bool:
    """Tell whether a file was written by `save_avatar`, damaged or not."""
    path, start = Path(path), _HEADER.encode()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(30 + len(start))
    return head.startswith(b"PK\x03\x04") and head.endswith(start)


def save_avatar(path: Path, avatar: Avatar, models: Models) -> None:
    """Write an avatar, whole or not at all.

    Args:
        path: file to make or replace.
        avatar: with all its persons.
        models: the networks that made it.
    Raises:
        MediaError: the disk refuses.
    """
    video, arrays = avatar.info.path, save(_list_arrays(avatar))
    files = sorted(video.iterdir()) if video.is_dir() else [video]
    header = {
        "kind": _KIND, "version": _VERSION, "weights": hash_weights(models), "video": video.name,
        "is_folder": video.is_dir(), "video_sha256": _hash_files(files), "faces": sorted(avatar.persons),
        "arrays_sha256": hashlib.sha256(arrays).hexdigest(), "faults": avatar.faults,
        "gains": {face: person.gain for face, person in avatar.persons.items()},
        "finishes": {face: astuple(person.finish) for face, person in avatar.persons.items()},
        "scales": {face: person.scale for face, person in avatar.persons.items()},
        "learnt": {face: [one.learnt.minutes, one.learnt.summary] for face, one in avatar.persons.items()},
    }  # fmt: skip
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as stored:
            stored.writestr(_HEADER, json.dumps(header, indent=2))
            stored.writestr(_ARRAYS, arrays)
            for file in files:
                stored.write(file, _VIDEO + file.name)
        os.replace(beside, path)
    except OSError as error:
        raise MediaError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def load_avatar(path: Path, models: Models) -> StoredAvatar:
    """Read an avatar; its video is laid into a temporary folder that goes when the avatar does.

    Args:
        path: a file of `save_avatar`.
        models: networks, which must be those that made it.
    Raises:
        MediaError: the file is damaged, of another version, or made with other weights; or the disk is full.
    """
    folder = tempfile.TemporaryDirectory(prefix="g4g-")
    try:
        with zipfile.ZipFile(path) as stored:
            header = json.loads(stored.read(_HEADER))
            _check_header(path, header, models)
            content = stored.read(_ARRAYS)
            if hashlib.sha256(content).hexdigest() != header["arrays_sha256"]:
                raise ValueError("its arrays were changed")
            arrays = load(content)
            video = _unpack_video(stored, header, Path(folder.name))
        if _hash_files(sorted(video.iterdir()) if video.is_dir() else [video]) != header["video_sha256"]:
            raise ValueError("its video was changed")
        tracks = unpack_tracks(_pick(arrays, "tracks."))
        persons = {face: _read_person(arrays, header, tracks, face) for face in header["faces"]}
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError, SafetensorError, EOFError) as error:
        folder.cleanup()
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise MediaError(f"{path} is unpacked into {folder.name}: {error.strerror}; make room there") from error
        raise MediaError(f"{path} is damaged ({error}); make it again with `g4g avatar`") from error
    except BaseException:
        folder.cleanup()
        raise
    kept = folder, header["video_sha256"]
    return StoredAvatar(probe(video), tracks, arrays["speech"], persons, tuple(header["faults"]), (), *kept)


def hash_weights(models: Models, parts: tuple[str, ...] = _PARTS) -> str:
    """Name networks, by default those on which avatars depend, by a hash of their numbers, worked out once."""
    if parts not in models.hashes:
        digest = hashlib.sha256()
        for part in parts:
            for name, tensor in sorted(models.parts()[part].state_dict().items()):
                digest.update(f"{part}.{name}".encode())
                digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
        models.hashes[parts] = digest.hexdigest()
    return models.hashes[parts]


def _check_header(path: Path, header: dict, models: Models) -> None:
    """Raise MediaError where a header is none, of another version, or of other weights."""
    if header.get("kind") != _KIND or header.get("version") != _VERSION:
        raise MediaError(
            f"{path} is an avatar of version {header.get('version')}, this g4g reads version {_VERSION}; make it again "
            "with `g4g avatar`"
        )
    if header.get("weights") != hash_weights(models):
        raise MediaError(
            f"{path} was made with other weights than {models.name}; give those with --weights, or make it again with "
            "`g4g avatar`"
        )


def _list_arrays(avatar: Avatar) -> dict[str, np.ndarray]:
    arrays = {f"tracks.{name}": array for name, array in pack_tracks(avatar.tracks).items()}
    arrays["speech"] = avatar.speech
    for face, person in avatar.persons.items():
        parts = {f"pose.{name}": getattr(person.head.pose, name) for name in _POSE}
        parts |= {f"neutral.{name}": getattr(person.neutral, name) for name in _NEUTRAL}
        parts |= {f"library.{name}": getattr(person.library, name) for name in _LIBRARY}
        parts |= {"face": person.head.face, "shapes": person.shapes}
        parts |= {f"learnt.{name}": tensor for name, tensor in person.learnt.tensors.items()}
        arrays |= {f"{face}.{name}": array for name, array in parts.items()}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _pick(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _read_person(arrays: dict[str, np.ndarray], header: dict, tracks: FaceTracks, face: int) -> Person:
    own = _pick(arrays, f"{face}.")
    pose = HeadPose(*(own[f"pose.{name}"] for name in _POSE))
    return Person(
        HeadTrack.of(tracks, face, pose, own["face"]),
        NeutralFace(*(own[f"neutral.{name}"] for name in _NEUTRAL)),
        own["shapes"],
        header["gains"][str(face)],
        header["scales"][str(face)],
        MouthLibrary(**{name: own[f"library.{name}"] for name in _LIBRARY}),
        Finish(*header["finishes"][str(face)]),
        Learnt(_pick(own, "learnt."), *header["learnt"][str(face)]),
    )


def _unpack_video(stored: zipfile.ZipFile, header: dict, folder: Path) -> Path:
    """Lay the video, or the folder of pictures, into a folder under its own name."""
    name = Path(header["video"]).name
    place = folder / name if header["is_folder"] else folder
    place.mkdir(exist_ok=True)
    for entry in stored.infolist():
        if entry.filename.startswith(_VIDEO):
            target = place / Path(entry.filename).name
            with stored.open(entry) as source, target.open("wb") as file:
                while block := source.read(_BLOCK_BYTES):
                    file.write(block)
    return folder / name


def _hash_files(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while block := content.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
