"""What a mouth does while it is not yet known what it will say: rows as they come, shapes for the next frame."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np

from g4g.audio import SPEECH_RATE, SpeechEncoder, SpeechStream
from g4g.audio.causal import SPEECH_AUDIO
from g4g.dubbing.motions import find_awake
from g4g.motion import Motion, frame_rows, frame_speech, move_mouth

_KEPT_ROWS = 100
"""Rows that are kept: more than the motion network and the generator look back."""
_KEPT_S = 0.3
"""Sound that is kept: more than a mouth moves on after it."""
_SLACK = 1e-6


@dataclass(frozen=True)
class Move:
    """A mouth in one frame: `shape` (C,), how surely it is `closed`, `speech` (R, D) around it."""

    shape: np.ndarray
    closed: float
    speech: np.ndarray


class LiveMouth:
    """Moves mouths by one endless sound, which begins at 0 of the stream's clock; before it is silence.

    `last_tap`: so many rows after a frame's own are read; `speech_rows`: so many around it are given to the generator,
    the last that is known being held.
    """

    def __init__(self, encoder: SpeechEncoder, last_tap: int, speech_rows: int) -> None:
        self._last_tap, self._speech_rows, self._start_s = last_tap, speech_rows, 0.0
        self._encoder, self._ahead_s = SpeechStream(encoder), encoder.config.look_ahead_s
        self._rows, self._first_row = np.zeros((0, encoder.config.size), np.float32), 0
        self._sound, self._first_sample = np.zeros(0, np.float32), 0

    def begin_at(self, start_s: float) -> LiveMouth:
        """Return a mouth like this one was before it heard anything, whose sound begins at another time."""
        twin = copy.copy(self)
        twin._start_s = start_s
        twin._encoder = self._encoder.fork()
        return twin

    @property
    def heard_s(self) -> float:
        """The sound up to here, on the stream's clock, was heard."""
        return self._start_s + (self._first_sample + len(self._sound)) / SPEECH_AUDIO.sample_rate

    def needs_s(self, time_s: float) -> float:
        """Tell up to when the sound must be known for a frame at `time_s`."""
        return self._start_s + self._last_row(time_s) / SPEECH_RATE + self._ahead_s

    def hear(self, waveform: np.ndarray) -> None:
        """Take the next samples, mono, 16 kHz, (N,), from `heard_s` on."""
        self._rows = np.concatenate([self._rows, self._encoder.push(waveform)])
        self._sound = np.concatenate([self._sound, waveform])

    def move(self, motion: Motion, time_s: float) -> Move:
        """Tell what a mouth does in a frame, in the order of time; the sound was heard up to `needs_s` of it."""
        own_s = np.array([time_s - self._start_s])
        rows_s = own_s - self._first_row / SPEECH_RATE
        shapes, closed = move_mouth(motion, self._rows, rows_s)
        speech = frame_speech(self._rows, rows_s, self._speech_rows)[0]
        awake = find_awake(self._sound, own_s - self._first_sample / SPEECH_AUDIO.sample_rate)
        self._forget(time_s)
        return Move(shapes[0] * awake[0], float(max(closed[0], 1 - awake[0])), speech)

    def _last_row(self, time_s: float) -> int:
        rows = float(frame_rows(np.array([time_s - self._start_s]))[0])
        return math.ceil(rows - _SLACK) + self._last_tap

    def _forget(self, time_s: float) -> None:
        drop = max(self._last_row(time_s) - _KEPT_ROWS - self._first_row, 0)
        self._rows, self._first_row = self._rows[drop:], self._first_row + drop
        first = int((time_s - self._start_s - _KEPT_S) * SPEECH_AUDIO.sample_rate)
        drop = max(first - self._first_sample, 0)
        self._sound, self._first_sample = self._sound[drop:], self._first_sample + drop


def find_last_tap(motion: Motion) -> int:
    """Tell how many rows after a frame's own the motion network reads."""
    return max(*motion.config.taps, 0)
