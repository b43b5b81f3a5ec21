"""Kept between runs, for the user: face tracks, and what was learnt of people; neither is worked out again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from g4g import __version__
from g4g.avatar.learnt import Learnt
from g4g.avatar.packing import pack_tracks, unpack_tracks
from g4g.engine import find_user_folder
from g4g.faces import FaceTracks
from g4g.stamp import stamp_file

MOST_BYTES = 256 * 1024 * 1024
"""The oldest files go when all together are larger (an hour of one face takes 263 MB)."""

_FORMAT = 5


class FileCache:
    """Keeps files of tensors in a private folder of the user; without a folder nothing is kept.

    Files are written whole and renamed; the oldest ones go when all together are larger than MOST_BYTES.
    """

    def __init__(self, folder: Path | None, ending: str) -> None:
        self._folder, self._ending = folder, ending

    @classmethod
    def of_user(cls, name: str, ending: str) -> FileCache:
        """Use a folder of this name in the user's cache folder."""
        folder = find_user_folder()
        return cls(folder / name if folder else None, ending)

    def load(self, key: str) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
        """Return tensors and notes; None: not kept, or the file is damaged."""
        if self._folder is None:
            return None
        file = self.file(key)
        try:
            with safe_open(file, "np") as stored:
                found = {name: stored.get_tensor(name) for name in stored.keys()}, stored.metadata()  # noqa: SIM118
            os.utime(file)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            return None
        return found

    def save(
        self, key: str, make_arrays: Callable[[], dict[str, np.ndarray]], notes: dict[str, str]
    ) -> OSError | SafetensorError | None:  # fmt: skip
        """Keep tensors, which are only made where there is a folder; return why they could not be kept."""
        if self._folder is None:
            return None
        arrays = {name: np.ascontiguousarray(array) for name, array in make_arrays().items()}
        if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
            return None
        beside = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(".part", dir=self._folder)  # for the owner only
            os.close(handle)
            save_file(arrays, beside, notes)
            os.replace(beside, self.file(key))
            self._drop_oldest()
        except (OSError, SafetensorError) as error:
            return error
        finally:
            if beside:
                with suppress(FileNotFoundError):
                    os.unlink(beside)
        return None

    def file(self, key: str) -> Path:
        """Name the file of a key."""
        return self._folder / (hashlib.sha256(key.encode()).hexdigest()[:32] + self._ending)

    def _drop_oldest(self) -> None:
        """Keep the newest files that fit; what a killed process left half written is as old as any other."""
        files = [(file, file.stat()) for file in self._folder.iterdir() if file.suffix in (self._ending, ".part")]
        total = 0
        for file, stat in sorted(files, key=lambda item: -item[1].st_mtime_ns):
            total += stat.st_size
            if total > MOST_BYTES:
                file.unlink(missing_ok=True)


class TrackCache:
    """Keeps the finished face tracks of videos.

    A video is known by its path, size and time of change; tracks of another version of g4g or another face backend are
    not used.
    """

    def __init__(self, files: FileCache) -> None:
        self._files = files

    @classmethod
    def of_user(cls) -> TrackCache:
        """Use the user's folder."""
        return cls(FileCache.of_user("tracks", ".tracks"))

    def load(self, video: Path, backend: str) -> tuple[FaceTracks, list[str]] | None:
        """Return a video's tracks and the faults met while it was read; None: not kept, or the file is damaged."""
        if (found := self._files.load(_name_tracks(video, backend))) is None:
            return None
        try:
            return unpack_tracks(found[0]), json.loads(found[1]["faults"])
        except (KeyError, ValueError, TypeError):
            return None

    def save(self, video: Path, backend: str, tracks: FaceTracks, faults: list[str]) -> str | None:
        """Keep a video's tracks; return None, or in a sentence why they could not be kept."""
        key, notes = _name_tracks(video, backend), {"faults": json.dumps(faults)}
        error = self._files.save(key, lambda: pack_tracks(tracks), notes)
        return error and f"the face tracks could not be kept for a later run: {error}"


class LearntCache:
    """Keeps what was learnt of the people of videos; `key` tells video, person, weights and what else it came from."""

    def __init__(self, files: FileCache) -> None:
        self._files = files

    @classmethod
    def of_user(cls) -> LearntCache:
        """Use the user's folder."""
        return cls(FileCache.of_user("learnt", ".learnt"))

    def load(self, key: str) -> Learnt | None:
        """Return what was learnt; None: not kept, or the file is damaged."""
        if (found := self._files.load(key)) is None:
            return None
        try:
            return Learnt(found[0], float(found[1]["minutes"]), found[1]["summary"])
        except (KeyError, ValueError, TypeError):
            return None

    def save(self, key: str, learnt: Learnt) -> str | None:
        """Keep what was learnt; return None, or in a sentence why it could not be kept."""
        notes = {"minutes": str(learnt.minutes), "summary": learnt.summary}
        error = self._files.save(key, lambda: learnt.tensors, notes)
        return error and f"what was learnt could not be kept for a later run: {error}"


def stamp_video(video: Path) -> str:
    """Tell a video, or a folder of pictures, apart from others and from later versions of itself."""
    return f"{video.resolve()} {stamp_file(video)}"


def _name_tracks(video: Path, backend: str) -> str:
    return json.dumps([_FORMAT, __version__, backend, stamp_video(video)])
