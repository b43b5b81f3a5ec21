"""Frames as they were decoded: what is looked at becomes RGB, what was changed becomes YUV again, all else stays."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame as DecodedFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from g4g.media.colour import BT601, FULL_RANGE, Colour
from g4g.media.yuv import convert_part, find_factors

Box = tuple[int, int, int, int]
"""Part of a picture: left, top, right, bottom px; the last two are outside."""

PLANAR_FORMATS = ("yuv420p", "yuvj420p")
"""Pixel formats of `PlanarPicture`."""

_MARGIN_PX, _STEP_PX = 32, 32
"""So much more is converted on each side, so that its edge does not tell; sizes are steps, so that few are new."""
_REACH_PX = 2
"""So far beside a pixel lies the chroma that tells its colour."""
_TRIED_PX = 64
"""Side of the noise on which conversions are compared."""
_LIMITED_RANGE = 1
_SMPTE170M = 6
"""The same matrix as BT.601, for which alone the scaler has a name."""
_TO_YUV = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


@dataclass(frozen=True)
class Patch:
    """New pixels of a picture: `frame` (h, w, 3) RGB at `box`, where it showed `source`."""

    box: Box
    source: np.ndarray
    frame: np.ndarray


class RgbPicture:
    """A frame (H, W, 3) RGB uint8 with its transparency (H, W, 1), or (H, W, 0) for none."""

    def __init__(self, frame: np.ndarray) -> None:
        self._frame, self.alpha = np.ascontiguousarray(frame[..., :3]), frame[..., 3:]
        self.size, self.nbytes = frame.shape[:2], frame.nbytes

    @property
    def array(self) -> np.ndarray:
        """All that it is made of, for `with_array`."""
        return np.concatenate([self._frame, self.alpha], axis=-1)

    def with_array(self, array: np.ndarray) -> RgbPicture:
        """Make a picture of the same video of another one's `array`."""
        return RgbPicture(array)

    def whole(self) -> np.ndarray:
        """Return the frame (H, W, 3), which is not to be changed."""
        return self._frame

    def cut(self, box: Box) -> np.ndarray:
        """Return a part of it, contiguous, which is not to be changed."""
        left, top, right, bottom = box
        return np.ascontiguousarray(self._frame[top:bottom, left:right])


class PlanarPicture:
    """A frame of even size as yuv420p; `planes` (3 H / 2, W): Y, below it U and V, each packed.

    `colours` show it; `exact` show parts that are kept of it, where `colours` are quick: None: the same.
    """

    def __init__(self, planes: np.ndarray, colours: PlaneColours, exact: PlaneColours | None = None) -> None:
        self.planes, self._colours, self._exact = planes, colours, exact or colours
        self.size, self.nbytes = (2 * len(planes) // 3, planes.shape[1]), planes.nbytes
        self.alpha = np.empty((*self.size, 0), np.uint8)

    @property
    def array(self) -> np.ndarray:
        """All that it is made of, for `with_array`."""
        return self.planes

    def with_array(self, array: np.ndarray) -> PlanarPicture:
        """Make a picture of the same video of another one's `array`."""
        return PlanarPicture(array, self._colours, self._exact)

    def exactly(self, planes: np.ndarray) -> PlanarPicture:
        """Make a picture of the same video of other planes, all of which is shown exactly."""
        return PlanarPicture(planes, self._exact)

    def whole(self) -> np.ndarray:
        """Return the frame (H, W, 3) RGB."""
        return self._colours.to_rgb(self.planes)

    def cut(self, box: Box) -> np.ndarray:
        """Return a part of the whole frame, contiguous, exactly as `whole` shows it."""
        if self._colours.factors is not None:
            return convert_part(self.planes, box, self._colours.factors)
        (left, right), (top, bottom) = (
            _widen(low, high, length) for low, high, length in zip(box[:2], box[2:], self.size[::-1], strict=True)
        )
        parts = (plane[top // n : bottom // n, left // n : right // n] for n, plane in _split(self.planes))
        packed = np.concatenate([part.ravel() for part in parts]).reshape(-1, right - left)
        wide = self._colours.to_rgb(packed)
        return np.ascontiguousarray(wide[box[1] - top : box[3] - top, box[0] - left : box[2] - left])

    def part(self, box: Box) -> PlanarPart | None:
        """Copy a part with even numbers; None where it is empty, or `convert_part` does not convert this video."""
        left, top, right, bottom = box
        if self._exact.factors is None or left >= right or top >= bottom:
            return None
        parts = [plane[top // n : bottom // n, left // n : right // n] for n, plane in _split(self.planes)]
        planes = np.concatenate([part.ravel() for part in parts]).reshape(-1, right - left)
        return PlanarPart(planes, box, self.size, self._exact.factors)


@dataclass(frozen=True)
class PlanarPart:
    """Part of a planar picture, kept while the rest goes.

    `planes` (3 h / 2, w) as `PlanarPicture` has them, of what is at `box` of a frame of `size` (height, width);
    `factors` for `convert_part`.
    """

    planes: np.ndarray
    box: Box
    size: tuple[int, int]
    factors: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of its planes."""
        return self.planes.nbytes

    def holds(self, box: Box) -> bool:
        """Tell whether `cut` can show a part of the frame: what lies beside its chroma has to be here as well."""
        low = all(a >= b + _REACH_PX or b == 0 for a, b in zip(box[:2], self.box[:2], strict=True))
        ends = zip(box[2:], self.box[2:], self.size[::-1], strict=True)
        return low and all(a + _REACH_PX <= b or b == end for a, b, end in ends)

    def cut(self, box: Box) -> np.ndarray:
        """Return a part of the frame that it holds, as the whole frame shows it."""
        x, y = self.box[:2]
        return convert_part(self.planes, (box[0] - x, box[1] - y, box[2] - x, box[3] - y), self.factors)


Picture = RgbPicture | PlanarPicture | PlanarPart


class PlaneColours:
    """How the planes of a video mean colour; several threads may use it at the same time.

    `factors`: for `convert_part`; None: it does not convert as this video is converted.
    """

    def __init__(self, like: DecodedFrame, **reading: object) -> None:
        self.format, self._space, self._range = like.format.name, like.colorspace, like.color_range
        self._reading, self._own = reading, threading.local()
        matrix = reading.get("src_colorspace") or self._space
        self.factors = find_factors(int(matrix), self._range == FULL_RANGE or self.format == "yuvj420p")
        if self.factors is not None:  # libswscale has several ways to convert, and may have others tomorrow
            noise = np.random.default_rng(0).integers(0, 256, (3 * _TRIED_PX // 2, _TRIED_PX), np.uint8)
            made = convert_part(noise, (0, 0, _TRIED_PX, _TRIED_PX), self.factors)
            self.factors = self.factors if np.array_equal(made, self.to_rgb(noise)) else None

    def to_rgb(self, planes: np.ndarray) -> np.ndarray:
        """Convert planes (3 H / 2, W) to RGB (H, W, 3)."""
        if not hasattr(self._own, "reformatter"):
            self._own.reformatter = VideoReformatter()
        packed = DecodedFrame.from_ndarray(planes, format=self.format)
        packed.colorspace, packed.color_range = self._space, self._range
        return self._own.reformatter.reformat(packed, packed.width, packed.height, **self._reading).to_ndarray()


class PlaneMaker:
    """Makes the planes that an output stores in this colour."""

    def __init__(self, colour: Colour) -> None:
        self._matrix = Colorspace(BT601 if colour.matrix == _SMPTE170M else colour.matrix)
        self._range = FULL_RANGE if colour.full_range else _LIMITED_RANGE
        self._reformatter = VideoReformatter()

    def make(self, picture: Picture, patches: Iterable[Patch]) -> np.ndarray:
        """Put patches into a picture.

        Args:
            picture: of even size; planes mean the colour of this maker.
            patches: with even boxes that reach some px beyond what they change; later ones lie on earlier ones.
        Returns:
            Planes (3 H / 2, W). Of a planar picture every pixel that no patch changes keeps its luma, and each 2 x 2
            of them their chroma, exactly.
        """
        if isinstance(picture, RgbPicture):
            return self._to_planes(lay_patches(picture, patches))
        planes = picture.planes.copy()
        for patch in patches:
            differs = patch.frame != patch.source
            found = _frame_changes(differs)
            if found is None:
                continue
            left, top, right, bottom = found
            red, green, blue = np.moveaxis(differs[top:bottom, left:right], -1, 0)
            changed = red | green | blue
            blocks = changed[::2, ::2] | changed[1::2, ::2] | changed[::2, 1::2] | changed[1::2, 1::2]
            made = self._to_planes(patch.frame[top:bottom, left:right])
            x, y = patch.box[:2]
            for (n, old), (_, new), where in zip(_split(planes), _split(made), (changed, blocks, blocks), strict=True):
                np.copyto(old[(y + top) // n : (y + bottom) // n, (x + left) // n : (x + right) // n], new, where=where)
        return planes

    def _to_planes(self, frame: np.ndarray) -> np.ndarray:
        return self._reformatter.reformat(
            DecodedFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"), format="yuv420p",
            dst_colorspace=self._matrix, src_color_range=ColorRange.JPEG, dst_color_range=self._range,
            interpolation=_TO_YUV, threads=1,
        ).to_ndarray()  # fmt: skip


def lay_patches(picture: Picture, patches: Iterable[Patch], box: Box | None = None) -> np.ndarray:
    """Show a picture, or a part of it, with patches: RGB (h, w, 3), a copy where there are any."""
    patches = tuple(patches)
    shown = picture.whole() if box is None else picture.cut(box)
    if not patches:
        return shown
    shown = shown.copy()
    lay_over(shown, (0, 0) if box is None else box[:2], patches)
    return shown


def lay_over(shown: np.ndarray, corner: tuple[int, int], patches: Iterable[Patch]) -> None:
    """Lay patches, as far as they reach into it, over the part (h, w, 3) of a picture that begins at `corner`."""
    for patch in patches:
        x, y = patch.box[0] - corner[0], patch.box[1] - corner[1]
        height, width = patch.frame.shape[:2]
        part = shown[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        from_y, from_x = max(-y, 0), max(-x, 0)
        part[:] = patch.frame[from_y : from_y + part.shape[0], from_x : from_x + part.shape[1]]


def even_box(points: np.ndarray, margin: int, size: tuple[int, int]) -> Box:
    """Frame points (N, 2) px with a margin, by even numbers, within a picture of `size` (height, width)."""
    low, high = np.floor(points.min(0)) - margin, np.ceil(points.max(0)) + margin + 1
    limits = [size[1], size[0]]
    left, top = (2 * (np.clip(low, 0, limits) // 2)).astype(int).tolist()
    right, bottom = np.minimum(2 * np.ceil(np.clip(high, 0, limits) / 2), limits).astype(int).tolist()
    return left, top, right, bottom


def _frame_changes(differs: np.ndarray) -> Box | None:
    """Find the part of a patch (h, w, 3), both even, that has to be converted; None: nothing in it differs."""
    flat = differs.reshape(len(differs), differs.shape[1] * differs.shape[2])
    rows, columns = np.flatnonzero(flat.any(1)), np.flatnonzero(flat.any(0)) // differs.shape[-1]
    if not len(rows):
        return None
    top, bottom = _widen(int(rows[0]), int(rows[-1]) + 1, differs.shape[0])
    left, right = _widen(int(columns[0]), int(columns[-1]) + 1, differs.shape[1])
    return left, top, right, bottom


def _widen(low: int, high: int, length: int) -> tuple[int, int]:
    """Widen a part of an even length by the margin, to a size of whole steps as far as that fits."""
    low, high = max(low - _MARGIN_PX, 0) // 2 * 2, min(high + _MARGIN_PX, length)
    size = min(-(-(high - low) // _STEP_PX) * _STEP_PX, length)
    low = min(low, length - size)
    return low, low + size


def _split(planes: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Views of Y, U and V, each with how many pixels one of its numbers stands for each way."""
    height, width = 2 * len(planes) // 3, planes.shape[1]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    return [(1, planes[:height]), (2, chroma[0]), (2, chroma[1])]
