"""The part of a frame that a face crop shows: only it is decoded to colours, looked at and drawn into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.faces import crop_face, frame_corners, shift_crop
from g4g.media.picture import Box, even_box

_MARGIN_PX = 16
"""Sampling reaches a little beyond the crop."""


@dataclass(frozen=True)
class Window:
    """Part of a frame, `box`, and how it maps to the crop of `size` px: `frame_to_crop` (2, 3)."""

    box: Box
    frame_to_crop: np.ndarray
    size: int

    @classmethod
    def around(cls, frame_to_crop: np.ndarray, size: int, picture_size: tuple[int, int]) -> Window:
        """Find the part of a frame (height, width) that a crop of `size` px shows."""
        box = even_box(frame_corners(frame_to_crop, size), _MARGIN_PX, picture_size)
        return cls(box, shift_crop(frame_to_crop, *box[:2]), size)

    def crop(self, picture: np.ndarray, mode: str = "bilinear") -> np.ndarray:
        """Cut the face crop (size, size, 3) out of what the frame shows at `box`."""
        if not picture.size:  # the face is beside the frame
            return np.zeros((self.size, self.size, 3), np.uint8)
        return crop_face(picture, self.frame_to_crop, self.size, mode)
