"""A stream on simulated time, with a maker that plants what it is asked for."""

from __future__ import annotations

import threading
import time

import numpy as np

from g4g.live import LiveFrame, SegmentEnd, StreamStats
from g4g.live.clock import WallClock
from g4g.live.maker import MadeFrame, MouthState
from g4g.live.stream import Stream
from g4g.options import StreamOptions

LOOK_AHEAD_S = 0.2


class PlantedMaker:
    """Makes frames of one pixel that tell what was heard: a mouth is as open as the sound 0.2 s later is loud."""

    def __init__(self) -> None:
        self.state = MouthState(np.zeros(1), 1.0)
        self.heard, self.start_s, self.restarts = np.zeros(0, np.float32), 0.0, []
        self.takes_s, self.clock, self.size = 0.0, None, (1, 1)

    @property
    def heard_s(self) -> float:
        return self.start_s + len(self.heard) / 16_000

    def needs_s(self, number: int) -> float:
        return number / 25 + LOOK_AHEAD_S

    def restart(self, number: int, state: MouthState) -> None:
        self.heard, self.start_s, self.state = np.zeros(0, np.float32), number / 25, state
        self.restarts.append(number)

    def make(self, number: int, waveform: np.ndarray) -> MadeFrame:
        self.heard = np.concatenate([self.heard, waveform])
        if self.takes_s:
            self.clock.spend(self.takes_s)
        at = round((number / 25 - self.start_s) * 16_000)
        loud = np.abs(self.heard[at : at + 640]).max(initial=0)
        self.state = MouthState(np.array([loud]), 0.0)
        frame = np.full((1, 1, 3), round(200 * loud), np.uint8)
        return MadeFrame(number, lambda: frame, None, self.state)

    def close(self) -> None:
        self.closed = True


class SimulatedClock(WallClock):
    """Time that a test moves; a thread that waits is asleep until the test has moved it, or another notified it."""

    def __init__(self) -> None:
        self.time_s, self._asleep = 0.0, set()

    def now_s(self) -> float:
        return self.time_s

    def wait(self, condition: threading.Condition, wait_s: float | None) -> None:
        self._asleep.add(threading.get_ident())
        condition.wait(10)
        self._asleep.discard(threading.get_ident())

    def spend(self, spent_s: float) -> None:
        """Be busy for so long."""
        until_s = self.time_s + spent_s
        while self.time_s < until_s - 1e-9:
            self._asleep.add(threading.get_ident())
            time.sleep(0.0002)
        self._asleep.discard(threading.get_ident())

    def move(self, condition: threading.Condition, moved_s: float, threads: int) -> None:
        """Move time, and wait until all threads sleep again."""
        with condition:
            self.time_s += moved_s
            self._asleep.clear()
            condition.notify_all()
        calm, until = 0, time.monotonic() + 5
        while calm < 3:
            assert time.monotonic() < until, "a thread of the stream hangs"
            time.sleep(0.0005)
            calm = calm + 1 if len(self._asleep) >= threads else 0


class Run:
    """A stream on simulated time, and all that came out of it with the time at which it came."""

    def __init__(self, **options: object) -> None:
        self.maker, self.clock = PlantedMaker(), SimulatedClock()
        self.maker.clock = self.clock
        self.stream = Stream(self.maker, StreamOptions(**options), self.clock)
        self.items, self._goes = [], threading.Event()
        self._goes.set()
        self._taker = threading.Thread(target=self._take, daemon=True)

    def start(self) -> None:
        self._taker.start()
        self.move(0)

    def _take(self) -> None:
        for item in self.stream:
            self.items.append((self.clock.now_s(), item))
            while not self._goes.is_set():
                time.sleep(0.0005)

    def hold(self) -> None:
        """Let whoever takes items be busy with the next one until `go`."""
        self._goes.clear()

    def go(self) -> None:
        self._goes.set()

    def move(self, seconds: float) -> None:
        threads = 2 if self._goes.is_set() else 1
        self.clock.move(self.stream._lock, seconds, threads)

    def wait(self, seconds: float, step_s: float = 0.01) -> None:
        for _ in range(round(seconds / step_s)):
            self.move(step_s)

    def speak(self, waveform: np.ndarray, chunk_s: float = 0.02, rate: int = 16_000) -> None:
        """Push a sound as fast as it is spoken, each chunk when its last sample was."""
        size = round(chunk_s * rate)
        for first in range(0, len(waveform), size):
            self.wait(chunk_s)
            self.stream.push_audio(waveform[first : first + size], rate)

    def frames(self) -> list[tuple[float, LiveFrame]]:
        return [(at_s, item) for at_s, item in self.items if isinstance(item, LiveFrame)]

    def ends(self) -> list[SegmentEnd]:
        return [item for _, item in self.items if isinstance(item, SegmentEnd)]

    def stats(self) -> StreamStats:
        return self.stream.stats
