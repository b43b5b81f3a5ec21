"""Memory that was freed goes back to the system: the C library keeps much of it for later."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Give freed memory back to the system, where the C library can (glibc); some milliseconds.

    Every thread of a process frees into a pool of its own, and glibc gives such a pool back only from its end: after
    stages that run in threads, hundreds of MB that nobody uses would stay.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
