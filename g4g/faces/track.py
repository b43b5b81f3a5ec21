"""One face followed through a stream of frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from g4g.config import CropConfig
from g4g.faces.backends import FaceBackend
from g4g.faces.crop import find_runs, fit_crop
from g4g.faces.cuts import CutDetector
from g4g.faces.landmarks import steady_upper_face
from g4g.faces.warp import transform_points


class TimedFrame(Protocol):
    """A frame (H, W, 3) RGB uint8 and its time in seconds."""

    time_s: float
    frame: np.ndarray


@dataclass(frozen=True)
class FaceTrack:
    """Where the face is: `times_s` (T,), `landmarks` (T, 68, 2) px, `found` (T,), `frame_to_crop` (T, 2, 3).

    `cuts` (T,) is True where a new scene begins.
    """

    times_s: np.ndarray
    landmarks: np.ndarray
    found: np.ndarray
    frame_to_crop: np.ndarray
    cuts: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)

    def runs(self) -> list[tuple[int, int]]:
        """List the (start, stop) of every stretch of one scene in which the face is found."""
        return find_runs(self.found, self.cuts)

    def crop_landmarks(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the landmarks of all or some frames in crop pixels, shape (T, 68, 2), float32."""
        return transform_points(self.frame_to_crop[rows], self.landmarks[rows]).astype(np.float32)

    @cached_property
    def steady_landmarks(self) -> np.ndarray:
        """What the networks see: all landmarks in crop pixels, the upper face smoothed, (T, 68, 2), float32."""
        points = self.crop_landmarks()
        for start, stop in self.runs():
            points[start:stop] = steady_upper_face(points[start:stop], self.times_s[start:stop])
        return points


def track_faces(
    frames: Iterable[TimedFrame],
    backend: FaceBackend,
    config: CropConfig = CropConfig(),
) -> FaceTrack:
    """Follow the face through a video; memory holds half a kilobyte per frame, never the frames.

    Args:
        frames: the video in order.
        backend: as `make_backend` builds it; it must be fresh, since it remembers the last face.
    Returns:
        The track; frames without a face have found = False.
    """
    times_s, landmarks, cuts, detector = [], [], [], CutDetector()
    for item in frames:
        times_s.append(item.time_s)
        cuts.append(detector.is_cut(item.frame))
        if cuts[-1]:
            backend.forget()
        landmarks.append(backend.find(item.frame))
    found = np.array([points is not None for points in landmarks], dtype=bool)
    empty = np.zeros((68, 2), np.float32)
    points = np.array([empty if p is None else p for p in landmarks], dtype=np.float32).reshape(-1, 68, 2)
    scenes = np.array(cuts, dtype=bool)
    frame_to_crop = fit_crop(points, find_runs(found, scenes), config)
    return FaceTrack(np.array(times_s, dtype=np.float64), points, found, frame_to_crop, scenes)
