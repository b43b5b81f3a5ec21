"""Ctrl-C as a wish to end cleanly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def caught_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a clean stop, which the given function tells; the second one interrupts as usual."""
    caught = []

    def note(signum, frame):
        caught.append(signum)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():  # the caller stops us by other means
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(caught)
    finally:
        signal.signal(signal.SIGINT, before)
