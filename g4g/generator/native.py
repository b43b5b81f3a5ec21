"""Draw a sketch right into a frame of the video, pixel by pixel of the frame: nothing is sampled twice."""

from __future__ import annotations

import numba
import numpy as np

from g4g.faces import invert_affine, transform_points

_LEAST_SHARE = 1 / 256
"""A picture with a smaller share is passed over: it would not move a pixel by one level."""
_ZERO = 127.5
"""Levels are counted from here."""


def draw_onto(
    result: np.ndarray, frame: np.ndarray, references: np.ndarray, maps: np.ndarray, frame_to_maps: np.ndarray,
    size: int, top: int,
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
    """
    corners = np.array([[0, top], [size - 1, top], [0, size - 1], [size - 1, size - 1]], np.float64)
    back = invert_affine(frame_to_maps)
    corners = transform_points(back, corners)
    left, first = np.maximum(np.floor(corners.min(0)).astype(int), 0).tolist()
    right, last = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, [frame.shape[1], frame.shape[0]]).tolist()
    _draw(result, frame, references, maps, frame_to_maps, back, (left, right, first, last), size, top)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _draw(result, frame, references, maps, there, back, box, size, top):
    height, width, channels = maps.shape
    count, finer = len(references), references.shape[1] / size
    shares, rest = 2 * (count + 1), 3 * (count + 1)
    m, blend, sample = np.empty(channels, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    for y in range(box[2], box[3]):
        for x in range(box[0], box[1]):
            u = there[0, 0] * x + there[0, 1] * y + there[0, 2]
            v = there[1, 0] * x + there[1, 1] * y + there[1, 2] - top
            if u < 0 or v < 0 or u > width - 1 or v > height - 1:
                continue
            taken = _interpolate(maps, u, v, rest + 8, m)
            if taken <= 0:
                continue
            _interpolate(maps, u, v, 0, m)
            blend[:] = 0
            for k in range(count):
                if m[shares + k] >= _LEAST_SHARE:
                    _sample(references[k], (m[2 * k] + 0.5) * finer - 0.5, (m[2 * k + 1] + 0.5) * finer - 0.5, sample)
                    for c in range(3):
                        blend[c] += m[shares + k] * (sample[c] - _ZERO)
            detail = m[rest + 4] * ((blend[0] + blend[1] + blend[2]) / 3 - m[rest + 3])
            own = m[shares + count]
            if own > 0:
                p, q = m[2 * count], m[2 * count + 1]
                _sample(
                    frame, back[0, 0] * p + back[0, 1] * q + back[0, 2], back[1, 0] * p + back[1, 1] * q + back[1, 2],
                    sample,
                )  # fmt: skip
            for c in range(3):
                value = blend[c] + detail + m[rest + c]
                if own > 0:
                    value += own * (sample[c] - _ZERO - value)
                value += m[rest + 5 + c] + _ZERO
                value = min(max(value, 0.0), 255.0)
                result[y, x, c] = np.uint8(result[y, x, c] + taken * (value - result[y, x, c]) + 0.5)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate(maps, u, v, first, out):
    """Read the maps (h, w, C) from number `first` on at a place inside, bilinear; return the last."""
    height, width, channels = maps.shape
    i, j = min(int(v), height - 2), min(int(u), width - 2)
    fv, fu = np.float32(v - i), np.float32(u - j)
    a, b = (1 - fv) * (1 - fu), (1 - fv) * fu
    c, d = fv * (1 - fu), fv * fu
    for k in range(first, channels):
        out[k] = a * maps[i, j, k] + b * maps[i, j + 1, k] + c * maps[i + 1, j, k] + d * maps[i + 1, j + 1, k]
    return out[channels - 1]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sample(picture, x, y, out):
    """Read a picture (H, W, 3) at a place, bicubic (Keys 1981, a = -0.75 as in torch), its edge held beyond."""
    height, width = picture.shape[:2]
    left, first = int(np.floor(x)), int(np.floor(y))
    across, down = _weigh(np.float32(x - left)), _weigh(np.float32(y - first))
    r, g, b = np.float32(0), np.float32(0), np.float32(0)
    inside = left >= 1 and first >= 1 and left < width - 2 and first < height - 2
    for i in range(4):
        row = first - 1 + i if inside else min(max(first - 1 + i, 0), height - 1)
        for j in range(4):
            column = left - 1 + j if inside else min(max(left - 1 + j, 0), width - 1)
            weight = down[i] * across[j]
            r += weight * picture[row, column, 0]
            g += weight * picture[row, column, 1]
            b += weight * picture[row, column, 2]
    out[0], out[1], out[2] = r, g, b


@numba.njit(cache=True, nogil=True, fastmath=True)
def _weigh(t):
    """Weights of the four taps of a cubic convolution at a share `t` of the way from the second to the third."""
    a, one = np.float32(-0.75), np.float32(1)
    s = one - t
    near = lambda z: ((a + 2) * z - (a + 3)) * z * z + one  # noqa: E731
    far = lambda z: ((a * z - 5 * a) * z + 8 * a) * z - 4 * a  # noqa: E731
    return far(t + one), near(t), near(s), far(s + one)
