"""Memory that was freed goes back to the system: the C library keeps much of it for later."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8
"""glibc's M_ARENA_MAX."""
_POOLS = 2
"""More pools of freed memory hold 0.1 GB more with each dub; fewer make threads wait for each other."""


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
