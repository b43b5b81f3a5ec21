"""BlazeFace short-range on OpenVINO: boxes and eye points of every face in a frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from g4g.faces.warp import reduce_blocks, warp_frame

INPUT_PX = 128
_MIN_SCORE = 0.5
_MAX_OVERLAP = 0.3
_MIN_SIDE_PX = 512
"""Larger frames are reduced by a whole number to at least this side: the network sees 128 px of it at a time."""
_SEEN_SHARE = 1 / 8
"""The network finds faces wider than this share of its picture (measured)."""
_SMALLEST_PX = 32
"""Faces from about this width on are looked for (our choice: less than that leaves no mouth to dub)."""


@dataclass(frozen=True)
class Detection:
    """One face: `box` (x1, y1, x2, y2) px, `eyes` (2, 2) px (left in the picture first), `score` in [0, 1]."""

    box: np.ndarray
    eyes: np.ndarray
    score: float


class BlazeFace:
    """Find faces. Source: MediaPipe face_detection_short_range (Apache-2.0); anchors as its graph describes them."""

    def __init__(self, network) -> None:
        self._network = network
        self._anchors = _make_anchors()

    def __call__(self, frame: np.ndarray, thorough: bool = False) -> list[Detection]:
        """Detect faces in a frame (H, W, 3) RGB uint8, best score first.

        `thorough` looks for small faces too, in overlapping halves and quarters of the frame: up to 50 times the work.
        """
        factor = max(max(frame.shape[:2]) // _MIN_SIDE_PX, 1)
        picture = reduce_blocks(np.ascontiguousarray(frame), factor) if factor > 1 else frame
        found = [self._look(picture, *_letterbox(picture))]
        for parts in (2, 4) if thorough else ():
            if max(frame.shape[:2]) * _SEEN_SHARE * 2 / parts > _SMALLEST_PX:
                found += [self._look(picture, *tile) for tile in _list_tiles(picture, parts)]
        boxes, eyes, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        # OpenCV's, since the import of torchvision, which brings all that compiles networks, takes 100 MB of memory.
        chosen = cv2.dnn.NMSBoxes(sides.tolist(), scores.tolist(), 0.0, _MAX_OVERLAP)
        # Block f of the reduced picture is centred on pixel f * factor + (factor - 1) / 2.
        shift = (factor - 1) / 2
        return [Detection(boxes[i] * factor + shift, eyes[i] * factor + shift, float(scores[i])) for i in chosen]

    def _look(self, frame: np.ndarray, corner: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find boxes (N, 4), eyes (N, 2, 2) and scores (N,) in one square of a frame."""
        scale = side / INPUT_PX
        crop_to_frame = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
        picture = warp_frame(frame, crop_to_frame, (INPUT_PX, INPUT_PX)).astype(np.float32) / 127.5 - 1
        result = self._network(picture[None])
        raw, scores = result["regressors"][0], sigmoid(result["classificators"][0, :, 0])
        keep = scores > _MIN_SCORE
        points = raw[keep].reshape(-1, 8, 2) / INPUT_PX
        centres = points[:, 0] + self._anchors[keep]
        half = points[:, 1] / 2
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        eyes = points[:, 2:4] + self._anchors[keep][:, None]
        return boxes * side + np.tile(corner, 2), eyes * side + corner, scores[keep]


def _letterbox(frame: np.ndarray) -> tuple[np.ndarray, float]:
    """Corner and side of the square with the whole frame in its middle."""
    height, width = frame.shape[:2]
    side = max(height, width)
    return np.array([(width - side) / 2, (height - side) / 2]), side


def _list_tiles(frame: np.ndarray, parts: int) -> list[tuple[np.ndarray, float]]:
    """Corners and side of squares, 1 / parts of the longer side, that overlap by half: one holds each face whole."""
    height, width = frame.shape[:2]
    side = max(height, width) / parts
    rows, columns = (
        np.linspace(0, max(length - side, 0), max(int(np.ceil(2 * (length - side) / side)), 0) + 1)
        for length in (height, width)
    )
    return [(np.array([x, y]), side) for y in rows for x in columns]


def _make_anchors() -> np.ndarray:
    """Centres of the 896 anchors in [0, 1]: 2 per cell of a 16 x 16 grid, 6 per cell of an 8 x 8 grid."""
    anchors = []
    for cells, per_cell in ((16, 2), (8, 6)):
        axis = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        anchors.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(anchors)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -50, 50)))
