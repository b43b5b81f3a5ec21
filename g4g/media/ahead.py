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
"""So many items are made before they are asked for: memory stays bounded."""
_LOOK_S = 0.1
"""A stage whose items nobody takes any more notices it within this time."""


def run_ahead(items: Iterable[T], ahead: int = _AHEAD) -> Iterator[T]:
    """Yield items that another thread makes, at most `ahead` of them before they are asked for.

    Args:
        items: made by one thread, in order; an exception comes out where its item would have.
        ahead: items that wait, the one that is being made included.
    Raises:
        Whatever making the items raises.
    """
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    room, stop = threading.Semaphore(ahead), threading.Event()
    thread = threading.Thread(target=_make, args=(items, waiting, room, stop), daemon=True)
    thread.start()
    try:
        while True:
            item, error, is_last = waiting.get()
            room.release()
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


def _make(items: Iterable, waiting: queue.SimpleQueue, room: threading.Semaphore, stop: threading.Event) -> None:
    """Put (item, None, False) for each item, each made when there is room for it, then an error or the end."""
    try:
        items = iter(items)
        while _wait_for(room, stop):
            # nothing here holds an item while the next one is made
            waiting.put((next(items), None, False))
    except StopIteration:
        waiting.put((None, None, True))
    except BaseException as error:  # it is raised again by whoever waits
        waiting.put((None, error, False))
    finally:
        if hasattr(items, "close"):
            items.close()


def _wait_for(room: threading.Semaphore, stop: threading.Event) -> bool:
    """Wait for room; False: nobody takes items any more."""
    while not stop.is_set():
        if room.acquire(timeout=_LOOK_S):
            return not stop.is_set()
    return False
