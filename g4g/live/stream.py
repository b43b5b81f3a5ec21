"""The stream that a caller holds: sound goes in at any time, frames come out when they are due."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Iterator

import numpy as np

from g4g.audio import SpeechEncoder
from g4g.avatar import Avatar
from g4g.dubbing.people import Appearance
from g4g.errors import ConfigError
from g4g.live.clock import WallClock
from g4g.live.items import LiveFrame, SegmentEnd, StreamStats
from g4g.live.loop import plan_loop
from g4g.live.maker import LiveMaker, MadeFrame
from g4g.live.plan import plan_places
from g4g.live.resample import read_chunk
from g4g.live.timeline import Timeline
from g4g.motion.model import FRAME_MIDDLE_S
from g4g.options import StreamOptions
from g4g.zoo import Models

LEAD_S = 0.08
"""A frame is begun so long before it is due."""
_MOST_MADE = 2
"""Frames that wait to be taken."""
_MOST_LATE_FRAMES = 1
"""A frame that would come later than this is skipped."""
_STALE_FRAMES = 2
"""A frame that waited so long for a caller who was away is skipped."""


def check_streamable(models: Models) -> None:
    """Raise ConfigError for networks that must hear a whole sound before its first frame."""
    if not isinstance(models.speech, SpeechEncoder):
        raise ConfigError(
            f"the weights {models.name} cannot stream: their speech encoder hears up to 20 s of what comes later; use "
            "g4g-live, or weights of your own with a causal one (docs/live.md)"
        )


def open_stream(
    models: Models, device: str, avatar: Avatar, appearances: list[Appearance], options: StreamOptions
) -> Stream:  # fmt: skip
    """Open a stream of an avatar, ready to run.

    Args:
        models: networks that `check_streamable` lets pass.
        device: where they run.
        avatar: with all persons that may be moved.
        appearances: who appears in which scene.
        options: how it looks and sounds.
    Raises:
        ConfigError: see `check_streamable`, `plan_loop`. FaceError: nobody can be moved. MediaError: the disk is full.
    """
    check_streamable(models)
    loop = plan_loop(avatar, options.size)
    places = plan_places(avatar, appearances, options.face, loop)
    return Stream(LiveMaker(models, device, avatar, options, loop, places), options)


class Stream:
    """A talking picture: push sound, take frames; use it as a context manager.

    The stream's clock begins with the first item that is asked for; from then on frames come at `fps`, speech or not.
    Sound may be pushed from any thread; items are taken by one, or by one coroutine with `async for`.

    Attributes:
        size: of the frames, (height, width) px; `fps`, their rate; `sample_rate`, Hz, of the sound that comes out.
        look_ahead_s: so much sound after that which a frame shows, its middle, is waited for.
    """

    def __init__(self, maker: LiveMaker, options: StreamOptions, clock: WallClock | None = None) -> None:
        self._maker, self._options, self._clock = maker, options, clock or WallClock()
        self._timeline = Timeline(options.sample_rate)
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._started_s: float | None = None
        self._made: deque[tuple[MadeFrame, float]] = deque()  # and when each was made
        self._events: deque[SegmentEnd] = deque()
        self._next = 0  # number of the frame that is made next
        self._given = -1  # number of the last frame that was given
        self._state = maker.state  # that the last frame given left
        self._restart: int | None = None
        self._interrupted = -1  # number of the last frame given before an interruption
        self._frames, self._late_s = 0, 0.0
        self._is_closed, self._error = False, None
        self.size, self.fps, self.sample_rate = maker.size, options.fps, options.sample_rate
        self._needs_s = maker.needs_s(0)
        self.look_ahead_s = self._needs_s - FRAME_MIDDLE_S

    def push_audio(self, samples: np.ndarray, sample_rate: int) -> float:
        """Append sound to the segment, which begins with it where none is open.

        Args:
            samples: int16 or float in [-1, 1], (N,) or (N, channels); 10 to 500 ms at a time are usual.
            sample_rate: Hz, 8000 to 192000.
        Returns:
            How much sound now waits to be shown, in seconds: a source that can wait should, above some seconds.
        Raises:
            ShapeError, ConfigError: the chunk is no sound; it is left out, and the stream goes on. ResourceError: ten
            minutes wait already.
        """
        chunk = read_chunk(samples, sample_rate)
        with self._lock:
            self._check_open()
            self._timeline.push(chunk, int(sample_rate), self._find_earliest())
            self._lock.notify_all()
            return self._waiting_s()

    def end_segment(self) -> None:
        """Say that the sound pushed so far is a whole: its end comes as a `SegmentEnd`."""
        with self._lock:
            self._check_open()
            self._timeline.end_segment()
            self._lock.notify_all()

    def interrupt(self) -> None:
        """Drop all that was not yet shown: frames given from now on are silent, and at rest within 0.2 s."""
        with self._lock:
            self._check_open()
            self._interrupted = self._given
            self._restart = self._next = self._given + 1
            self._made.clear()
            from_s = self._restart / self._options.fps
            if self._timeline.interrupt(from_s):
                self._events.append(SegmentEnd(from_s, is_interrupted=True))
            self._lock.notify_all()

    @property
    def stats(self) -> StreamStats:
        """How the stream fares."""
        with self._lock:
            timeline, skipped = self._timeline, self._given + 1 - self._frames
            return StreamStats(
                self._frames, skipped, timeline.starved, timeline.starved_s, self._waiting_s(), self._late_s
            )

    def close(self) -> None:
        """End the stream: nothing more comes out."""
        with self._lock:
            self._is_closed = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._maker.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def __iter__(self) -> Iterator[LiveFrame | SegmentEnd]:
        return self

    def __next__(self) -> LiveFrame | SegmentEnd:
        item = self._finish()
        if item is None:
            raise StopIteration
        return item

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> LiveFrame | SegmentEnd:
        item = await asyncio.to_thread(self._finish)
        if item is None:
            raise StopAsyncIteration
        return item

    def _finish(self) -> LiveFrame | SegmentEnd | None:
        """Wait for the next item, and until it is drawn; None: the stream was closed."""
        taken = self._take()
        if not isinstance(taken, tuple):
            return taken
        made, due_s, told = taken
        frame = made.draw()
        self._late_s = max(self._clock.now_s() - due_s, 0.0)
        if made.number <= self._interrupted:  # interrupted while it was being drawn
            told |= {"sound": np.zeros_like(told["sound"]), "is_speaking": False}
        return LiveFrame(frame=frame, number=made.number, passed=made.passed, late_s=self._late_s, **told)

    def _take(self) -> tuple[MadeFrame, float, dict] | SegmentEnd | None:
        """Wait for the next frame that is due, and what is told of it, or for another item."""
        with self._lock:
            if self._thread is None and not self._is_closed:
                self._started_s = self._clock.now_s()
                self._thread = threading.Thread(target=self._run, name="g4g-live", daemon=True)
                self._thread.start()
            while not self._is_closed:
                if self._error is not None:
                    raise self._error
                if self._events:
                    return self._events.popleft()
                wait_s = self._skip_stale()
                if wait_s is not None and wait_s <= 0:
                    return self._give(self._made.popleft()[0])
                self._clock.wait(self._lock, wait_s)
        return None

    def _skip_stale(self) -> float | None:
        """Skip frames that waited too long; tell how long the next one is not yet due, None where there is none."""
        if not self._options.paced:
            return 0.0 if self._made else None
        now_s = self._clock.now_s()
        while self._made:
            made, made_s = self._made[0]
            if len(self._made) > 1:
                is_stale = self._due_s(self._made[1][0].number) <= now_s
            else:
                is_stale = min(now_s - made_s, now_s - self._due_s(made.number)) * self._options.fps > _STALE_FRAMES
            if not is_stale:
                return self._due_s(made.number) - now_s
            self._made.popleft()
            self._lock.notify_all()
        return None

    def _give(self, made: MadeFrame) -> tuple[MadeFrame, float, dict]:
        """Count a frame as shown; return it, when it was due, and the sound that belongs to it."""
        fps = self._options.fps
        from_s, until_s = ((number + 1) / fps for number in (self._given, made.number))
        self._given, self._state = made.number, made.state
        self._frames += 1
        sound = self._timeline.play(from_s, until_s)
        is_speaking, ends_s = self._timeline.take_ends(until_s)
        self._events.extend(map(SegmentEnd, ends_s))
        self._lock.notify_all()
        due_s = self._due_s(made.number) if self._options.paced else math.inf
        told = {"time_s": made.number / fps, "sound": sound, "sample_rate": self.sample_rate}
        return made, due_s, told | {"is_speaking": is_speaking}

    def _run(self) -> None:
        """Make frames until the stream is closed."""
        try:
            while (task := self._wait_for_task()) is not None:
                number, waveform = task
                made = self._maker.make(number, waveform)
                with self._lock:
                    if self._restart is None:  # otherwise its sound was dropped meanwhile
                        self._made.append((made, self._clock.now_s()))
                        self._next = number + 1
                        self._lock.notify_all()
        except Exception as error:  # whoever takes items raises it
            with self._lock:
                self._error = error
                self._lock.notify_all()

    def _wait_for_task(self) -> tuple[int, np.ndarray] | None:
        """Wait until a frame is to be made: its number and the sound that is new for it; None: the end."""
        with self._lock:
            while not self._is_closed:
                if self._restart is not None:
                    self._maker.restart(self._restart, self._state)
                    self._restart = None
                wait_s = self._tell_wait()
                if wait_s is not None and wait_s <= 0:
                    until_s = self._maker.needs_s(self._next)
                    self._timeline.settle(until_s)
                    return self._next, self._timeline.hear(self._maker.heard_s, until_s)
                self._clock.wait(self._lock, wait_s)
        return None

    def _tell_wait(self) -> float | None:
        """Tell how long the next frame is not to be made yet, in seconds; None: until something happens."""
        if len(self._made) >= _MOST_MADE:
            return None
        is_known = self._timeline.end_s >= self._maker.needs_s(self._next)
        if not self._options.paced:
            return 0.0 if is_known or not self._timeline.is_open else None
        now_s = self._clock.now_s()
        if now_s > self._due_s(self._next + _MOST_LATE_FRAMES):  # one that can be given in time is made instead
            self._next = math.ceil((now_s - self._started_s - LEAD_S / 2) * self._options.fps)
            is_known = False
        if self._timeline.is_speaking and is_known:
            return 0.0
        return self._due_s(self._next) - LEAD_S - now_s

    def _due_s(self, number: int) -> float:
        return self._started_s + LEAD_S + number / self._options.fps

    def _find_earliest(self) -> float:
        """Tell from when on sound can be heard that begins now and goes on as fast as it is heard."""
        if not self._options.paced or self._started_s is None:
            return self._timeline.end_s
        at_s = self._clock.now_s() - self._started_s
        return max(at_s, 0.0) + self._needs_s + self._options.jitter_s

    def _waiting_s(self) -> float:
        return max(self._timeline.end_s - (self._given + 1) / self._options.fps, 0.0)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConfigError("the stream is closed; open another one with Dubber.stream")
