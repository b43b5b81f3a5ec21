"""Dubs of clips through the real path, written as a user gets them; the mask is checked on the way."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clips import Clip

from g4g.dubbing import Dubber
from g4g.errors import G4GError
from g4g.faces import lower_half_mask
from g4g.media import VideoWriter, probe

SIZE = 128


@dataclass(frozen=True)
class Job:
    """A clip to dub with a sound into a file."""

    clip: Clip
    audio: Path
    out: Path


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
    info, shot, start = probe(job.clip.source), job.clip.shot, job.clip.start
    changed, outside = 0, 0
    frames = dubber.generate_frames(job.clip.source, job.audio, length="video")
    with VideoWriter(job.out, info.width, info.height, info.fps, audio=job.audio, overwrite=True) as writer:
        for number, item in enumerate(frames):
            writer.write(item.frame)
            if item.taken is not None and 0 <= number - start < len(shot):
                shape = item.frame.shape[:2]
                spared = ~mask_frame(shot.landmarks[number - start], item.frame_to_crop, shape)
                changed += int((item.frame != item.source).any(-1)[spared].sum())
                outside += int(spared.sum())
    return changed, outside


def mask_frame(crop_landmarks: np.ndarray, frame_to_crop: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Find the pixels (H, W) of a frame that the mask can reach, bool; computed apart from the dub's own paste."""
    support = lower_half_mask(crop_landmarks) > 0
    grown = np.pad(support, 1)
    # Sampling between pixels reaches one pixel further.
    grown = np.max([np.roll(grown, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0)[1:-1, 1:-1]
    y, x = np.mgrid[: shape[0], : shape[1]]
    u, v = (np.rint(row[0] * x + row[1] * y + row[2]).astype(int) for row in frame_to_crop)
    inside = (u >= 0) & (u < SIZE) & (v >= 0) & (v < SIZE)
    return inside & grown[np.clip(v, 0, SIZE - 1), np.clip(u, 0, SIZE - 1)]


def write_silence(path: Path, seconds: float) -> Path:
    """Write digital silence as a wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * round(seconds * 16_000)))
    return path
