"""Memory: what was freed goes back to the system, and what grows with a video's length lies in files."""

from __future__ import annotations

import ctypes
import sys
import tempfile

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
