"""Sketches of frames as `draw.make_sketch` makes them, joined for drawing: compiled, for one thread of a processor."""

from __future__ import annotations

import numpy as np

from g4g.generator.draw import DECIDED, EDGE, HIDDEN, LEAST_KEPT, LEAST_SHOWN
from g4g.generator.lanes import LANES, turn_block
from g4g.generator.model import Layout, Maps
from g4g.generator.native_sample import (
    LEVELS,
    ONE,
    WIDTH,
    ZERO,
    compile_part,
    compile_whole,
    copy_row,
    gather,
    locate,
    split_places,
)

_BESIDE = 9
"""Channels of joined maps behind places and shares: colour (3), coarse grey, what is lost, light (3), what is taken."""
_LEAST_EXPONENT = np.float32(-87)
"""e to a lower power is no normal float32."""
_POWER = tuple(map(np.float32, (1.8775767e-3, 8.9893397e-3, 5.5826318e-2, 2.4015361e-1, 6.9315308e-1, 1)))
"""2^x for x from 0 to 1 as a polynomial, the highest power first: at most 4e-6 of the value off."""


def join_sketch(
    packed: np.ndarray, layout: Layout, maps: Maps, taken: np.ndarray, residual: float, sharpening: float
) -> np.ndarray:
    """Make a sketch as `draw.make_sketch` does, and join its maps as `g4g.generator.native.draw_onto` takes them.

    Args:
        packed: (B, P, s * s), as `pack_pictures` gives the small pictures, s = `CropConfig.size`.
        layout, maps: of the same B frames, on the CPU.
        taken: (B, s, s) float32: how much of the face is taken.
        residual: share of `Maps.detail` that counts.
        sharpening: added to what is lost of the detail.
    Returns:
        (B, h, s, C) float32, light being 0, with channels of 0 up to a multiple of LANES; all NaN for a frame whose
        maps are not all numbers.
    """
    shown = tuple(part.contiguous().numpy() for part in (layout.places, layout.seen, layout.guide))
    said = tuple(part.contiguous().numpy() for part in vars(maps).values())
    batch, pictures, height = layout.seen.shape[:3]
    channels = -(-(3 * pictures + _BESIDE) // LANES) * LANES
    joined = np.empty((batch, height, WIDTH, channels), np.float32)
    _sketch(joined, packed, shown, said, taken, (np.float32(residual), np.float32(sharpening)))
    return joined


@compile_whole
def _sketch(joined, packed, layout, maps, taken, finish):
    """Fill `joined`; arrays as in `join_sketch`, `finish`: residual and sharpening."""
    places, seen, guide = layout
    for b in range(len(joined)):
        said = maps[0][b], maps[1][b], maps[2][b], maps[3][b], maps[4][b]
        if _are_numbers(said):
            _sketch_frame(joined[b], packed[b], (places[b], seen[b], guide[b, -1]), said, taken[b], finish)
        else:
            joined[b] = np.nan


@compile_part
def _sketch_frame(joined, packed, layout, said, taken, finish):
    """Fill (h, W, C) row by row; the other arrays are those of one frame."""
    (places, seen, inside), (residual, sharpening) = layout, finish
    height, count = len(inside), len(seen) - 1
    shares, beside = 2 * (count + 1), 3 * (count + 1)
    greys = np.empty((count, packed.shape[1]), np.float32)
    for k in range(count):
        _turn_grey(packed[k], greys[k])
    row = np.zeros((joined.shape[2], WIDTH), np.float32)
    flow, logits = np.empty((2 * count, WIDTH), np.float32), np.empty((count + 1, WIDTH), np.float32)
    colour, crispness = np.empty((3, WIDTH), np.float32), np.empty((1, WIDTH), np.float32)
    half, around = np.empty(WIDTH // 2 + 2, np.float32), np.empty(WIDTH + EDGE - 1, np.float32)
    decided, sums = np.empty(WIDTH, np.float32), np.empty(4 * WIDTH, np.float32)
    corners, weights = np.empty(WIDTH, np.uint32), np.empty(4 * WIDTH, np.float32)
    near_places, near_greys = np.empty(4 * WIDTH, np.uint64), np.empty(4 * WIDTH, np.float32)
    for y in range(height):
        _enlarge(said[0], y, half, flow)
        _enlarge(said[1], y, half, logits)
        _enlarge(said[2], y, half, colour)
        _enlarge(said[3], y, half, crispness)
        _decide(inside, y, around, decided)
        _share(y, seen, logits, decided, sums, crispness[0], row[shares : beside - 1])
        for c in range(3):
            _add_colour(logits[count], colour[c], residual, said[4][c, y], row[beside + c])
        row[beside + 3] = ZERO
        for k in range(count):
            at = row[2 * k : 2 * k + 2].reshape(-1)
            _step_aside(flow[2 * k : 2 * k + 2].reshape(-1), y, at)
            locate(at, height, corners, weights)
            gather(places[k].reshape(-1).view(np.uint64), corners, near_places)  # x and y are read as one number
            _mix_places(near_places.view(np.float32), weights, at)
            locate(at, WIDTH, corners, weights)
            gather(greys[k], corners, near_greys)
            _add_grey(near_greys, weights, row[shares + k], row[beside + 3])
        _sharpen(crispness[0], sharpening, row[beside + 4])
        split_places(places[count, y], row[2 * count : shares].reshape(-1))
        copy_row(seen[count, y], row[beside - 1])
        copy_row(taken[len(taken) - height + y], row[beside + 8])
        _write(row, joined[y])


@compile_part
def _are_numbers(said):
    """Tell whether all values of contiguous arrays are finite."""
    for part in said:
        is_number = True
        for value in part.reshape(-1):
            is_number &= np.isfinite(value)
        if not is_number:
            return False
    return True


@compile_part
def _turn_grey(packed, grey):
    """Write the mean of a picture's colours, from the middle level."""
    lowest = np.uint32(255)
    for i in range(len(packed)):
        p = packed[i]
        total = (p & lowest) + ((p >> np.uint32(8)) & lowest) + ((p >> np.uint32(16)) & lowest)
        grey[i] = np.float32(np.int32(total)) * np.float32(1 / 3) - LEVELS


@compile_part
def _enlarge(maps, y, half, rows):
    """Write row y of maps (C, h / 2, W / 2) enlarged twice, bilinear, into (C, W)."""
    near = y // 2
    far = min(max(near - 1 + 2 * (y % 2), 0), maps.shape[1] - 1)
    for c in range(len(maps)):
        _enlarge_row(maps[c, near], maps[c, far], half, rows[c])


@compile_part
def _enlarge_row(near, far, half, row):
    most, least, last = np.float32(0.75), np.float32(0.25), WIDTH // 2
    for x in range(last):
        half[x + 1] = most * near[x] + least * far[x]
    half[0], half[last + 1] = half[1], half[last]
    for x in range(last):
        row[2 * x] = least * half[x] + most * half[x + 1]
        row[2 * x + 1] = most * half[x + 1] + least * half[x + 2]


@compile_part
def _decide(inside, y, around, decided):
    """Write how many times as sure the likeliest picture is: 1, up to DECIDED between the lips, `inside` (h, W)."""
    around[:] = ZERO
    for i in range(max(y - EDGE // 2, 0), min(y + EDGE // 2 + 1, len(inside))):
        line = inside[i]
        for x in range(WIDTH):
            around[EDGE // 2 + x] += line[x]
    for x in range(WIDTH):
        total = ZERO
        for i in range(EDGE):
            total += around[x + i]
        decided[x] = ONE + np.float32((DECIDED - 1) / EDGE**2) * total


@compile_part
def _share(y, seen, logits, decided, sums, crispness, shares):
    """Write the references' shares (K, W) from `seen` (P, h, W) and all `logits` (K + 1, W).

    Colour's share takes the place of its logit, and what is lost of the detail that of crispness. The rows of `sums`:
    highest logit of the references, and of colour too; then, of the references before all shares are brought to a sum
    of 1, the sum of shares and of their squares.
    """
    free = logits[-1]
    for x in range(WIDTH):
        sums[x], sums[2 * WIDTH + x], sums[3 * WIDTH + x] = np.float32(-np.inf), ZERO, ZERO
    for k in range(len(shares)):
        _hide(logits[k], seen[k, y], shares[k], sums)
    for x in range(WIDTH):
        sums[WIDTH + x] = max(sums[x], free[x])
    for k in range(len(shares)):
        _weigh(decided, shares[k], sums)
    for x in range(WIDTH):
        rest = _exponentiate(free[x] - sums[WIDTH + x])
        scale = ONE / (sums[2 * WIDTH + x] + rest)
        shown = max(sums[2 * WIDTH + x] * scale, np.float32(LEAST_SHOWN))
        kept = np.sqrt(sums[3 * WIDTH + x]) * scale / shown
        crispness[x] *= ONE / max(kept, np.float32(LEAST_KEPT)) - ONE
        free[x], sums[x] = rest * scale, scale
    for k in range(len(shares)):
        _multiply(shares[k], sums)


@compile_part
def _hide(logit, seen, share, sums):
    for x in range(WIDTH):
        share[x] = logit[x] + np.float32(HIDDEN) * (seen[x] - ONE)
        sums[x] = max(sums[x], share[x])


@compile_part
def _weigh(decided, share, sums):
    for x in range(WIDTH):
        logit = sums[x] + (share[x] - sums[x]) * decided[x]
        share[x] = _exponentiate(logit - sums[WIDTH + x])
        sums[2 * WIDTH + x] += share[x]
        sums[3 * WIDTH + x] += share[x] * share[x]


@compile_part
def _multiply(share, scale):
    for x in range(WIDTH):
        share[x] *= scale[x]


@compile_part
def _exponentiate(x):
    """e^x of a number of at most 0; math.exp would be called for one pixel at a time."""
    power = max(x, _LEAST_EXPONENT) * np.float32(1 / np.log(2))
    whole = np.floor(power)
    part, value = power - whole, _POWER[0]
    for factor in _POWER[1:]:
        value = value * part + factor
    return np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32) * value


@compile_part
def _add_colour(free, colour, residual, detail, out):
    for x in range(WIDTH):
        out[x] = LEVELS * (free[x] * colour[x] + residual * detail[x])


@compile_part
def _sharpen(lost, sharpening, out):
    for x in range(WIDTH):
        out[x] = lost[x] + sharpening


@compile_part
def _step_aside(flow, y, at):
    """Write the places (2 W,) of row y's pixels, moved by a flow (2 W,)."""
    for x in range(WIDTH):
        at[x], at[WIDTH + x] = np.float32(np.int32(x)) + flow[x], np.float32(y) + flow[WIDTH + x]


@compile_part
def _mix_places(near, weights, at):
    """Write places (2 W,) between four neighbours' (4 W pairs)."""
    for x in range(WIDTH):
        p, q = ZERO, ZERO
        for corner in range(4):
            p += weights[corner * WIDTH + x] * near[2 * (corner * WIDTH + x)]
            q += weights[corner * WIDTH + x] * near[2 * (corner * WIDTH + x) + 1]
        at[x], at[WIDTH + x] = p, q


@compile_part
def _add_grey(near, weights, share, total):
    """Add a share (W,) of the grey between four neighbours (4 W,) to the blend's row."""
    for x in range(WIDTH):
        level = ZERO
        for corner in range(4):
            level += weights[corner * WIDTH + x] * near[corner * WIDTH + x]
        total[x] += share[x] * level


@compile_part
def _write(row, joined):
    """Write a row's channels (C, W), a multiple of LANES, as pixels (W, C), both contiguous."""
    channels = len(row)
    for first in range(0, channels, LANES):
        for x in range(0, WIDTH, LANES):
            out = np.uintp(joined.ctypes.data + 4 * (channels * x + first))
            turn_block(out, np.uintp(4 * channels), np.uintp(row[first, x:].ctypes.data), np.uintp(4 * WIDTH))
