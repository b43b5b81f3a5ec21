"""Sync of one dub: its longest run of faces, held to its sound beside the real video with its own and the new one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from g4g.config import SCORE_FPS
from g4g.faces import FaceTrack, find_runs
from g4g.media import pick_frames, read_waveform
from g4g.media.sound import has_sound
from g4g.metrics.judge import Judge
from g4g.metrics.sync import SyncScore
from g4g.metrics.syncnet import MIN_OFFICIAL_FRAMES, SAMPLE_RATE, cut_head, frame_heads, score_official

if TYPE_CHECKING:
    from g4g.metrics.clip import ClipScores, Seen

MIN_SCORED_FRAMES = 20
"""A clip with fewer neighbouring faces has no sync score."""

JUDGED = ("lse_d", "lse_c", "offset_frames")
"""What the judge says of a clip."""

HEARD_LSE_C = 0.15
"""LSE-C that the judge gives a real video with its own sound at least; below it hears nothing in it. (Of 30 held-out
clips the lowest has 0.168 and the median 0.364; with the sound of another clip the median is 0.144.)"""


def add_sync(scores: ClipScores, seen: Seen, judge: Judge, syncnet, track: FaceTrack) -> None:
    """Score the longest run of neighbouring faces in a 25 fps copy: each moment takes the frame nearest to it.

    Args:
        scores: of the dub; rows, distances and `is_heard` are filled in.
        seen: the frames of the dub that show a face.
        judge: scores sync.
        syncnet: the official network, or None.
        track: the face in the source.
    """
    start, stop = longest_run(seen.numbers)
    times = np.array(seen.times_s[start:stop])
    moments = np.arange(times[0], times[-1] + 1e-6, 1 / SCORE_FPS) if len(times) else times
    if len(moments) < MIN_SCORED_FRAMES:
        return
    rows = start + np.abs(times[None] - moments[:, None]).argmin(1)
    numbers, sources = np.array(seen.numbers)[rows], np.array(seen.sources)[rows]
    sound = read_waveform(scores.audio or scores.output)
    made = _Heard(scores.output, numbers, np.stack(seen.landmarks)[rows], sound, moments)
    real = _Heard(scores.reference, sources, track.landmarks[sources], sound, moments)
    heard = {"dubbed": made, "undubbed": real}
    forwards = bool((np.diff(sources) >= 0).all()) and has_sound(Path(scores.reference))
    if forwards:  # played backwards, the source has no sound of its own
        heard["real"] = replace(real, waveform=read_waveform(scores.reference), times_s=track.times_s[sources])
    for row, part in heard.items():
        score = judge.score(part.landmarks, part.waveform, part.times_s)
        scores.rows[row] |= _name_scores(score)
        scores.distances[row] = score.distances.tolist()
        long_enough = len(rows) >= MIN_OFFICIAL_FRAMES and (forwards or row == "dubbed")
        if syncnet is not None and long_enough:
            first = max(round(part.times_s[0] * SAMPLE_RATE), 0)
            official = score_official(syncnet, _cut_heads(part), part.waveform[first:])
            scores.rows[row] |= _name_scores(official, "syncnet_")
    if "real" in heard:
        scores.is_heard = scores.rows["real"]["lse_c"] >= HEARD_LSE_C
    if scores.is_heard is False:
        for row in heard:
            scores.distances.pop(row)
            scores.rows[row] = {name: value for name, value in scores.rows[row].items() if name not in JUDGED}


@dataclass(frozen=True)
class _Heard:
    """Frames of a file by number, their landmarks, and the sound that they are scored against at their times."""

    file: str
    numbers: np.ndarray
    landmarks: np.ndarray
    waveform: np.ndarray
    times_s: np.ndarray


def _name_scores(score: SyncScore, prefix: str = "") -> dict[str, float]:
    return {f"{prefix}{name}": getattr(score, name) for name in JUDGED}


def _cut_heads(part: _Heard) -> Iterator[np.ndarray]:
    """Yield the heads of frames in order; numbers that come again show their frame again."""
    centres, halves = frame_heads(part.landmarks)
    for number, frame in pick_frames(part.file, part.numbers):
        for row in np.flatnonzero(part.numbers == number):
            yield cut_head(frame, centres[row], halves[row])


def longest_run(numbers: list[int]) -> tuple[int, int]:
    """Find (start, stop) of the longest run of frames whose predecessor was seen too; (0, 0) where there is none."""
    follows = np.diff(np.array(numbers), prepend=numbers[0] - 1) == 1
    return max(find_runs(follows), key=lambda run: run[1] - run[0], default=(0, 0))
