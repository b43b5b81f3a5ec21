"""Read pictures and maps between their pixels, a row at a time, compiled for one thread of a processor.

numba keeps what it compiled for `native_sketch.py`, parts from here included, until that file changes: touch it after a
change here.
"""

from __future__ import annotations

import cv2
import numba
import numpy as np

from g4g.config import CropConfig

WIDTH = CropConfig().size
"""Columns of all maps: known when this is compiled, so that a loop over a row takes many pixels at a time."""
LEVELS = np.float32(127.5)
"""Half the range of a picture's levels, and the level in the middle."""
ZERO, ONE = np.float32(0), np.float32(1)  # with plain ones numba would count in float64
_SETTINGS = dict(nogil=True, error_model="numpy", fastmath={"nsz", "arcp", "contract", "afn", "reassoc"})
"""All of fastmath but its promise that each float is a number.

LLVM makes a loop take many pixels at a time where it sees what overlaps: rows are arrays of their own, or lie at
multiples of WIDTH that are known. An index of which numba cannot tell that it is not negative takes that away.
"""
compile_whole = numba.njit(cache=True, **_SETTINGS)
"""Compile a function that Python calls."""
compile_part = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_SETTINGS)
"""Compile a function that only other compiled ones call; it is kept with them."""


def pack_pictures(pictures: np.ndarray) -> np.ndarray:
    """Put each pixel of pictures (B, P, s, s, 3) uint8 into one uint32, red lowest: (B, P, s * s)."""
    flat = pictures.reshape(-1, pictures.shape[3], 3)
    return cv2.cvtColor(flat, cv2.COLOR_RGB2RGBA).view("<u4").reshape(*pictures.shape[:2], -1)


def sample_packed(packed: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sample pictures at places as `draw.sample_pictures` does, bilinear.

    Args:
        packed: (B, P, s * s), as `pack_pictures` gives them, s = `CropConfig.size`.
        places: (B, P, h, s, 2) float32, x and y in px of the same crops.
    Returns:
        (B, P, 3, h, s) float32 in [-1, 1].
    """
    sampled = np.empty((*places.shape[:2], 3, *places.shape[2:4]), np.float32)
    _sample(packed, places, sampled)
    return sampled


@compile_whole
def _sample(packed, places, sampled):
    """Sample pictures at places; arrays as in `sample_packed`."""
    corners, weights = np.empty(WIDTH, np.uint32), np.empty(4 * WIDTH, np.float32)
    near, at = np.empty(4 * WIDTH, np.uint32), np.empty(2 * WIDTH, np.float32)
    colours = np.empty(3 * WIDTH, np.float32)
    batch, pictures, height = places.shape[:3]
    for b in range(batch):
        for p in range(pictures):
            for y in range(height):
                split_places(places[b, p, y], at)
                locate(at, WIDTH, corners, weights)
                gather(packed[b, p], corners, near)
                _mix_colours(near, weights, colours)
                for c in range(3):
                    copy_row(colours[c * WIDTH :], sampled[b, p, c, y])


@compile_part
def _mix_colours(near, weights, colours):
    """Write red, green and blue in [-1, 1] (3 W,) between four packed neighbours (4 W,)."""
    for c in range(3):
        shift = np.uint32(8 * c)
        for x in range(WIDTH):
            total = -LEVELS
            for corner in range(4):
                level = np.int32((near[corner * WIDTH + x] >> shift) & np.uint32(255))
                total += weights[corner * WIDTH + x] * np.float32(level)
            colours[c * WIDTH + x] = total * (ONE / LEVELS)


@compile_part
def copy_row(values, row):
    """Copy W values."""
    for x in range(WIDTH):
        row[x] = values[x]


@compile_part
def split_places(places, at):
    """Write x and then y of a row of places (W, 2) into (2 W,)."""
    for x in range(WIDTH):
        at[x], at[WIDTH + x] = places[x, 0], places[x, 1]


@compile_part
def locate(at, height, corners, weights):
    """Find the four pixels around places (2 W,): the number of the first one (W,), and bilinear weights (4 W,)."""
    last_x, last_y = np.float32(WIDTH - 1), np.float32(height - 1)
    for x in range(WIDTH):
        u = at[x] if at[x] > ZERO else ZERO  # where there is no number too
        v = at[WIDTH + x] if at[WIDTH + x] > ZERO else ZERO
        u, v = min(u, last_x), min(v, last_y)
        j, i = min(np.int32(u), np.int32(WIDTH - 2)), min(np.int32(v), np.int32(height - 2))
        corners[x] = i * WIDTH + j
        u, v = u - np.float32(j), v - np.float32(i)
        weights[x], weights[WIDTH + x] = (ONE - v) * (ONE - u), (ONE - v) * u
        weights[2 * WIDTH + x], weights[3 * WIDTH + x] = v * (ONE - u), v * u


@compile_part
def gather(values, corners, near):
    """Read the four pixels of rows of WIDTH around each place into (4 W,)."""
    for x in range(WIDTH):
        corner = np.uintp(corners[x])
        near[x], near[WIDTH + x] = values[corner], values[corner + np.uintp(1)]
        near[2 * WIDTH + x] = values[corner + np.uintp(WIDTH)]
        near[3 * WIDTH + x] = values[corner + np.uintp(WIDTH + 1)]
