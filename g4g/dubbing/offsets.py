"""Is the sound in time with the lips? Some seconds of a source and of its dub, as the aligner sees them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from g4g.aligner import Aligner, Offset, measure_offset
from g4g.avatar.window import Window
from g4g.config import SCORE_FPS, CropConfig
from g4g.dubbing.report import DubbedFrame
from g4g.faces import FaceTrack, make_backend, refine_crop
from g4g.faces.backends import FaceBackend
from g4g.media.picture import lay_patches

SHORTEST_S, LONGEST_S = 2.8, 4.0
"""Seconds of dubbed frames that are looked at; in less, one offset looks like another."""

_SOURCE_S = 60.0
"""More of a source tells its offset no better."""

_APART_S = 0.07
"""Of frames that follow each other faster some are passed over: of 25 a second every second one. On 36 clips that moved
offsets by 0.06 frames, 0.2 at most, and all stayed clear."""

LARGE_FRAMES = 2.0
"""From this many frames of 1/25 s on, a report says in words that a source is out of sync."""

_PICTURE_PX = 256
_MARGIN = 0.6
"""The crop takes this share of a picture's side; around it is the rest of the head, without which no face is found."""


@dataclass
class OffsetMeter:
    """Looks at the dubbed face while frames pass: the first stretch that is long enough.

    `faces` names the backend that places the points on them.
    """

    faces: str = "mediapipe"
    times_s: list[float] = field(default_factory=list)
    is_full: bool = False
    _meshes: list[Future] = field(default_factory=list)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    """Places the points, in order, while frames are made."""
    _backend: FaceBackend | None = None

    def add(self, time_s: float, item: DubbedFrame) -> None:
        """Look at the next frame of the dub, shown at `time_s`."""
        if self.is_full:
            return
        if item.frame_to_crop is not None:
            if self.times_s and time_s - self.times_s[-1] < _APART_S:
                return
            self.times_s.append(time_s)
            window = Window.around(_widen(item.frame_to_crop), _PICTURE_PX, item.picture.size)
            picture = window.crop(lay_patches(item.picture, item.patches, window.box))
            self._meshes.append(self._worker.submit(self._find, picture))
            self.is_full = self.length_s >= LONGEST_S
        elif self.has_enough:
            self.is_full = True
        else:
            self.times_s.clear()
            while self._meshes:
                self._meshes.pop().cancel()
            self._worker.submit(self._forget)

    def tell_dubbed(self, aligner: Aligner, speech: np.ndarray, start_s: float) -> Offset | None:
        """Tell the offset between the dubbed face, whose points are placed anew, and the new sound.

        Args:
            aligner: in evaluation mode.
            speech: features of the new sound, (S, D).
            start_s: when its first sample is heard.
        Returns:
            The offset; None where too few frames were gathered, or no face is found on them.
        """
        meshes = [mesh.result() for mesh in self._meshes] if self.has_enough else []
        seen = [number for number, mesh in enumerate(meshes) if mesh is not None]
        if not seen:
            return None
        times_s = np.array(self.times_s)[seen]
        return measure_offset(aligner, np.stack([meshes[number] for number in seen]), times_s, speech, start_s)

    def _find(self, picture: np.ndarray) -> np.ndarray | None:
        self._backend = self._backend or make_backend(self.faces)
        return self._backend.find(picture)

    def _forget(self) -> None:
        if self._backend is not None:
            self._backend.forget()

    @property
    def has_enough(self) -> bool:
        """True where an offset can be told."""
        return self.length_s >= SHORTEST_S

    @property
    def length_s(self) -> float:
        """From the first gathered frame to the last."""
        return self.times_s[-1] - self.times_s[0] if self.times_s else 0.0


def tell_source(aligner: Aligner, track: FaceTrack, speech: np.ndarray) -> Offset | None:
    """Tell the offset of a source's own sound in the longest stretch in which the face is seen, or a minute of it.

    Args:
        aligner: in evaluation mode.
        track: the face.
        speech: features of the source's sound, on its clock, (S, D).
    Returns:
        The offset; None where no stretch is long enough.
    """
    start, stop = max(track.runs(), key=lambda run: run[1] - run[0], default=(0, 0))
    if stop == start or track.times_s[stop - 1] - track.times_s[start] < SHORTEST_S:
        return None
    times_s = track.times_s[start:stop]
    times_s = times_s[times_s < times_s[0] + _SOURCE_S]
    return measure_offset(aligner, track.mesh[start : start + len(times_s)], times_s, speech)


def describe_offset(offsets: dict[str, float]) -> list[str]:
    """Say that the sound of a source is early or late, where it is; the dub does not change that."""
    frames = offsets.get("source", 0.0)
    if abs(frames) < LARGE_FRAMES:
        return []
    side = "before" if frames > 0 else "after"
    return [f"the video's own sound comes about {abs(frames) / SCORE_FPS:.2f} s {side} its lips; what is kept stays so"]


def _widen(frame_to_crop: np.ndarray) -> np.ndarray:
    """Map frames to pictures that show the crop in their middle and what is around it, affine (2, 3)."""
    wide = refine_crop(frame_to_crop, _MARGIN * _PICTURE_PX / CropConfig().size)
    wide[..., 2] += (1 - _MARGIN) / 2 * _PICTURE_PX
    return wide
