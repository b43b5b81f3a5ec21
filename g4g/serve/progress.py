"""How far a job is and how long it will take, in words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from g4g.errors import G4GError

_NAMES = {
    "audio": "reading the sound", "faces": "looking for faces", "speech": "listening", "shapes": "measuring mouths",
    "library": "collecting mouths", "finish": "trying how mouths are finished", "motion": "moving mouths",
    "dub": "dubbing", "write": "writing",
}  # fmt: skip
_IN_FRAMES = ("faces", "library", "dub")
"""Stages that count frames; the others are one step each."""
_SURE_SHARE = 0.05
"""A guess of the time left is told from this share of the work on."""


class Stopped(G4GError):
    """The visitor stopped the job."""


class JobProgress:
    """Hears of every step of a job, passes it on in words, and ends the job where the visitor has stopped it."""

    def __init__(self, stop: threading.Event, tell: Callable[[float, str], None]) -> None:
        self._stop, self._tell = stop, tell
        self._stage, self._start_s = "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take one report of a stage. Raises Stopped."""
        self.check()
        if stage != self._stage:
            self._stage, self._start_s = stage, time.monotonic()
        share = done / max(total, 1)
        words = _NAMES.get(stage, stage)
        if stage in _IN_FRAMES:
            words += f": {done} of {total} frames"
            if share >= _SURE_SHARE:
                left_s = (time.monotonic() - self._start_s) * (1 - share) / share
                words += f", about {left_s:.0f} s left"
        self._tell(share, words)

    def check(self) -> None:
        """Raise Stopped where the visitor has stopped the job."""
        if self._stop.is_set():
            raise Stopped("stopped; nothing was written")
