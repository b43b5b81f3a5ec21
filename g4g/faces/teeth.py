"""Teeth are bone: what lies between the lips moves with the head or the chin, and the lips uncover it."""

from __future__ import annotations

import numba
import numpy as np

from g4g.faces.canonical import INNER_LIPS, LOWER_INNER_LIP, MOUTH_CORNERS, STABLE_POINTS, UPPER_INNER_LIP

_CHIN = (152, 148, 377, 176, 400, 199, 175)


def place_teeth(places: np.ndarray, owner: np.ndarray, inside: np.ndarray, target: np.ndarray, sources: np.ndarray):
    """Move what is between the inner lips rigidly, and say what each picture does not show.

    Args:
        places: (K, height, width, 2) as `rasterise_mesh` gives them; changed between the lips.
        owner: the triangle over each pixel, (height, width).
        inside: which triangles lie between the inner lips, (F,), bool.
        target: points of the picture to be made, (N, 2) px.
        sources: the same points in K pictures, (K, N, 2) px.
    Returns:
        seen (K, height, width), float32: 1 where a picture shows the place, 0 where its lips hide it.
    Source:
        Our choice: upper teeth follow the head (an affine of stable points), lower teeth the chin. A pixel takes the
        upper ones in the upper half of the opening, the lower ones below, the other ones where only they are seen.
    """
    seen = np.ones(places.shape[:3], np.float32)
    polygon = np.ascontiguousarray(sources[:, INNER_LIPS], np.float64)
    upper = _fit_affine(target[list(STABLE_POINTS)], sources[:, STABLE_POINTS])
    chin = target[list(_CHIN)].mean(0)
    follows = sources[:, _CHIN].mean(1) - (upper[:, :, :2] @ chin + upper[:, :, 2])
    left, right = target[list(MOUTH_CORNERS)]
    across = (right - left) / max(np.linalg.norm(right - left), 1e-6)
    down = np.array([-across[1], across[0]])
    lips = np.stack([target[list(lip)] for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP)]) @ np.stack([across, down], 1)
    _place(places, seen, owner, inside, polygon, upper, follows, np.stack([across, down]), lips)
    return seen


def _fit_affine(target: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Fit affines (K, 2, 3) that lead from target points (n, 2) to each source's (K, n, 2), least squares."""
    known = np.concatenate([target, np.ones((len(target), 1))], 1)
    solved = np.linalg.lstsq(known, np.concatenate(list(sources), 1), rcond=None)[0]
    return np.ascontiguousarray(solved.T.reshape(len(sources), 2, 3))


@numba.njit(cache=True, nogil=True)
def _place(places, seen, owner, inside, polygon, upper, follows, axes, lips):
    count, height, width = seen.shape
    for y in range(height):
        for x in range(width):
            if owner[y, x] < 0 or not inside[owner[y, x]]:
                continue
            u, v = axes[0, 0] * x + axes[0, 1] * y, axes[1, 0] * x + axes[1, 1] * y
            top, bottom = np.interp(u, lips[0, :, 0], lips[0, :, 1]), np.interp(u, lips[1, :, 0], lips[1, :, 1])
            is_low = v - top > bottom - v
            for k in range(count):
                ux = upper[k, 0, 0] * x + upper[k, 0, 1] * y + upper[k, 0, 2]
                uy = upper[k, 1, 0] * x + upper[k, 1, 1] * y + upper[k, 1, 2]
                lx, ly = ux + follows[k, 0], uy + follows[k, 1]
                by_head, by_chin = _covers(polygon[k], ux, uy), _covers(polygon[k], lx, ly)
                if by_chin and (is_low or not by_head):
                    places[k, y, x, 0], places[k, y, x, 1] = lx, ly
                elif by_head:
                    places[k, y, x, 0], places[k, y, x, 1] = ux, uy
                else:
                    seen[k, y, x] = 0


@numba.njit(cache=True, nogil=True)
def _covers(polygon, x, y):
    """Tell whether a point lies in a polygon (n, 2): an odd number of its edges lie to the right."""
    odd, j = False, len(polygon) - 1
    for i in range(len(polygon)):
        if (polygon[i, 1] > y) != (polygon[j, 1] > y):
            share = (y - polygon[i, 1]) / (polygon[j, 1] - polygon[i, 1])
            if x < polygon[i, 0] + share * (polygon[j, 0] - polygon[i, 0]):
                odd = not odd
        j = i
    return odd
