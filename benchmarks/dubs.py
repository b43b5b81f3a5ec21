"""Dubs of clips through the real path, written as a user gets them; the mask is checked on the way."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clips import Clip

from g4g.dubbing import DubbedFace, Dubber
from g4g.errors import G4GError
from g4g.faces import refine_crop
from g4g.media import FrameFormat, NewSound, VideoWriter, probe

SIZE = 128
OWN_APART_S = 0.5
"""Dubs with the video's own sound take no picture nearer than this to the frame: it would be the answer."""


@dataclass(frozen=True)
class Job:
    """A clip to dub with a sound into a file; None takes the clip's own sound."""

    clip: Clip
    sound: Path | None
    out: Path

    @property
    def audio(self) -> Path:
        return self.sound or self.clip.source


@dataclass
class Dubbed:
    """What became of some jobs.

    Attributes:
        jobs: all, the failed too.
        failed: a sentence for each that did not come out.
        outside_changed: pixels outside the mask that differ from the source's before encoding.
        outside: pixels outside the mask.
    """

    jobs: list[Job]
    failed: list[str]
    outside_changed: int = 0
    outside: int = 0


def dub_all(dubber: Dubber, jobs: list[Job], say) -> Dubbed:
    """Dub every job; files of an earlier run are made anew."""
    result = Dubbed(jobs, [])
    for number, job in enumerate(jobs, 1):
        say(f"dub {number} of {len(jobs)}: {job.out.name}")
        try:
            changed, outside = _dub(dubber, job)
        except G4GError as error:
            job.out.unlink(missing_ok=True)
            result.failed.append(f"{job.out.name}: {error}")
            continue
        result.outside_changed += changed
        result.outside += outside
    return result


def _dub(dubber: Dubber, job: Job) -> tuple[int, int]:
    info, apart_s = probe(job.clip.source), OWN_APART_S if job.sound is None else 0.0
    changed, outside = 0, 0
    frames = dubber.generate_frames(job.clip.source, job.audio, length="video", apart_s=apart_s)
    stored = FrameFormat(info.width, info.height, info.fps)
    with VideoWriter(job.out, stored, NewSound(job.audio), overwrite=True) as writer:
        for item in frames:
            writer.write(item.frame)
            spared = np.ones(item.frame.shape[:2], bool)
            for face in item.faces:
                spared &= ~mask_frame(face, spared.shape)
            changed += int((item.frame != item.source).any(-1)[spared].sum())
            outside += int(spared.sum())
    return changed, outside


def mask_frame(face: DubbedFace, shape: tuple[int, int]) -> np.ndarray:
    """Find the pixels (H, W) of a frame that a face's mask can reach, bool; computed apart from the dub's own paste."""
    size, margin = len(face.taken), 1  # bilinear sampling reaches a pixel further
    grown = np.pad(face.taken > 0, margin)
    shifts = range(-margin, margin + 1)
    grown = np.max([np.roll(grown, (y, x), (0, 1)) for y in shifts for x in shifts], axis=0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    to_crop = refine_crop(face.frame_to_crop, size // SIZE)
    u, v = (np.rint(row[0] * x + row[1] * y + row[2]).astype(int) + margin for row in to_crop)
    inside = (u >= 0) & (u < len(grown)) & (v >= 0) & (v < len(grown))
    return inside & grown[np.clip(v, 0, len(grown) - 1), np.clip(u, 0, len(grown) - 1)]


def write_silence(path: Path, seconds: float) -> Path:
    """Write digital silence as a wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * round(seconds * 16_000)))
    return path
