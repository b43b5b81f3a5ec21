"""Live streams of whole sentences, and written to video files, so that they are measured as dubs are."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import numpy as np

from g4g.adapting import Dubber
from g4g.errors import DataError
from g4g.live import LiveFrame, Stream
from g4g.media import FrameFormat, NewSound, VideoWriter, read_waveform

RATE_HZ = 16_000
CHUNK_S = 0.04


class Streamer:
    """Lets faces speak live with one set of weights; each becomes an avatar once, or is `reuse`d from the folder."""

    def __init__(self, dubber: Dubber, folder: Path, reuse: bool) -> None:
        self._dubber, self._folder, self._reuse = dubber, folder, reuse
        self._made: set[Path] = set()

    def write(self, video: Path, sound: Path, out: Path) -> None:
        """Stream a face with a sound into a file; the avatar has the file's name."""
        avatar = self._folder / f"{out.stem}.avatar"
        if avatar not in self._made and not (self._reuse and avatar.is_file()):
            self._dubber.make_avatar(video, avatar, overwrite=True)
        self._made.add(avatar)
        write_stream(self._dubber, avatar, sound, out)


def push_sentence(stream: Stream, samples: np.ndarray) -> None:
    """Push a whole sentence (N,) at RATE_HZ, chunk by chunk."""
    chunk = round(CHUNK_S * RATE_HZ)
    for first in range(0, len(samples), chunk):
        stream.push_audio(samples[first : first + chunk], RATE_HZ)
    stream.end_segment()


def write_stream(dubber: Dubber, avatar: Path, sound: Path, out: Path) -> None:
    """Let a person speak live, as fast as frames are made, and write what comes out, stored as a dub is.

    Args:
        dubber: with weights that can stream.
        avatar: made with them; frames come at its own rate, so that a dub has the same ones.
        sound: pushed in chunks of CHUNK_S.
        out: the video; its time 0 is the sound's.
    Raises:
        DataError: the sound that came with the frames is not the one that went in, from the first frame on.
    """
    info = dubber._open(avatar, False, None).info
    samples = np.round(np.asarray(read_waveform(sound)) * 32_767).astype(np.int16)
    with dubber.stream(avatar, fps=info.fps, sample_rate=RATE_HZ, paced=False) as stream:
        push_sentence(stream, samples)
        height, width = stream.size
        stored = FrameFormat(width, height, info.fps, colour=info.colour, pixel_aspect=info.pixel_aspect)
        heard = []
        with VideoWriter(out, stored, NewSound(sound), overwrite=True) as writer:
            for item in takewhile(lambda item: isinstance(item, LiveFrame), stream):
                writer.write(item.frame)
                heard.append(item.sound)
            check_sound(np.concatenate(heard), samples)


def check_sound(heard: np.ndarray, pushed: np.ndarray) -> None:
    """Raise DataError unless sound that was `heard` (N,) is that which was `pushed` (M,), and then silence."""
    if not np.array_equal(heard[: len(pushed)], pushed) or heard[len(pushed) :].any():
        raise DataError(
            "the sound that came with the frames is not the one that was pushed, from the first frame on: the times of "
            "frames would mean nothing; take them from the sound before you measure"
        )
