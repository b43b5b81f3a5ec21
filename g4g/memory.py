"""Memory: what was freed goes back to the system, and what grows with a video's length lies in files."""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

_ARENA_MAX = -8
"""glibc's M_ARENA_MAX."""
_POOLS = 2
"""More pools of freed memory hold 0.1 GB more with each dub; fewer make threads wait for each other."""


_LARGE_BYTES = 4 * 1024 * 1024
"""Arrays from this size on lie in files: those of videos of more than half a minute or two."""


def join_blocks(make_blocks: Callable[[], Iterable[np.ndarray]], shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Join blocks of rows to one array; a large one lies in an unnamed temporary file.

    Of that the memory never holds more than a block; its pages the system drops and reads as it needs them.

    Args:
        make_blocks: yields the rows in order, the same at each call: it is called again where the disk refuses.
        shape, dtype: of the whole.
    Returns:
        The array; it may be changed afterwards, the file is not.
    """
    if np.dtype(dtype).itemsize * math.prod(shape) >= _LARGE_BYTES:
        with contextlib.suppress(OSError), tempfile.TemporaryFile(prefix="g4g-") as file:
            for block in make_blocks():
                np.ascontiguousarray(block, dtype).tofile(file)
            file.flush()
            return np.asarray(np.memmap(file, dtype, "c", shape=shape))
    array, first = np.empty(shape, dtype), 0
    for block in make_blocks():
        array[first : first + len(block)] = block
        first += len(block)
    return array


def list_blocks(count: int, size: int) -> list[slice]:
    """List the rows of an array, some at a time: all at once would fill the memory."""
    return [slice(first, first + size) for first in range(0, count, size)]


def drop_pages(*arrays: np.ndarray) -> None:
    """Let this process hold nothing of arrays that lie in files: what is looked at again is read again.

    Args:
        arrays: as `join_blocks` and `read_waveform` give them, or views; they must never have been changed.
    """
    for array in arrays:
        while isinstance(array.base, np.ndarray):
            array = array.base
        if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            array.base.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, slots=True)
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
