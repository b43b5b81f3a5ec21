"""Stages that work side by side: each runs a little ahead of the one that waits for it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S, T = TypeVar("S"), TypeVar("T")
_AHEAD = 2
"""So many items wait between two stages: memory stays bounded."""
_LOOK_S = 0.1
"""A stage whose items nobody takes any more notices it within this time."""


def run_ahead(items: Iterable[T], ahead: int = _AHEAD) -> Iterator[T]:
    """Yield items that another thread makes, at most `ahead` of them before they are asked for.

    Args:
        items: made by one thread, in order; an exception comes out where its item would have.
        ahead: items that wait.
    Raises:
        Whatever making the items raises.
    """
    waiting: queue.Queue = queue.Queue(ahead)
    stop = threading.Event()
    thread = threading.Thread(target=_make, args=(items, waiting, stop), daemon=True)
    thread.start()
    try:
        while True:
            item, error, is_last = waiting.get()
            if error is not None:
                raise error
            if is_last:
                return
            handed = [item]
            del item  # nothing here holds it while the next one is waited for
            yield handed.pop()
    finally:
        stop.set()
        thread.join()


def map_ahead(work: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """Yield what `work` makes of each item, in order; so many threads work on neighbouring items.

    Args:
        work: called by several threads at the same time.
        items: taken by the thread that asks for results, at most `workers` more than it was given.
        workers: threads.
    Raises:
        Whatever `work` or making the items raises.
    """
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _make(items: Iterable, waiting: queue.Queue, stop: threading.Event) -> None:
    """Put (item, None, False) for each item, then an error or the end."""
    try:
        for item in items:
            handed = [(item, None, False)]
            del item  # nothing here holds it while the next one is made
            if not _put(waiting, handed.pop(), stop):
                break
        else:
            _put(waiting, (None, None, True), stop)
    except BaseException as error:  # it is raised again by whoever waits
        _put(waiting, (None, error, False), stop)
    finally:
        if hasattr(items, "close"):
            items.close()


def _put(waiting: queue.Queue, item: tuple, stop: threading.Event) -> bool:
    """Wait for room; False: nobody takes items any more."""
    while not stop.is_set():
        try:
            waiting.put(item, timeout=_LOOK_S)
            return True
        except queue.Full:
            continue
    return False
