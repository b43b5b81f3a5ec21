"""Parts of yuv420p pictures to RGB, with libswscale's own arithmetic and to its bit, several times as fast."""

from __future__ import annotations

import cv2
import numba
import numpy as np

_TABLES = {
    1: (117489, 138438, 13975, 34925), 4: (104448, 132798, 24759, 53109), 5: (104597, 132201, 25675, 53279),
    6: (104597, 132201, 25675, 53279), 7: (117579, 136230, 16907, 35559), 9: (110013, 140363, 12277, 42626),
}  # fmt: skip
"""By the matrix's number in H.273: red of V, blue of U, green of U, green of V, times 65536 for limited range."""
_ONE = 1 << 16


def find_factors(matrix: int, is_full_range: bool) -> np.ndarray | None:
    """Find the whole numbers by which `convert_part` counts; None: the matrix is not known here.

    Returns:
        Of luma, which is 512 times a level: what is taken off, and the factor; factors of V in red and green, of U in
        green and blue: (6,) int32. Results are 2^22 times a level.
    Source:
        libswscale's ff_yuv2rgb_c_init_tables and its writer for full chroma.
    """
    if matrix not in _TABLES:
        return None
    colours, luma, black = _TABLES[matrix], _ONE, 0
    if is_full_range:
        colours = tuple(factor * 224 // 255 for factor in colours)
    else:
        luma, black = _ONE * 255 // 219, 16
    red_v, blue_u, green_u, green_v = ((factor * 8192 + _ONE // 2) // _ONE for factor in colours)
    green_u, green_v = ((-factor * 8192 + _ONE // 2) // _ONE for factor in colours[2:])
    return np.array([512 * black, (luma * 8192 + _ONE // 2) // _ONE, red_v, green_v, green_u, blue_u], np.int32)


def convert_part(planes: np.ndarray, box: tuple[int, int, int, int], factors: np.ndarray) -> np.ndarray:
    """Convert a part of a picture as libswscale does: bilinear, chroma in the middle of its four pixels, exact.

    Args:
        planes: (3 H / 2, W) uint8, as `PlanarPicture` holds them.
        box: left, top, right, bottom px, inside the picture.
        factors: as `find_factors` gives them.
    Returns:
        RGB (bottom - top, right - left, 3) uint8.
    """
    height, width = 2 * len(planes) // 3, planes.shape[1]
    if box[0] >= box[2] or box[1] >= box[3]:
        return np.empty((max(box[3] - box[1], 0), max(box[2] - box[0], 0), 3), np.uint8)
    return cv2.merge(_convert(planes[:height], planes[height:].reshape(2, height // 2, width // 2), box, factors))


@numba.njit(cache=True, nogil=True)
def _convert(light, chroma, box, factors):
    """Convert a part of Y (H, W), and U and V (2, H / 2, W / 2): red, green and blue (3, h, w)."""
    left, top, right, bottom = box
    most_rows, most_columns = chroma.shape[1] - 1, chroma.shape[2] - 1
    first, stop = left // 2, (right + 1) // 2
    count = stop - first
    result = np.empty((3, bottom - top, right - left), np.uint8)
    column, rows = np.empty(count + 2, np.int32), np.empty((2, 2 * count), np.int32)
    for y in range(top, bottom):
        near = y // 2
        far = min(max(near + (1 if y % 2 else -1), 0), most_rows)
        for c in range(2):
            here, there = chroma[c, near], chroma[c, far]
            for i, x in ((0, max(first - 1, 0)), (count + 1, min(stop, most_columns))):
                column[i] = 3 * np.int32(here[x]) + np.int32(there[x])
            _join(here[first:stop], there[first:stop], column[1:-1])
            _spread(column, rows[c])
        shown = rows[:, left - 2 * first : right - 2 * first]
        _write(light[y, left:right], shown[0], shown[1], factors, result[:, y - top])
    return result


@numba.njit(cache=True, nogil=True)
def _join(near, far, column):
    """Weigh two rows of chroma 3 to 1, times 4."""
    for i in range(len(column)):
        column[i] = 3 * np.int32(near[i]) + np.int32(far[i])


@numba.njit(cache=True, nogil=True)
def _spread(column, row):
    """Weigh neighbours in a row 3 to 1, one result on either side of each but the outermost: 512 times a level."""
    for i in range(len(row) // 2):
        row[2 * i] = 32 * (3 * column[i + 1] + column[i]) - 65536
        row[2 * i + 1] = 32 * (3 * column[i + 1] + column[i + 2]) - 65536


@numba.njit(cache=True, nogil=True)
def _write(light, blue, red, factors, colours):
    """Write one row of pixels; libswscale counts in 32 bits, and so do colours that no screen shows overflow here."""
    black, luma, red_v, green_v, green_u, blue_u = factors
    for i in range(len(light)):
        y = np.int32((512 * np.int32(light[i]) - black) * luma + np.int32(1 << 21))
        colours[0, i] = _to_level(np.int32(y + red[i] * red_v))
        colours[1, i] = _to_level(np.int32(y + red[i] * green_v + blue[i] * green_u))
        colours[2, i] = _to_level(np.int32(y + blue[i] * blue_u))


@numba.njit(cache=True, nogil=True)
def _to_level(value):
    return np.uint8(min(max(value, np.int32(0)), np.int32((1 << 30) - 1)) >> 22)
