"""Face tracks kept between runs: a dub that was killed, or tried dry, need not look for the faces again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from g4g import __version__
from g4g.avatar.packing import pack_tracks, unpack_tracks
from g4g.engine import find_user_folder
from g4g.faces import FaceTracks

MOST_BYTES = 256 * 1024 * 1024
"""The oldest files go when all together are larger (an hour of one face takes 263 MB)."""

_FORMAT = 5
_ENDING = ".tracks"


class TrackCache:
    """Keeps the finished face tracks of videos in a private folder.

    A video is known by its path, size and time of change; tracks of another version of g4g or another face backend are
    not used. Files are written whole and renamed. Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of_user(cls) -> TrackCache:
        """Use `tracks` in the user's cache folder."""
        folder = find_user_folder()
        return cls(folder / "tracks" if folder else None)

    def load(self, video: Path, backend: str) -> tuple[FaceTracks, list[str]] | None:
        """Return a video's tracks and the faults met while it was read; None: not kept, or the file is damaged."""
        if self._folder is None:
            return None
        file = self._file(video, backend)
        try:
            with safe_open(file, "np") as stored:
                faults = json.loads(stored.metadata()["faults"])
                tracks = unpack_tracks({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
            os.utime(file)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            return None
        return tracks, faults

    def save(self, video: Path, backend: str, tracks: FaceTracks, faults: list[str]) -> str | None:
        """Keep a video's tracks; return None, or in a sentence why they could not be kept."""
        if self._folder is None:
            return None
        arrays = {name: np.ascontiguousarray(array) for name, array in pack_tracks(tracks).items()}
        content = save(arrays, {"faults": json.dumps(faults)})
        if len(content) > MOST_BYTES:
            return None
        beside = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(".part", dir=self._folder)  # for the owner only
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(beside, self._file(video, backend))
            self._drop_oldest()
        except OSError as error:
            return f"the face tracks could not be kept for a later run: {error}"
        finally:
            if beside:
                with suppress(FileNotFoundError):
                    os.unlink(beside)
        return None

    def _file(self, video: Path, backend: str) -> Path:
        files = sorted(video.iterdir()) if video.is_dir() else [video]
        stats = [(str(file.resolve()), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
        key = json.dumps([_FORMAT, __version__, backend, stats])
        return self._folder / (hashlib.sha256(key.encode()).hexdigest()[:32] + _ENDING)

    def _drop_oldest(self) -> None:
        """Keep the newest files that fit; what a killed process left half written is as old as any other."""
        files = [(file, file.stat()) for file in self._folder.iterdir() if file.suffix in (_ENDING, ".part")]
        total = 0
        for file, stat in sorted(files, key=lambda item: -item[1].st_mtime_ns):
            total += stat.st_size
            if total > MOST_BYTES:
                file.unlink(missing_ok=True)
