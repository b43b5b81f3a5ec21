"""Where one scene ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import ContentDetector

from g4g.faces.warp import reduce_blocks

_WIDTH_PX = 128
"""Pictures are reduced to about this width: a cut changes all of a picture."""


class TimedFrame(Protocol):
    """A frame (H, W, 3) RGB uint8 and its time in seconds."""

    time_s: float
    frame: np.ndarray


@dataclass(frozen=True)
class MarkedFrame:
    """A frame (H, W, 3) RGB uint8, its time in seconds, and whether a new scene begins with it."""

    time_s: float
    frame: np.ndarray
    is_cut: bool


def mark_cuts(frames: Iterable[TimedFrame | MarkedFrame]) -> Iterator[MarkedFrame]:
    """Tell of each frame of a video, in order, whether a new scene begins; those that are marked pass as they are."""
    detector = CutDetector()
    for item in frames:
        is_marked = isinstance(item, MarkedFrame)
        yield item if is_marked else MarkedFrame(item.time_s, item.frame, detector.is_cut(item.frame))


class CutDetector:
    """Finds cuts in a stream of frames. Source: PySceneDetect's content detector (colour and light of the whole)."""

    def __init__(self) -> None:
        self._detector = ContentDetector(min_scene_len=1, filter_mode=FlashFilter.Mode.SUPPRESS)
        self._number = 0

    def is_cut(self, frame: np.ndarray) -> bool:
        """Tell whether a new scene begins with this frame (H, W, 3) RGB uint8; frames come in order."""
        step = max(frame.shape[1] // _WIDTH_PX, 1)
        small = cv2.cvtColor(reduce_blocks(np.ascontiguousarray(frame), step), cv2.COLOR_RGB2BGR)
        self._number += 1
        # The rate only names the frame; it decides nothing.
        return bool(self._detector.process_frame(FrameTimecode(self._number, fps=25.0), small))
