"""Memory: what was freed goes back to the system, and what grows with a video's length lies in files."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

_ARENA_MAX = -8
"""glibc's M_ARENA_MAX."""
_POOLS = 2
"""More pools of freed memory hold 0.1 GB more with each dub; fewer make threads wait for each other."""


_LARGE_BYTES = 16 * 1024 * 1024
"""Arrays from this size on are mapped: those of videos of more than a minute or two."""


def map_large(array: np.ndarray) -> np.ndarray:
    """Lay a large array into an unnamed temporary file, whose pages the system drops and reads as it needs them.

    Args:
        array: of any shape; it may be changed afterwards, the file is not.
    Returns:
        The same numbers; a small array itself, and any array where the disk refuses.
    """
    if array.nbytes < _LARGE_BYTES:
        return array
    try:
        with tempfile.TemporaryFile(prefix="g4g-") as file:
            np.ascontiguousarray(array).tofile(file)
            file.flush()
            return np.asarray(np.memmap(file, array.dtype, "c", shape=array.shape))
    except OSError:
        return array


@dataclass(frozen=True)
class StoredArray:
    """Where an array begins in a file, and what it is."""

    place: int
    shape: tuple[int, ...]
    dtype: np.dtype


class ArrayFile:
    """Arrays in an unnamed temporary file: they take memory only when they are read, or where the disk refuses."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._end = 0

    def keep(self, array: np.ndarray) -> StoredArray | np.ndarray:
        """Write an array, which is not changed afterwards; `read` takes what this returns."""
        stored = StoredArray(self._end, array.shape, array.dtype)
        try:
            self._file = self._file or tempfile.TemporaryFile(prefix="g4g-", buffering=0)
            self._file.seek(self._end)
            if self._file.write(np.ascontiguousarray(array)) < array.nbytes:
                return array
        except OSError:
            return array
        self._end += array.nbytes
        return stored

    def read(self, kept: StoredArray | np.ndarray) -> np.ndarray:
        """Give back what `keep` took."""
        if isinstance(kept, np.ndarray):
            return kept
        array = np.empty(kept.shape, kept.dtype)
        self._file.seek(kept.place)
        self._file.readinto(array)
        return array

    def close(self) -> None:
        """Let go of all arrays."""
        if self._file is not None:
            self._file.close()


def limit_pools() -> None:
    """Let all threads share two pools of freed memory, where the C library is glibc: as it is, each gets its own."""
    if sys.platform == "linux":
        option = getattr(ctypes.CDLL(None), "mallopt", None)
        if option is not None:
            option(_ARENA_MAX, _POOLS)


def give_back_memory() -> None:
    """Give freed memory back to the system, where the C library can (glibc); some milliseconds.

    Every thread of a process frees into a pool of its own, and glibc gives such a pool back only from its end: after
    stages that run in threads, hundreds of MB that nobody uses would stay.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
