"""One face followed through a stream of frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from g4g.config import CropConfig
from g4g.faces.backends import FaceBackend
from g4g.faces.crop import find_runs, fit_crop
from g4g.faces.cuts import TimedFrame, mark_cuts
from g4g.faces.facemesh import POINTS
from g4g.faces.landmarks import to_landmarks
from g4g.faces.warp import transform_points


@dataclass(frozen=True)
class FaceTrack:
    """Where the face is: `times_s` (T,), `mesh` (T, 478, 3) px, `found` (T,), `frame_to_crop` (T, 2, 3).

    `cuts` (T,) is True where a new scene begins.
    """

    times_s: np.ndarray
    mesh: np.ndarray
    found: np.ndarray
    frame_to_crop: np.ndarray
    cuts: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)

    @cached_property
    def landmarks(self) -> np.ndarray:
        """The 68 points of each frame, (T, 68, 2) px."""
        return to_landmarks(self.mesh)

    def runs(self) -> list[tuple[int, int]]:
        """List the (start, stop) of every stretch of one scene in which the face is found."""
        return find_runs(self.found, self.cuts)

    def crop_landmarks(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the landmarks of all or some frames in crop pixels, shape (T, 68, 2), float32."""
        return transform_points(self.frame_to_crop[rows], self.landmarks[rows]).astype(np.float32)


def track_faces(
    frames: Iterable[TimedFrame],
    backend: FaceBackend,
    config: CropConfig = CropConfig(),
) -> FaceTrack:
    """Follow the face through a video; memory holds 6 KB per frame, never the frames.

    Args:
        frames: the video in order.
        backend: as `make_backend` builds it; it must be fresh, since it remembers the last face.
    Returns:
        The track; frames without a face have found = False.
    """
    times_s, meshes, cuts = [], [], []
    for item in mark_cuts(frames):
        times_s.append(item.time_s)
        cuts.append(item.is_cut)
        if cuts[-1]:
            backend.forget()
        meshes.append(backend.find(item.frame))
    found = np.array([mesh is not None for mesh in meshes], dtype=bool)
    empty = np.zeros((POINTS, 3), np.float32)
    mesh = np.array([empty if m is None else m for m in meshes], dtype=np.float32).reshape(-1, POINTS, 3)
    scenes = np.array(cuts, dtype=bool)
    frame_to_crop = fit_crop(to_landmarks(mesh), find_runs(found, scenes), config)
    return FaceTrack(np.array(times_s, dtype=np.float64), mesh, found, frame_to_crop, scenes)
