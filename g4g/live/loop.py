"""The avatar's own video, played to and fro for ever: every frame at hand, decoded once."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from g4g.avatar import Avatar
from g4g.avatar.prepare import pass_over
from g4g.errors import ConfigError, MediaError
from g4g.media import read_frames

MOST_BYTES = 2 << 30
"""Pictures on disk: half a minute of 1280x720. Of a longer video, the beginning plays."""
_SLACK = 1e-6


@dataclass(frozen=True)
class LoopPlan:
    """`count` frames of a video, `fps` of them a second, played to and fro, in a `size` of (height, width)."""

    count: int
    fps: float
    size: tuple[int, int]

    @property
    def turn(self) -> int:
        """Frames until the video is where it began."""
        return max(2 * (self.count - 1), 1)

    def find_place(self, time_s: float) -> int:
        """Tell how many frames of the way to and fro have passed at a time, from 0 to `turn` - 1."""
        return int(math.floor(time_s * self.fps + _SLACK)) % self.turn

    def find_frame(self, place: int) -> int:
        """Tell which frame of the video is shown there."""
        return min(place, self.turn - place)


def plan_loop(avatar: Avatar, size: tuple[int, int] | None) -> LoopPlan:
    """Plan how an avatar's video plays, in a size or its own.

    Raises:
        ConfigError: the size has another shape than the video.
    """
    info = avatar.info
    own = (info.height, info.width)
    height, width = size = size or own
    if abs(width * own[0] / own[1] - height) > 1:
        raise ConfigError(
            f"the video has {own[1]} x {own[0]} px; a `size` of its shape with this width is "
            f"({round(width * own[0] / own[1])}, {width}), got {size}"
        )
    return LoopPlan(max(min(len(avatar.tracks), MOST_BYTES // (3 * height * width)), 1), info.fps, size)


class FrameLoop:
    """The frames (H, W, 3) of a plan in an unnamed temporary file: memory does not grow with the video's length."""

    def __init__(self, avatar: Avatar, plan: LoopPlan) -> None:
        self._plan, self._file = plan, tempfile.TemporaryFile(prefix="g4g-")
        try:
            for item in islice(read_frames(avatar.info.path, on_fault=pass_over), plan.count):
                self._file.write(np.ascontiguousarray(resize_frame(item.frame, plan.size)))
            self._file.flush()
        except OSError as error:
            self._file.close()
            raise MediaError(
                f"the pictures of {avatar.info.path} do not fit into {tempfile.gettempdir()}: {error.strerror}; make "
                "room there, or ask for a smaller `size`"
            ) from error

    def read(self, number: int) -> np.ndarray:
        """Read a frame of the video, a copy of its own."""
        shape = (*self._plan.size, 3)
        frame = np.empty(shape, np.uint8)
        os.preadv(self._file.fileno(), [frame], number * frame.nbytes)
        return frame

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def resize_frame(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring a frame to a size (height, width)."""
    if frame.shape[:2] == size:
        return frame
    mode = cv2.INTER_AREA if size[0] < frame.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(frame, size[::-1], interpolation=mode)


def scale_crops(frame_to_crop: np.ndarray, own: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Turn affines (N, 2, 3) of frames of one size (height, width) into those of the same frames in another."""
    scale = np.array([own[1] / size[1], own[0] / size[0]])
    matrix = np.zeros((2, 3))
    matrix[:, :2], matrix[:, 2] = np.diag(scale), (scale - 1) / 2  # whole numbers are pixel centres
    turned = frame_to_crop[..., :2] @ matrix
    turned[..., 2] += frame_to_crop[..., 2]
    return turned
