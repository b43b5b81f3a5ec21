"""Make the frames of a stream, one by one: sound in, the person's next picture out."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from g4g.avatar import Avatar
from g4g.config import MOST_EMPHASIS
from g4g.dubbing.plan import NO_NUMBERS
from g4g.live.actor import Actor
from g4g.live.loop import FrameLoop, LoopPlan
from g4g.live.mouth import LiveMouth, Move, find_last_tap
from g4g.live.plan import Places
from g4g.options import StreamOptions
from g4g.zoo import Models

_FADE_S = 0.12
"""So long after an interruption the mouth is at rest."""


@dataclass(frozen=True)
class MouthState:
    """What a frame leaves for the next one: `shape` (C,), how surely it is `closed`, `entries` (K,) of `face`."""

    shape: np.ndarray
    closed: float
    face: int = -1
    entries: np.ndarray | None = None


@dataclass(frozen=True)
class MadeFrame:
    """A frame of this `number`; `draw` waits until it is drawn, (H, W, 3); `passed` as for `LiveFrame`."""

    number: int
    draw: Callable[[], np.ndarray]
    passed: str | None
    state: MouthState


class LiveMaker:
    """Makes frames in the order of time; one thread uses it, and while another draws a frame it paints the next one."""

    def __init__(
        self, models: Models, device: str, avatar: Avatar, options: StreamOptions, loop: LoopPlan, places: Places
    ) -> None:  # fmt: skip
        self._models, self._options, self._loop, self._places = models, options, loop, places
        self.size = loop.size
        self._times_s, own = avatar.tracks.times_s, (avatar.info.height, avatar.info.width)
        self._actors = {
            face: Actor(avatar.persons[face], models, device, own, loop.size)
            for face in np.unique(places.faces[places.faces >= 0]).tolist()
        }
        self._frames, self._drawer = FrameLoop(avatar, loop), ThreadPoolExecutor(1, "g4g-draw")
        self._unheard = LiveMouth(models.speech, find_last_tap(models.motion), models.generator.config.speech_rows)
        self.state = MouthState(np.zeros(models.motion.config.components, np.float32), 1.0)
        self._mouth, self._left, self._restarted = self._unheard.begin_at(0.0), self.state, -math.inf
        self._warm_up()

    @property
    def heard_s(self) -> float:
        """The sound up to here was given to `make`."""
        return self._mouth.heard_s

    def needs_s(self, number: int) -> float:
        """Tell up to when the sound must be known for a frame."""
        return self._mouth.needs_s(number / self._options.fps)

    def restart(self, number: int, state: MouthState) -> None:
        """Forget all sound: before frame `number` is silence. The mouth comes from where `state` left it."""
        self._mouth = self._unheard.begin_at(number / self._options.fps)
        self.state, self._left, self._restarted = state, state, number

    def make(self, number: int, waveform: np.ndarray) -> MadeFrame:
        """Make a frame.

        Args:
            number: above that of the frame before.
            waveform: the sound from `heard_s` to `needs_s(number)`, mono, 16 kHz.
        """
        self._mouth.hear(waveform)
        time_s = number / self._options.fps
        place = self._loop.find_place(time_s)
        actor = self._actors.get(int(self._places.faces[place]))
        move = self._fade(number, self._move(actor, time_s))
        draw, passed, entries = self._paint(place, move)
        self.state = MouthState(move.shape, move.closed, int(self._places.faces[place]), entries)
        return MadeFrame(number, self._drawer.submit(draw).result, passed, self.state)

    def close(self) -> None:
        """End the thread, and remove what lies on disk."""
        self._drawer.shutdown()
        self._frames.close()

    def _warm_up(self) -> None:
        """Make a frame that nobody sees: networks are compiled when they are first used."""
        place = int(np.flatnonzero(self._places.faces >= 0)[0])
        rows, columns = self._models.generator.config.speech_rows, self._models.generator.config.speech
        self._paint(place, Move(self.state.shape, self.state.closed, np.zeros((rows, columns), np.float32)))[0]()

    def _move(self, actor: Actor | None, time_s: float) -> Move:
        if actor is None:
            return self._mouth.move(self._models.motion, time_s)
        move = self._mouth.move(actor.motion, time_s)
        gain = min(self._options.emphasis * actor.person.gain, MOST_EMPHASIS)
        return replace(move, shape=move.shape * gain)

    def _fade(self, number: int, move: Move) -> Move:
        """Lead from the mouth that was interrupted to the one that is wanted."""
        after_s = (number + 1 - self._restarted) / self._options.fps
        left = max(1 - after_s / _FADE_S, 0.0)
        shape = left * self._left.shape + (1 - left) * move.shape
        return replace(move, shape=shape, closed=left * self._left.closed + (1 - left) * move.closed)

    def _paint(self, place: int, move: Move) -> tuple[Callable[[], np.ndarray], str | None, np.ndarray | None]:
        """Paint the frame of a place; return what draws it, why it passed, and the entries that it is made of."""
        number, face = self._loop.find_frame(place), int(self._places.faces[place])
        frame, passed = self._frames.read(number), self._places.passed[place]
        if passed is not None:
            return lambda: frame, passed, None
        before = self.state.entries if self.state.face == face else None
        share = float(self._places.shares[place])
        draw, entries = self._actors[face].paint(frame, number, float(self._times_s[number]), move, before, share)
        return (lambda: frame, NO_NUMBERS, None) if draw is None else (draw, None, entries)
