"""A video played to and fro until enough frames have come, without holding it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from g4g.media.picture import Picture
from g4g.media.read import read_pictures
from g4g.memory import ArrayFile

_STRETCH_BYTES = 256 * 1024 * 1024
"""Backwards, a stretch of this size lies in a file at a time; each decodes the video once more from its start."""


def ping_pong_pictures(path: str | Path, count: int, wanted: int, **reading: object) -> Iterator[tuple[int, Picture]]:
    """Yield (frame number in the source, picture) forwards, backwards, forwards ... `wanted` times.

    Args:
        path: a video or a still picture.
        count: frames in it.
        wanted: frames to yield; fewer than `count` cuts the video.
        reading: how, as for `read_pictures`.
    """
    return islice(_swing(path, count, reading), wanted)


def ping_pong_frames(path: str | Path, count: int, wanted: int, **reading: object) -> Iterator[tuple[int, np.ndarray]]:
    """Yield frames (H, W, 3) RGB, otherwise as `ping_pong_pictures` does."""
    return ((number, picture.whole()) for number, picture in ping_pong_pictures(path, count, wanted, **reading))


def ping_pong_numbers(count: int, wanted: int) -> np.ndarray:
    """List the frame numbers that `ping_pong_frames` yields, shape (wanted,), int."""
    turn = max(2 * (count - 1), 1)
    step = np.arange(wanted) % turn
    return np.minimum(step, turn - step) if count > 1 else np.zeros(wanted, int)


def _swing(path: str | Path, count: int, reading: dict) -> Iterator[tuple[int, Picture]]:
    if count == 1:
        picture = next(iter(read_pictures(path, **reading))).picture
        while True:
            yield 0, picture
    while True:
        stretch = 1
        for number, item in enumerate(islice(read_pictures(path, **reading), count)):
            stretch = max(_STRETCH_BYTES // item.picture.nbytes, 1)
            yield number, item.picture
        # Turning points are shown once: backwards from the last but one to frame 1, then forwards from 0.
        for stop in range(count - 1, 0, -stretch):
            yield from _read_backwards(path, max(stop - stretch, 1), stop, reading)


def _read_backwards(path: str | Path, start: int, stop: int, reading: dict) -> Iterator[tuple[int, Picture]]:
    """Yield numbers and pictures from the one before `stop` down to `start`."""
    with closing(ArrayFile()) as file:
        places = []
        for item in islice(read_pictures(path, **reading), start, stop):
            places.append(file.keep(item.picture.array))
        for number in reversed(range(len(places))):
            yield start + number, item.picture.with_array(file.read(places[number]))
