"""The endless sound of a stream: silence, and what was pushed, at the places where it is heard."""

from __future__ import annotations

from collections import deque

import numpy as np

from g4g.audio.causal import SPEECH_AUDIO
from g4g.errors import ResourceError
from g4g.live.resample import Resampler

HEARD_RATE = SPEECH_AUDIO.sample_rate
"""What the networks hear, Hz."""
MOST_WAITING_S = 600.0
"""More sound than this may not wait to be shown."""
_KEPT_S = 1.0
"""So much sound before the last frame is kept: whoever skips more frames than that loses the sound as well."""


class Timeline:
    """Holds the sound twice: as the networks hear it, and as it comes out; both on the stream's clock.

    `is_open`: a segment was begun and not ended; `ends_s`: of segments that were not yet shown to their ends;
    `starved`: how often sound of a segment came too late, `starved_s`: the silence before it, all together.
    """

    def __init__(self, sample_rate: int) -> None:
        self._heard, self._played = _Track(HEARD_RATE, np.float32), _Track(sample_rate, np.int16)
        self._resamplers: tuple[Resampler, Resampler] | None = None
        self.is_open, self._asked_s, self._spoken_s = False, 0.0, 0.0
        self.ends_s: deque[float] = deque()
        self._starts_s: deque[float] = deque()
        self.starved, self.starved_s = 0, 0.0

    @property
    def is_speaking(self) -> bool:
        """Tell whether a segment has not been shown to its end."""
        return self.is_open or bool(self.ends_s)

    @property
    def end_s(self) -> float:
        """Sound up to here is settled, be it silence."""
        return max(self._heard.end_s, self._played.end_s)

    def push(self, samples: np.ndarray, sample_rate: int, earliest_s: float) -> None:
        """Append a chunk: right behind the last one of its segment, unless that was too long ago; else at `earliest_s`.

        Args:
            samples: mono int16, (N,).
            sample_rate: Hz.
            earliest_s: sound that begins here, and goes on as fast as it is heard, is never too late.
        Raises:
            ResourceError: more than ten minutes wait already.
        """
        if self.end_s - earliest_s > MOST_WAITING_S:
            raise ResourceError(
                f"{MOST_WAITING_S / 60:g} minutes of sound wait to be shown; push no faster, or interrupt()"
            )
        if self._resamplers is not None and self._resamplers[0].source_rate != sample_rate:
            self._flush()
        if self._resamplers is None:
            self._resamplers = tuple(Resampler(sample_rate, track.rate) for track in (self._heard, self._played))
        if not (self.is_open and self.end_s > self._asked_s):
            self._fill(earliest_s)
            self.starved += self.is_open
            self.starved_s += (self.end_s - self._spoken_s) * self.is_open
        if not self.is_open:
            self._starts_s.append(self.end_s)
        for track, resampler in zip((self._heard, self._played), self._resamplers, strict=True):
            track.append(resampler.convert(samples))
        self.is_open, self._spoken_s = True, self.end_s

    def end_segment(self) -> None:
        """Say that what was pushed is a whole; nothing happens where there is none."""
        if self.is_open:
            self._flush()
            self.ends_s.append(self.end_s)
            self.is_open = False

    def settle(self, until_s: float) -> None:
        """Make what is not yet there up to a time silence: it is about to be heard."""
        self._fill(until_s)
        self._asked_s = max(until_s, self._asked_s)

    def interrupt(self, from_s: float) -> bool:
        """Drop all sound from a time on; tell whether any segment was cut short."""
        was_speaking = self.is_speaking
        for track in (self._heard, self._played):
            track.cut(from_s)
        self._resamplers, self.is_open, self._asked_s = None, False, from_s
        self.ends_s.clear()
        self._starts_s.clear()
        return was_speaking

    def hear(self, from_s: float, until_s: float) -> np.ndarray:
        """Take sound as the networks hear it, float32 in [-1, 1], as far as it is settled."""
        return self._heard.take(from_s, until_s)

    def take_ends(self, until_s: float) -> tuple[bool, list[float]]:
        """Tell whether any segment is heard before a time and was not over before, and which ends come until then."""
        is_speaking, ends_s = bool(self._starts_s) and self._starts_s[0] < until_s, []
        while self.ends_s and self.ends_s[0] <= until_s:
            ends_s.append(self.ends_s.popleft())
            self._starts_s.popleft()
        return is_speaking, ends_s

    def play(self, from_s: float, until_s: float) -> np.ndarray:
        """Take sound as it comes out, int16, of the last second before `until_s`, and forget what lies before it."""
        self.settle(until_s)
        sound = self._played.take(from_s, until_s)
        for track in (self._heard, self._played):
            track.forget(until_s - _KEPT_S)
        return sound

    def _fill(self, until_s: float) -> None:
        """Append silence up to a time."""
        for track in (self._heard, self._played):
            track.fill(max(until_s, self.end_s))

    def _flush(self) -> None:
        for track, resampler in zip((self._heard, self._played), self._resamplers or (), strict=False):
            track.append(resampler.finish())
        self._resamplers = None


class _Track:
    """Samples at one rate, in chunks, from number `_first` on; the old ones are forgotten."""

    def __init__(self, rate: int, kind: type) -> None:
        self.rate, self._kind = rate, np.dtype(kind)
        self._chunks: deque[np.ndarray] = deque()
        self._first = self._end = 0

    @property
    def end_s(self) -> float:
        return self._end / self.rate

    def append(self, samples: np.ndarray) -> None:
        if len(samples):
            is_float = self._kind == np.float32
            self._chunks.append(samples.astype(np.float32) / np.float32(32_768) if is_float else samples)
            self._end += len(samples)

    def fill(self, until_s: float) -> None:
        self.append(np.zeros(max(round(until_s * self.rate) - self._end, 0), np.int16))

    def cut(self, from_s: float) -> None:
        """Drop samples from a time on."""
        kept = self.take(self._first / self.rate, from_s)
        self._chunks, self._end = deque([kept] if len(kept) else []), self._first + len(kept)

    def take(self, from_s: float, until_s: float) -> np.ndarray:
        """Copy samples, as far as they are there."""
        first, stop = (max(round(at_s * self.rate), self._first) for at_s in (from_s, until_s))
        parts, at = [np.zeros(0, self._kind)], self._first
        for chunk in self._chunks:
            if at >= stop:
                break
            parts.append(chunk[max(first - at, 0) : stop - at])
            at += len(chunk)
        return np.concatenate(parts)

    def forget(self, before_s: float) -> None:
        """Drop whole chunks that end before a time."""
        first = round(before_s * self.rate)
        while self._chunks and self._first + len(self._chunks[0]) <= first:
            self._first += len(self._chunks.popleft())
