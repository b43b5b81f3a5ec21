"""Dubs of clips through the real path, and what is measured on their frames before encoding."""

from __future__ import annotations

import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from clips import Clip
from pictures import mouth_errors

from g4g.dubbing import DubbedFrame, Dubber
from g4g.errors import FaceError
from g4g.faces import crop_face, lower_half_mask, make_backend
from g4g.metrics import mouth_opening

SIZE = 128
_SHEET_FRAMES = 10


@dataclass
class Dub:
    """One dubbed clip.

    Attributes:
        crops: (T, size, size, 3) uint8, cut again out of the dubbed frames.
        errors: (T, 3) as `mouth_errors` gives them, of the networks' crop before it was pasted, against the source.
        landmarks: (T, 68, 2) frame px, found again in the dubbed frames; NaN where no face was found.
        outside_changed: pixels outside the mask that differ from the source's.
        outside: pixels outside the mask.
        samples: (source frame, dubbed frame) of some frames, for a sheet.
    """

    crops: np.ndarray
    errors: np.ndarray
    landmarks: np.ndarray
    outside_changed: int
    outside: int
    samples: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def openings(self) -> np.ndarray:
        """Mouth opening of the frames in which a face was found."""
        return mouth_opening(self.landmarks[np.isfinite(self.landmarks[:, 0, 0])])


def dub_clip(dubber: Dubber, clip: Clip, audio: Path) -> Dub:
    """Dub the clip's video with a sound and measure the frames of its shot as they pass."""
    backend = make_backend("mediapipe")
    count = len(clip.shot)
    wanted = set(sheet_columns(count))
    crops, made, landmarks, samples, changed, outside = [], [], [], [], 0, 0
    for number, item in enumerate(dubber.generate_frames(clip.source, audio, length="video")):
        points = backend.find(item.frame)
        index = number - clip.start
        if not 0 <= index < count:
            continue
        if item.taken is None:
            raise FaceError(f"frame {number} of {clip.name} passed through undubbed, yet its shot has a face")
        matrix = item.frame_to_crop
        crops.append(crop_face(item.frame, matrix, SIZE))
        made.append(_join_crop(item, clip.shot.crops[index]))
        landmarks.append(np.full((68, 2), np.nan, np.float32) if points is None else points)
        spared = ~mask_frame(clip.shot.landmarks[index], matrix, item.frame.shape[:2])
        changed += int((item.frame != item.source).any(-1)[spared].sum())
        outside += int(spared.sum())
        if index in wanted:
            samples.append((item.source, item.frame))
    errors = mouth_errors(clip, np.stack(made))
    return Dub(np.stack(crops), errors, np.stack(landmarks), changed, outside, samples)


def sheet_columns(count: int) -> list[int]:
    """Frame numbers that a sheet shows of a clip of `count` frames."""
    return np.linspace(0, count - 1, _SHEET_FRAMES).round().astype(int).tolist()


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


def _join_crop(item: DubbedFrame, real: np.ndarray) -> np.ndarray:
    taken = item.taken[..., None]
    return (item.crop * taken + real * (1 - taken)).astype(np.float32)
