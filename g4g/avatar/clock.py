"""How long each stage of a dub takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Adds up the `seconds` of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, stage: str, progress: Callable[[str, int, int], None] | None = None) -> Iterator[None]:
        """Count the block's time for a stage; `progress` is told of its beginning and its end."""
        started = time.perf_counter()
        if progress:
            progress(stage, 0, 1)
        yield
        if progress:
            progress(stage, 1, 1)
        self.seconds[stage] += time.perf_counter() - started
