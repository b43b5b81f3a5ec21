"""Warp pictures by the mesh's fixed triangles: exact, in any resolution, without a triangulation."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numba
import numpy as np

from g4g.config import CropConfig
from g4g.faces.canonical import FACE_POINTS, INNER_LIPS, OUTLINE, load_canonical

RING_SCALE = 1.4
"""The ring around the face lies this many times as far from its middle as the outline."""
OUTSIDE = -1
"""What `rasterise_mesh` says of pixels that no triangle covers."""


@lru_cache
def ring_triangles() -> np.ndarray:
    """Return all triangles (970, 3): of the face, and between its outline and the ring, whose points follow the face's.

    Seen from the camera they wind counterclockwise: with y down, their area is negative.
    """
    count = len(OUTLINE)
    band = []
    for i in range(count):
        j = (i + 1) % count
        a, b, c, d = OUTLINE[i], OUTLINE[j], FACE_POINTS + i, FACE_POINTS + j
        band += [(a, b, c), (b, d, c)]
    return np.concatenate([load_canonical().triangles, np.array(band, np.int32)])


@lru_cache
def inside_triangles() -> np.ndarray:
    """Tell which of `ring_triangles` lie between the inner lips, (970,), bool."""
    return np.isin(ring_triangles(), INNER_LIPS).all(1)


def add_ring(mesh: np.ndarray, rigid: np.ndarray) -> np.ndarray:
    """Add a ring around faces that moves with the head but not with speech.

    Args:
        mesh: (..., 468 or more, 2 or 3) px.
        rigid: the person's median face in the same poses, (..., 468, 2 or 3) px.
    Returns:
        (..., 504, 2): the face's points, then the ring's.
    Source:
        Our choice.
    """
    outline = rigid[..., OUTLINE, :2]
    middle = outline.mean(-2, keepdims=True)
    ring = middle + RING_SCALE * (outline - middle)
    return np.concatenate([mesh[..., :FACE_POINTS, :2], ring], axis=-2)


def rasterise_mesh(
    target: np.ndarray, sources: np.ndarray, triangles: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Tell for each pixel of a picture where other pictures show the same place of the face.

    Args:
        target: points in the picture to be made, (N, 2) px.
        sources: the same points in K other pictures, (K, N, 2) px.
        triangles: (F, 3), as `ring_triangles` gives them; those seen from behind are passed over.
        size: (height, width) of the picture to be made.
    Returns:
        Places (K, height, width, 2), x and y in px, float32, and the number of the triangle over each pixel
        (height, width), int32, OUTSIDE where there is none (the place means nothing there).
    Source:
        Piecewise affine warp; barycentric coordinates of each triangle.
    """
    points = np.ascontiguousarray(target, np.float64)
    return _rasterise(points, np.ascontiguousarray(sources, np.float64), triangles, *size)


def warp_picture(picture: np.ndarray, points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Move a face's points in its crop to others, in the picture's own resolution, bicubic.

    Args:
        picture: (s, s, 3) uint8.
        points, target: with the ring, (504, 2) px of a crop of `CropConfig.size`.
    Returns:
        (s, s, 3) uint8; beyond the ring as it was.
    """
    side = len(picture)
    points, target = to_picture(points, side), to_picture(target, side)
    places, owner = rasterise_mesh(target, points[None], ring_triangles(), (side, side))
    moved = cv2.remap(picture, places[0], None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.where(owner[..., None] == OUTSIDE, picture, moved)


def to_picture(points: np.ndarray, side: int) -> np.ndarray:
    """Turn px of a crop of `CropConfig.size` into px of the same crop, `side` px wide."""
    scale = side / CropConfig().size
    return points * scale + (scale - 1) / 2


@numba.njit(cache=True, nogil=True)
def _rasterise(target, sources, triangles, height, width):
    count, slack = len(sources), 1e-9
    places = np.zeros((count, height, width, 2), np.float32)
    owner = np.full((height, width), OUTSIDE, np.int32)
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        ax, ay = target[a]
        bx, by = target[b, 0] - ax, target[b, 1] - ay
        cx, cy = target[c, 0] - ax, target[c, 1] - ay
        area = bx * cy - by * cx
        if area >= -slack:
            continue
        left = max(int(np.ceil(ax + min(0.0, bx, cx) - slack)), 0)
        right = min(int(np.floor(ax + max(0.0, bx, cx) + slack)), width - 1)
        top = max(int(np.ceil(ay + min(0.0, by, cy) - slack)), 0)
        bottom = min(int(np.floor(ay + max(0.0, by, cy) + slack)), height - 1)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                u = ((x - ax) * cy - (y - ay) * cx) / area
                v = (bx * (y - ay) - by * (x - ax)) / area
                if u < -slack or v < -slack or u + v > 1 + slack:
                    continue
                owner[y, x] = f
                for k in range(count):
                    for axis in range(2):
                        places[k, y, x, axis] = (
                            sources[k, a, axis] * (1 - u - v) + sources[k, b, axis] * u + sources[k, c, axis] * v
                        )
    return places, owner
