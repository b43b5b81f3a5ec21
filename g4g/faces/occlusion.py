"""Is something before a mouth: a hand, a microphone, a sheet of paper?"""

from __future__ import annotations

import numpy as np

from g4g.faces.crop import find_runs
from g4g.faces.landmarks import head_yaw

_MOST_FRAMES = 1500
"""So much of a scene is judged by what it mostly shows (a minute at 25 frames/s): light and pose drift in more."""
_FEWEST_FRAMES = 8
"""Less does not tell what is usual."""

_MOST_OFF = 8.0
"""One place says no more than so many spreads: what occludes is wide."""
_QUIET = 0.6
"""A face whose places are off by fewer spreads on average is quieter than any real one."""

_OCCLUDED, _STILL_OCCLUDED = 2.3, 1.6
"""An occlusion begins above the first, and lasts above the second: how far off a face is, of how far it mostly is."""
_SHORTEST, _MARGIN = 3, 2
"""The fewest frames of an occlusion, and the frames before and after it in which it comes and goes."""
_MOST_SHARE = 0.4
"""Where more than this share of the frames seems covered, nothing tells which of both is the face."""
_YAW_UNIT_DEG = 30.0
"""A head turned by so much from its usual may look twice as different."""


# Places on the face: each a list of landmarks and their shares.
_LIPS_TO_JAW = (48, 3, 4), (59, 5, 5), (58, 6, 7), (57, 8, 8), (56, 9, 10), (55, 11, 11), (54, 12, 13)
_SKIN = [
    [(lip, 1 - share), (jaw, share / 2), (beside, share / 2)]
    for lip, jaw, beside in _LIPS_TO_JAW
    for share in (0.2, 0.4, 0.6, 0.8)
]
_SKIN += [[(31 + i, 1 - share), (49 + i, share)] for i in range(5) for share in (0.35, 0.7)]
_LIPS = [[(a, 0.5), (b, 0.5)] for a, b in ((50, 61), (51, 62), (52, 63), (58, 67), (57, 66), (56, 65))]
_UPPER = [[(a, 0.5), (b, 0.5)] for a, b in ((41, 31), (46, 35), (40, 31), (47, 35), (27, 28), (28, 29))]
_UPPER += [[(brow, 1.5), (lid, -0.5)] for brow, lid in ((19, 37), (20, 38), (23, 43), (24, 44))]

_SKIN_SPREAD, _LIPS_SPREAD = (0.028, 0.018, 0.025), (0.050, 0.045, 0.037)
"""How far light, red and blue of a place in free frames are off their median: logarithms, measured on GRID."""
_SPREADS = np.array([_SKIN_SPREAD] * len(_SKIN) + [_LIPS_SPREAD] * len(_LIPS), np.float32)


def _weigh_landmarks(places: list[list[tuple[int, float]]]) -> np.ndarray:
    """Write places as rows of shares of all landmarks, (places, 68)."""
    weights = np.zeros((len(places), 68), np.float32)
    for row, parts in enumerate(places):
        for landmark, share in parts:
            weights[row, landmark] += share
    return weights


_PLACES = _weigh_landmarks([*_SKIN, *_LIPS, *_UPPER])
_GRID = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(9, 2).astype(np.float32)
_GRID_STEP = 0.03
"""A place is 3 x 3 pixels, so far apart: shares of the distance of the outer eye corners."""


def sample_places(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Take the colours of the face's places, for `find_occluded`.

    Args:
        frame: shape (H, W, 3), RGB uint8.
        landmarks: shape (68, 2), px.
    Returns:
        Shape (places, 3), uint8; at the border of the frame what is nearest inside.
    """
    step = _GRID_STEP * np.linalg.norm(landmarks[45] - landmarks[36])
    points = np.rint((_PLACES @ landmarks)[:, None] + _GRID * step).astype(int)
    x, y = (points[..., axis].clip(0, frame.shape[1 - axis] - 1) for axis in (0, 1))
    return np.rint(frame[y, x].mean(1)).astype(np.uint8)


def measure_light(colours: np.ndarray) -> np.ndarray:
    """Measure the light on faces: logarithms of the upper face's median colour.

    Args:
        colours: as `sample_places` takes them, (T, places, 3) uint8.
    Returns:
        Shape (T, 3), float32: 0.1 more is about a tenth brighter.
    """
    return np.median(_take_logs(colours)[:, len(_SPREADS) :], axis=1)


def find_occluded(colours: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Tell in which frames something is before the mouth that mostly is not.

    Args:
        colours: of one face in one scene, as `sample_places` takes them, (T, places, 3).
        landmarks: its, (T, 68, 2).
    Returns:
        Shape (T,), bool; False throughout where the face is seen too shortly to tell.
    Source:
        Our choice: the colours of skin and lips, light taken out by the upper face, against their median over time.
    """
    covered = np.zeros(len(colours), bool)
    for rows in np.array_split(np.arange(len(colours)), -(-len(colours) // _MOST_FRAMES) or 1):
        if len(rows) >= _FEWEST_FRAMES:
            covered[rows] = _find_stretches(_measure(colours[rows], landmarks[rows]))
    return covered


def _measure(colours: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Say how many times as far as mostly each frame is off the usual, (T,)."""
    logs = _take_logs(colours)
    logs -= np.median(logs[:, len(_SPREADS) :], axis=1, keepdims=True)
    red, green, blue = np.moveaxis(logs[:, : len(_SPREADS)], -1, 0)
    colours = np.stack([(red + green + blue) / 3, red - green, blue - green], -1)
    off = np.minimum(np.abs(colours - np.median(colours, axis=0)) / _SPREADS, _MOST_OFF).mean((1, 2))
    yaw = head_yaw(landmarks)
    turn = np.abs(yaw - np.median(yaw)) / _YAW_UNIT_DEG
    return off / max(np.median(off), _QUIET) / (1 + turn)


def _take_logs(colours: np.ndarray) -> np.ndarray:
    return np.log(colours.astype(np.float32) + 8)  # what is nearly black is noise


def _find_stretches(off: np.ndarray) -> np.ndarray:
    """Tell which frames lie in stretches that are covered, (T,), bool."""
    covered = np.zeros(len(off), bool)
    for start, stop in find_runs(off > _STILL_OCCLUDED):
        if (off[start:stop] > _OCCLUDED).sum() >= _SHORTEST:
            covered[max(start - _MARGIN, 0) : stop + _MARGIN] = True
    return covered & (covered.mean() <= _MOST_SHARE)
