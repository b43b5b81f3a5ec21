"""Draw a sketch right into a frame of the video, pixel by pixel of the frame: nothing is sampled twice."""

from __future__ import annotations

import numba
import numpy as np

from g4g.faces import invert_affine, transform_points
from g4g.generator.lanes import BYTES, LANES, mix_maps, sample_cubic

_LEAST_SHARE = 1 / 256
"""A picture with a smaller share is passed over: it would not move a pixel by one level."""
_ZERO = 127.5
"""Levels are counted from here."""


def draw_onto(
    result: np.ndarray, frame: np.ndarray, references: np.ndarray, maps: np.ndarray, frame_to_maps: np.ndarray,
    size: int, top: int, within: tuple[int, int, int, int] | None = None,
) -> None:  # fmt: skip
    """Draw a new lower face into a frame.

    Args:
        result: (H, W, 3) uint8, changed in place where the face is taken.
        frame: (H, W, 3) uint8, in which the frame's own picture is read.
        references: (K, s, s, 3) uint8.
        maps: (h, w, C) float32, as `Painted` holds them: places of the K references and of the own picture (x and y in
            px of the crop), their K + 1 shares, then, from 127.5 levels, colour (3), the blend's coarse grey, how much
            of its detail is lost, light (3), and how much of the face is taken.
        frame_to_maps: (2, 3): from px of the frame to px of the crop of `size`.
        size: the side of the crop that places refer to.
        top: row of the crop in which the maps begin.
        within: left, top, right, bottom px of the part of the frame that is drawn; None: all of it.
    """
    corners = np.array([[0, top], [size - 1, top], [0, size - 1], [size - 1, size - 1]], np.float64)
    back = invert_affine(frame_to_maps)
    corners = transform_points(back, corners)
    left, first = np.maximum(np.floor(corners.min(0)).astype(int), 0).tolist()
    right, last = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, [frame.shape[1], frame.shape[0]]).tolist()
    if within is not None:
        left, right = max(left, within[0]), min(right, within[2])
        first, last = max(first, within[1]), min(last, within[3])
    if missing := -maps.shape[-1] % LANES:
        maps = np.pad(maps, ((0, 0), (0, 0), (0, missing)))
    given = np.ascontiguousarray(references), np.ascontiguousarray(frame)[None], np.ascontiguousarray(maps)
    there = frame_to_maps - [[0, 0, 0], [0, 0, top]]
    _draw(result, *given, there, back, (left, right, first, last), references.shape[1] / size)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _draw(result, references, frames, maps, there, back, box, zoom):
    """`there` maps px of the frame to the maps, `back` px of the crop to the frame; references are `zoom` as large."""
    height, width, count = maps.shape[0], maps.shape[1], len(references)
    shares, rest = 2 * (count + 1), 3 * (count + 1)
    zoom, half, zero = np.float32(zoom), np.float32(0.5), np.float32(_ZERO)
    m = np.empty(maps.shape[2], np.float32)
    for y in range(box[2], box[3]):
        for x in range(box[0], box[1]):
            u = there[0, 0] * x + there[0, 1] * y + there[0, 2]
            v = there[1, 0] * x + there[1, 1] * y + there[1, 2]
            if u < 0 or v < 0 or u > width - 1 or v > height - 1:
                continue
            i, j = min(int(v), height - 2), min(int(u), width - 2)
            near = _weigh_corners(np.float32(u - j), np.float32(v - i))
            taken = near[0] * maps[i, j, rest + 8] + near[1] * maps[i, j + 1, rest + 8]
            taken += near[2] * maps[i + 1, j, rest + 8] + near[3] * maps[i + 1, j + 1, rest + 8]
            if taken <= 0:
                continue
            _interpolate(maps, i, j, near, m)
            r, g, b = np.float32(0), np.float32(0), np.float32(0)
            for k in range(count):
                if m[shares + k] >= _LEAST_SHARE:
                    p, q = (m[2 * k] + half) * zoom - half, (m[2 * k + 1] + half) * zoom - half
                    red, green, blue = _sample(references, k, p, q)
                    r += m[shares + k] * (red - zero)
                    g += m[shares + k] * (green - zero)
                    b += m[shares + k] * (blue - zero)
            detail = m[rest + 4] * ((r + g + b) / 3 - m[rest + 3])
            r, g, b = r + detail + m[rest], g + detail + m[rest + 1], b + detail + m[rest + 2]
            own = m[shares + count]
            if own > 0:
                p, q = m[2 * count], m[2 * count + 1]
                p, q = back[0, 0] * p + back[0, 1] * q + back[0, 2], back[1, 0] * p + back[1, 1] * q + back[1, 2]
                red, green, blue = _sample(frames, 0, p, q)
                r, g, b = r + own * (red - zero - r), g + own * (green - zero - g), b + own * (blue - zero - b)
            _put(result, y, x, taken, r + m[rest + 5] + zero, g + m[rest + 6] + zero, b + m[rest + 7] + zero)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _put(result, y, x, taken, *colour):
    """Take so much of a colour at a pixel."""
    for c in range(3):
        old = np.float32(result[y, x, c])
        result[y, x, c] = np.uint8(old + taken * (min(max(colour[c], 0.0), 255.0) - old) + np.float32(0.5))


@numba.njit(cache=True, nogil=True, fastmath=True)
def _weigh_corners(x, y):
    """Bilinear weights of four neighbours, row by row, at a share (x, y) of the way from the first to the last."""
    one = np.float32(1)  # with a plain 1 numba would count in float64
    return (one - y) * (one - x), (one - y) * x, y * (one - x), y * x


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate(maps, i, j, near, out):
    """Read all channels of the maps (h, w, C), a multiple of LANES, between four neighbours."""
    _, width, channels = maps.shape
    step, first = 4 * channels, maps.ctypes.data + 4 * channels * (i * width + j)
    for byte in range(0, step, 4 * LANES):
        a = first + byte
        corners = np.uintp(a), np.uintp(a + step), np.uintp(a + step * width), np.uintp(a + step * (width + 1))
        mix_maps(np.uintp(out.ctypes.data + byte), corners, near)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sample(pictures, k, x, y):
    """Read picture k of (K, H, W, 3), contiguous, at a place, bicubic, its edge held beyond."""
    height, width = pictures.shape[1:3]
    left, first = np.floor(x), np.floor(y)
    across, down = np.float32(x - left), np.float32(y - first)
    column, row = int(left) - 1, int(first) - 1
    if column >= 0 and row >= 0 and 3 * column + BYTES <= 3 * width and row < height - 3:
        address = pictures.ctypes.data + 3 * ((k * height + row) * width + column)
        return sample_cubic(np.uintp(address), np.uintp(3 * width), across, down)
    across_weights, down_weights = _weigh(across), _weigh(down)
    r, g, b = np.float32(0), np.float32(0), np.float32(0)
    for i in range(4):
        h = min(max(row + i, 0), height - 1)
        for j in range(4):
            w, weight = min(max(column + j, 0), width - 1), down_weights[i] * across_weights[j]
            r += weight * pictures[k, h, w, 0]
            g += weight * pictures[k, h, w, 1]
            b += weight * pictures[k, h, w, 2]
    return r, g, b


@numba.njit(cache=True, nogil=True, fastmath=True)
def _weigh(t):
    """Weights of the four taps of a cubic convolution at a share `t` of the way from the second to the third."""
    a, one = np.float32(-0.75), np.float32(1)
    s = one - t
    near = lambda z: ((a + 2) * z - (a + 3)) * z * z + one  # noqa: E731
    far = lambda z: ((a * z - 5 * a) * z + 8 * a) * z - 4 * a  # noqa: E731
    return far(t + one), near(t), near(s), far(s + one)
