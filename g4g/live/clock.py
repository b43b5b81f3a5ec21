"""The clock of a stream; tests put a simulated one in its place."""

from __future__ import annotations

import threading
import time


class WallClock:
    """Real time, in seconds."""

    def now_s(self) -> float:
        """Tell the time."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, wait_s: float | None) -> None:
        """Wait until notified, at most so long; the condition is held."""
        condition.wait(wait_s)
