"""What a video shows around its faces, kept while they are followed: a short video is not decoded once more for it.

Of a short and small video all is kept: it is decoded once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from g4g.config import CropConfig
from g4g.faces import fit_crop, frame_corners
from g4g.media import VideoFrame
from g4g.media.picture import Box, Picture, PlanarPart, PlanarPicture, even_box
from g4g.media.read import TimedPicture
from g4g.memory import ArrayFile, StoredArray

MOST_BYTES = 128 * 1024 * 1024
"""Of a video that needs more nothing is kept: 10 s of a face of 300 px in 1280x720 need 60 MB, 30 s of 360x288 in whole
116 MB."""
_MARGIN_PX, _MARGIN = 24, 0.04
"""Kept around a face's crop of this frame alone, in px and as a share of its side: the smoothed crop lies near it."""

_NO_PLANES = np.empty((0, 0), np.uint8)
_Kept = tuple[PlanarPart, StoredArray | np.ndarray]
"""A part without its planes, and where they are."""


class KeptParts:
    """Parts of planar pictures around faces, by the number of their frame; each is given away once.

    They lie in an unnamed temporary file. Pictures of other kinds are not kept: they would take twice the room, and are
    read once more.
    """

    def __init__(self, frames: int | None = None) -> None:
        """Keep parts of a video of about so many frames, None: not known."""
        self._frames = math.inf if frames is None else frames
        self._shown: dict[int, PlanarPicture] = {}
        self._parts: dict[int, list[_Kept]] = {}
        self._file = ArrayFile()
        self._bytes, self._count, self._is_open = 0, 0, True
        self._like: PlanarPicture | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the video is kept: `picture` shows each frame, and parts can be taken again and again."""
        return self._like is not None and len(self._parts) == self._count

    def show(self, pictures: Iterable[TimedPicture]) -> Iterator[VideoFrame]:
        """Yield the frames (RGB) of a video's pictures; each is held until `keep` is told of its faces."""
        for number, item in enumerate(pictures):
            self._count += 1
            if self._is_open and isinstance(item.picture, PlanarPicture):
                self._shown[number] = item.picture
                if number == 0 and item.picture.nbytes * self._frames <= MOST_BYTES:
                    self._like = item.picture
            yield VideoFrame(item.time_s, item.picture.whole())

    def keep(self, number: int, faces: list[np.ndarray]) -> None:
        """Keep what frame `number` shows around faces, points (68, 2) each."""
        picture = self._shown.pop(number, None)
        if picture is None or not self._is_open:
            return
        if self._like is not None:
            boxes = [(0, 0, *picture.size[::-1])]
        else:
            boxes = [_frame_face(points, picture.size) for points in faces]
        parts = [part for box in boxes if (part := picture.part(box)) is not None]
        self._bytes += sum(part.nbytes for part in parts)
        if self._bytes <= MOST_BYTES:
            if parts:
                stored = [self._file.keep(part.planes) for part in parts]
                self._parts[number] = [(replace(p, planes=_NO_PLANES), s) for p, s in zip(parts, stored, strict=True)]
        else:
            self.close()
            self.drop()

    def close(self) -> None:
        """Hold no more pictures: the video has ended."""
        self._is_open = False
        self._shown.clear()

    def drop(self) -> None:
        """Let go of all parts."""
        self._like = None
        self._parts.clear()
        self._file.close()

    def take(self, number: int, boxes: list[Box]) -> list[Picture] | None:
        """Give away what shows each of these parts of frame `number`; None: not all of them were kept."""
        parts = self._parts.get(number, []) if self.is_whole else self._parts.pop(number, [])
        found = [next((part for part in parts if part[0].holds(box)), None) for box in boxes]
        if None in found:
            return None
        return [replace(part, planes=self._file.read(stored)) for part, stored in found]

    def picture(self, number: int) -> PlanarPicture:
        """Show frame `number` exactly as it would be read again, where `is_whole`."""
        ((_, stored),) = self._parts[number]
        return self._like.exactly(self._file.read(stored))


def _frame_face(points: np.ndarray, size: tuple[int, int]) -> Box:
    """Find the part of a frame (height, width) that is kept around a face."""
    corners = frame_corners(fit_crop(points[None], [(0, 1)])[0], CropConfig().size)
    return even_box(corners, _MARGIN_PX + int(_MARGIN * np.ptp(corners, axis=0).max()), size)
