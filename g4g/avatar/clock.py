"""How long each stage of a dub takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up the `seconds` of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the block's time for a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started
