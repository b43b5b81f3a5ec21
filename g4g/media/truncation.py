"""How many bytes a file says that it has, where its container tells: Matroska and WebM, avi, mp4 and mov."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
RIFF_UNKNOWN = (0, 2**32 - 1)
"""Sizes that stand in an avi whose writer could not go back to its start."""

RIFF_SLACK = 16
"""Some writers of avi count the 8 bytes of a header once too often."""

MP4_STARTS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""Boxes with which mp4 and mov begin."""

MP4_DATA = (b"mdat", b"moof")
"""Boxes without which pictures are missing; what follows the last box may be anything."""


def count_missing_bytes(path: Path) -> int:
    """Count the bytes by which a file is shorter than its container says.

    Args:
        path: any file.
    Returns:
        0 where nothing is missing, or where the container does not tell: others, and those written as a live stream.
    Source:
        RFC 8794 and 9559 (Matroska); OpenDML AVI 1.02; ISO/IEC 14496-12.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start[:4] == EBML:
            end = _end_of_segment(file)
        elif start[:4] == b"RIFF":
            end = _end_of_riff(file, size)
        elif start[4:] in MP4_STARTS:
            end = _end_of_boxes(file, size)
        else:
            end = 0
    return max(end - size, 0)


def is_mp4_without_index(path: Path) -> bool:
    """Tell whether a file begins like an mp4 or mov, but none of its boxes says where its pictures are."""
    size, names, place = path.stat().st_size, [], 0
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[8:] if head[:4] == b"\0\0\0\1" else head[:4], "big")
            names.append(head[4:8])
            if length < 8:
                break
            place += length
    return names[0] in MP4_STARTS and not {b"moov", b"moof"} & set(names)


def _end_of_segment(file: BinaryIO) -> int:
    """Where the segment of a Matroska file ends; 0 where it does not say."""
    file.seek(len(EBML))
    file.seek(_read_size(file) or 0, os.SEEK_CUR)
    length = _read_size(file) if file.read(4) == SEGMENT else None
    return 0 if length is None else file.tell() + length


def _read_size(file: BinaryIO) -> int | None:
    """Read a size of 1 to 8 bytes, their number told by the first byte's zeros; None if all its bits are 1: unknown."""
    first = file.read(1) or b"\0"
    width = 9 - first[0].bit_length()
    if width > 8:
        return None
    bits = 7 * width
    size = int.from_bytes(first + file.read(width - 1), "big") & (1 << bits) - 1
    return None if size == (1 << bits) - 1 else size


def _end_of_riff(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk of an avi ends: large ones have several."""
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in RIFF_UNKNOWN:
            break
        end += 8 + length + length % 2
    return end - RIFF_SLACK


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last box of an mp4 ends that holds pictures or tells where they are."""
    place = end = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:  # the size follows in 8 bytes
            length = int.from_bytes(head[8:], "big")
        if length < 8:  # 0: it reaches to the end of the file
            break
        place += length
        end = place if head[4:8] in MP4_DATA else end
    return end
