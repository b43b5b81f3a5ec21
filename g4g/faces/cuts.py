"""Where one scene ends and the next begins."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scenedetect import FrameTimecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import ContentDetector

_WIDTH_PX = 128
"""Pictures are reduced to about this width: a cut changes all of a picture."""


class CutDetector:
    """Finds cuts in a stream of frames. Source: PySceneDetect's content detector (colour and light of the whole)."""

    def __init__(self) -> None:
        self._detector = ContentDetector(min_scene_len=1, filter_mode=FlashFilter.Mode.SUPPRESS)
        self._number = 0

    def is_cut(self, frame: np.ndarray) -> bool:
        """Tell whether a new scene begins with this frame (H, W, 3) RGB uint8; frames come in order."""
        step = max(frame.shape[1] // _WIDTH_PX, 1)
        small = np.ascontiguousarray(np.asarray(Image.fromarray(frame).reduce(step))[..., ::-1])
        self._number += 1
        # The rate only names the frame; it decides nothing.
        return bool(self._detector.process_frame(FrameTimecode(self._number, fps=25.0), small))
