"""BlazeFace short-range on OpenVINO: boxes and eye points of every face in a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import nms

from g4g.faces.warp import warp_frame

_INPUT_PX = 128
_MIN_SCORE = 0.5
_MAX_OVERLAP = 0.3


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

    def __call__(self, frame: np.ndarray) -> list[Detection]:
        """Detect faces in a frame (H, W, 3) RGB uint8, best score first."""
        height, width = frame.shape[:2]
        side = max(height, width)
        scale = side / _INPUT_PX
        # Letterbox: the whole frame in the middle of a square.
        crop_to_frame = np.array([[scale, 0, (width - side) / 2], [0, scale, (height - side) / 2]])
        picture = warp_frame(frame, crop_to_frame, (_INPUT_PX, _INPUT_PX)) / 127.5 - 1.0
        result = self._network(picture[None].astype(np.float32))
        raw, scores = result["regressors"][0], _sigmoid(result["classificators"][0, :, 0])
        keep = scores > _MIN_SCORE
        if not keep.any():
            return []
        points = raw[keep].reshape(-1, 8, 2) / _INPUT_PX
        centres = points[:, 0] + self._anchors[keep]
        half = points[:, 1] / 2
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        eyes = points[:, 2:4] + self._anchors[keep][:, None]
        offset = crop_to_frame[:, 2]
        boxes = boxes * side + np.tile(offset, 2)
        eyes = eyes * side + offset
        chosen = nms(torch.from_numpy(boxes.astype(np.float32)), torch.from_numpy(scores[keep]), _MAX_OVERLAP)
        return [Detection(boxes[i], eyes[i], float(scores[keep][i])) for i in chosen.tolist()]


def _make_anchors() -> np.ndarray:
    """Centres of the 896 anchors in [0, 1]: 2 per cell of a 16 x 16 grid, 6 per cell of an 8 x 8 grid."""
    anchors = []
    for cells, per_cell in ((16, 2), (8, 6)):
        axis = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        anchors.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(anchors)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -50, 50)))
