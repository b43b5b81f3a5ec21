"""How soon a live stream obeys `interrupt()`, by the wall clock: silent at once, and the mouth at rest."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from streams import RATE_HZ

from g4g.faces import make_backend, track_faces
from g4g.live import LiveFrame, Stream
from g4g.media import VideoFrame
from g4g.metrics.mouth import measure_mouth
from g4g.metrics.phoneme_score import CLOSED_GAP

MOST_REST_S = 0.2
"""Our goal: so long after the call the mouth is at rest."""
_SPEAKS_S = 1.0
"""So long the first sentence is heard before it is interrupted."""
_STEP_S = 0.137
"""Each next one is heard so much longer: the call comes at other words, and elsewhere between two frames."""
_MORE_S = 2.0
"""So much of the sentence is still to come."""
_WATCHED_FRAMES = 15
"""So many frames after a call are watched."""


@dataclass(frozen=True)
class Seen:
    """A frame that was given `after_s` a call, in seconds; `rests`: its mouth was asked to be closed and unmoved."""

    item: LiveFrame
    after_s: float
    rests: bool


@dataclass(frozen=True)
class InterruptFigures:
    """N interruptions, times in seconds after the call.

    `silent_s` (N,): when the first frame was given after which no sound came; `sounded` (N,): frames with sound that
    were given after the call; `rest_s` (N,): when the first frame was given from which on the mouth rests; `gaps` (N,):
    the widest gap of the lips in the pictures from there on, over the distance of the outer eye corners.
    """

    silent_s: np.ndarray
    sounded: np.ndarray
    rest_s: np.ndarray
    gaps: np.ndarray


def measure_interrupts(dubber, avatar: Path, sound: np.ndarray, count: int) -> InterruptFigures:
    """Interrupt a paced stream in the middle of so many sentences; each begins elsewhere in the sound, int16 (N,)."""
    watched = []
    with dubber.stream(avatar, sample_rate=RATE_HZ) as stream:
        for number in range(count):
            speaks_s = _SPEAKS_S + number * _STEP_S
            places = number * len(sound) // count + np.arange(round((speaks_s + _MORE_S) * RATE_HZ))
            watched.append(interrupt_once(stream, np.take(sound, places, mode="wrap"), speaks_s))
    silent = [[not frame.item.sound.any() for frame in seen] for seen in watched]
    rests = [[frame.rests for frame in seen] for seen in watched]
    return InterruptFigures(
        np.array([find_settled(*pair) for pair in zip(watched, silent, strict=True)]),
        np.array([calm.count(False) for calm in silent]),
        np.array([find_settled(*pair) for pair in zip(watched, rests, strict=True)]),
        np.array([measure_gap([f.item for f in seen if f.rests and f.item.passed is None]) for seen in watched]),
    )


def interrupt_once(stream: Stream, sentence: np.ndarray, speaks_s: float) -> list[Seen]:
    """Interrupt a sentence that was heard for so long; return the frames that were given after the call."""
    called_s: list[float] = []

    def call() -> None:
        called_s.append(time.monotonic())
        stream.interrupt()

    stream.push_audio(sentence, RATE_HZ)
    stream.end_segment()
    next(item for item in stream if isinstance(item, LiveFrame) and item.is_speaking)
    timer = threading.Timer(speaks_s, call)
    timer.start()
    seen: list[Seen] = []
    while len(seen) < _WATCHED_FRAMES:
        item, now_s = next(stream), time.monotonic()
        if called_s and isinstance(item, LiveFrame):
            state = stream._state  # of the frame that was just given: nothing else tells exactly what was asked for
            seen.append(Seen(item, now_s - called_s[0], not state.shape.any() and state.closed == 1))
    timer.join()
    return seen


def find_settled(seen: Sequence[Seen], calm: Sequence[bool]) -> float:
    """Tell when the first frame came from which on all are calm, in seconds; infinite where the last one is not."""
    unrest = [number for number, is_calm in enumerate(calm) if not is_calm]
    first = unrest[-1] + 1 if unrest else 0
    return seen[first].after_s if first < len(seen) else math.inf


def measure_gap(items: Sequence[LiveFrame]) -> float:
    """Measure the widest gap of the lips in pictures, as `measure_mouth` does; NaN where they show no face."""
    track = track_faces((VideoFrame(item.time_s, item.frame) for item in items), make_backend("mediapipe"))
    gaps = measure_mouth(track.landmarks[track.found], track.times_s[track.found]).gap
    return float(gaps.max()) if len(gaps) else math.nan


def describe_interrupts(figures: InterruptFigures) -> list[tuple[str, str, bool | None]]:
    """List rows of the table: name, figure, whether our goal is reached (None: there is none)."""
    count, sounded = len(figures.rest_s), int(figures.sounded.sum())
    middle_ms, rest_ms = 1000 * np.median(figures.rest_s), 1000 * figures.rest_s.max()
    gap = figures.gaps.max()
    return [
        ("interrupted, frames with sound afterwards", f"{sounded} in {count}", sounded == 0),
        ("interrupted, first silent frame, most", f"{1000 * figures.silent_s.max():.0f} ms", None),
        ("interrupted, mouth at rest, median", f"{middle_ms:.0f} ms", None),
        ("interrupted, mouth at rest, most", f"{rest_ms:.0f} ms", bool(figures.rest_s.max() <= MOST_REST_S)),
        (f"lips apart at rest, closed below {CLOSED_GAP:g}", f"{gap:.3f}", bool(gap < CLOSED_GAP)),
    ]
