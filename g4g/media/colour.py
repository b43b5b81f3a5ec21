"""How a video's numbers mean colour: matrix, primaries, transfer and range, so that a dub can be stored alike."""

from __future__ import annotations

from dataclasses import dataclass

from av.video.frame import VideoFrame as DecodedFrame

SD_MAX_HEIGHT = 576
"""Untagged video up to this height (px) is taken for BT.601, larger for BT.709 (what players do)."""

RGB, BT709, UNTAGGED, BT601 = 0, 1, 2, 5
"""Code points of ITU-T H.273, which FFmpeg uses too."""

KNOWN_MATRICES = frozenset({1, 4, 5, 6, 7, 9})
"""Matrices that FFmpeg's scaler converts to."""

FULL_RANGE = 2
"""FFmpeg's number for samples that use all values; 1 and 0 (not stated) are 16 to 235."""


@dataclass(frozen=True)
class Colour:
    """The stored colour of a video: code points of ITU-T H.273 (2: not stated) and the range of its samples."""

    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709
    full_range: bool = False


VIDEO_COLOUR = Colour()
"""What a video gets that is made of RGB pictures: BT.709, limited range."""

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of ITU-T H.273 that go brighter than a screen's white."""


def read_colour(decoded: DecodedFrame, is_picture: bool) -> Colour:
    """Read how a frame's colour is stored.

    Args:
        decoded: decoded frame.
        is_picture: it comes from a still picture's file.
    Returns:
        Colour, its matrix guessed where none is stated; VIDEO_COLOUR for RGB, photos and HDR.
    """
    if is_picture or decoded.format.is_rgb or decoded.colorspace == RGB or decoded.color_trc in HDR_TRANSFERS:
        return VIDEO_COLOUR
    full_range = decoded.color_range == FULL_RANGE or decoded.format.name.startswith("yuvj")
    matrix = guess_matrix(decoded, is_picture) if decoded.colorspace == UNTAGGED else decoded.colorspace
    if matrix not in KNOWN_MATRICES:
        return VIDEO_COLOUR
    return Colour(matrix, decoded.color_primaries or UNTAGGED, decoded.color_trc or UNTAGGED, full_range)


def means_colour(decoded: DecodedFrame) -> bool:
    """Tell whether `read_colour` gives the colour that a frame's own samples mean, its matrix being known."""
    return decoded.colorspace in KNOWN_MATRICES | {UNTAGGED} and decoded.color_trc not in HDR_TRANSFERS


def guess_matrix(decoded: DecodedFrame, is_picture: bool) -> int:
    """Guess the matrix of an untagged frame as players do: BT.601 for pictures and small video, else BT.709.

    Args:
        decoded: decoded frame.
        is_picture: it comes from a still picture's file.
    Returns:
        code point of ITU-T H.273.
    """
    is_small = is_picture or min(decoded.width, decoded.height) <= SD_MAX_HEIGHT
    return BT601 if is_small else BT709
