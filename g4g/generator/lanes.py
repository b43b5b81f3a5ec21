"""Many numbers at a time: the innermost steps of drawing, which numba by itself takes one number at a time."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 8
"""`mix_maps` works on so many channels at once."""
BYTES = 16
"""`sample_cubic` reads so many bytes of each row: four pixels of three colours, and four bytes that do not count."""

_A = -0.75
_CUBIC = ((0, _A, -2 * _A, _A), (1, 0, -(_A + 3), _A + 2), (0, -_A, 2 * _A + 3, -(_A + 2)), (0, 0, _A, -_A))
"""Of each tap of a cubic convolution (Keys 1981, a = -0.75 as in torch): its weight as a polynomial of the place."""
_TAPS = (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)
_FAST = ("fast",)
_FLOAT, _BYTE, _INT = ir.FloatType(), ir.IntType(8), ir.IntType(32)


@intrinsic
def sample_cubic(context, address, stride, across, down):
    """Sample a picture between 4 x 4 pixels: three float32.

    Args:
        address: of the first of the 16 pixels, uintp; BYTES are read in each row.
        stride: bytes from one row to the next, uintp.
        across, down: place between the second and the third pixel, float32 in [0, 1).
    """
    signature = types.UniTuple(types.float32, 3)(types.uintp, types.uintp, types.float32, types.float32)

    def generate(context, builder, signature, arguments):
        address, stride, across, down = arguments
        column_weights, row_weights = _weigh(builder, across, _TAPS), _weigh(builder, down, (0, 1, 2, 3))
        total = ir.Constant(ir.VectorType(_FLOAT, BYTES), [0.0] * BYTES)
        for row in range(4):
            values = builder.uitofp(_load(builder, address, _BYTE, BYTES), total.type)
            weight = _pick(builder, row_weights, [row] * BYTES)
            total = builder.fadd(total, builder.fmul(values, weight, flags=_FAST), flags=_FAST)
            address = builder.add(address, stride)
        pixels = builder.fmul(_pick(builder, total, range(12)), column_weights, flags=_FAST)
        one, two, three, four = (_pick(builder, pixels, range(3 * tap, 3 * tap + 3)) for tap in range(4))
        halves = builder.fadd(one, two, flags=_FAST), builder.fadd(three, four, flags=_FAST)
        colour = builder.fadd(*halves, flags=_FAST)
        parts = [builder.extract_element(colour, ir.Constant(_INT, channel)) for channel in range(3)]
        return context.make_tuple(builder, signature.return_type, parts)

    return signature, generate


@intrinsic
def mix_maps(context, out, corners, weights):
    """Write the weighted sum of LANES float32 at four addresses (4 uintp; weights 4 float32) to the address `out`."""
    signature = types.void(types.uintp, types.UniTuple(types.uintp, 4), types.UniTuple(types.float32, 4))

    def generate(context, builder, signature, arguments):
        out, corners, weights = arguments
        total = ir.Constant(ir.VectorType(_FLOAT, LANES), [0.0] * LANES)
        for corner in range(4):
            values = _load(builder, builder.extract_value(corners, corner), _FLOAT, LANES)
            weight = _spread(builder, builder.extract_value(weights, corner), LANES)
            total = builder.fadd(total, builder.fmul(values, weight, flags=_FAST), flags=_FAST)
        builder.store(total, builder.inttoptr(out, total.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def turn_block(context, out, out_step, rows, row_step):
    """Write LANES columns of LANES float32, `row_step` bytes from row to row, as rows `out_step` bytes apart."""
    signature = types.void(*[types.uintp] * 4)

    def generate(context, builder, signature, arguments):
        out, out_step, rows, row_step = arguments
        block = []
        for _ in range(LANES):
            block.append(_load(builder, rows, _FLOAT, LANES))
            rows = builder.add(rows, row_step)
        half = LANES // 2
        first, last = (sum(([i, LANES + i] for i in part), []) for part in (range(half), range(half, LANES)))
        for _ in range(LANES.bit_length() - 1):  # each time a lane's number and its row's change places by one bit
            pairs = list(zip(block[:half], block[half:], strict=True))
            block = [_join(builder, a, b, lanes) for a, b in pairs for lanes in (first, last)]
        for column in block:
            builder.store(column, builder.inttoptr(out, column.type.as_pointer()), align=4)
            out = builder.add(out, out_step)
        return context.get_dummy_value()

    return signature, generate


def _weigh(builder, place, taps):
    """Weights of the taps that lanes belong to, Horner's rule."""
    place = _spread(builder, place, len(taps))
    constants = [ir.Constant(place.type, [float(_CUBIC[tap][power]) for tap in taps]) for power in range(4)]
    weights = constants[3]
    for constant in constants[2::-1]:
        weights = builder.fadd(builder.fmul(weights, place, flags=_FAST), constant, flags=_FAST)
    return weights


def _load(builder, address, kind, count):
    loaded = builder.load(builder.inttoptr(address, ir.VectorType(kind, count).as_pointer()))
    loaded.align = 1
    return loaded


def _spread(builder, value, count):
    """Make a vector that holds one value throughout."""
    empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    return _pick(builder, builder.insert_element(empty, value, ir.Constant(_INT, 0)), [0] * count)


def _pick(builder, vector, lanes):
    return _join(builder, vector, ir.Constant(vector.type, ir.Undefined), lanes)


def _join(builder, one, other, lanes):
    """Pick lanes of two vectors; the second one's are counted on from the first one's."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_INT, len(lanes)), list(lanes)))
