"""What a media file holds: size, rate, length, sound, and how its picture is stored."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream

from g4g.media.colour import Colour, means_colour, read_colour
from g4g.media.correct import describe_changes, has_alpha, list_corrections
from g4g.media.decode import check_input, decode_first, find_video, is_picture_file, open_media
from g4g.media.folder import list_pictures
from g4g.media.picture import PLANAR_FORMATS

STILL_FPS = 25.0
"""Frames per second given to a still picture (our choice: the rate at which lips and sound are compared)."""

RATE_SLACK_FRAMES = 1.0
"""A stated rate may miss so many of a file's frames before it is no longer believed."""


@dataclass(frozen=True)
class MediaInfo:
    """What `probe` found: sizes in pixels as displayed, times in seconds, `rotation` in degrees clockwise (done).

    `pixel_aspect` is the width of one displayed pixel over its height; `colour` is how a dub of it is stored;
    `has_alpha`: some pixel of the first frame is not opaque; `is_planar`: frames are read as planes that a dub may
    store as they are; `changes`: in a sentence each, what reading alters.
    """

    path: Path
    width: int
    height: int
    fps: float
    duration_s: float
    frame_count: int
    has_audio: bool
    is_still: bool
    rotation: int
    pixel_aspect: Fraction
    colour: Colour
    has_alpha: bool
    is_planar: bool
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Orientation:
    """How a stored picture becomes the displayed one: first swap the axes, then mirror."""

    swap_axes: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Turn a picture as it is to be displayed.

        Args:
            frame: shape (H, W, 3).
        Returns:
            contiguous array, (H, W, 3) or, with swapped axes, (W, H, 3).
        """
        frame = frame.swapaxes(0, 1) if self.swap_axes else frame
        frame = frame[:, ::-1] if self.mirror_x else frame
        frame = frame[::-1] if self.mirror_y else frame
        return np.ascontiguousarray(frame)


QUARTER_TURNS = {
    0: Orientation(),
    90: Orientation(swap_axes=True, mirror_x=True),
    180: Orientation(mirror_x=True, mirror_y=True),
    270: Orientation(swap_axes=True, mirror_y=True),
}
"""Degrees clockwise to Orientation."""


def probe(path: str | os.PathLike) -> MediaInfo:
    """Tell what a video or still picture holds.

    Args:
        path: a local file, or a folder of pictures, which are shown at STILL_FPS.
    Returns:
        MediaInfo; frame_count and duration_s are the file's own figures, counted where it states none.
    Raises:
        MediaError: no such file, an empty file or folder, not a video, or no picture in it can be decoded.
    """
    if os.path.isdir(path):
        pictures = list_pictures(Path(path))
        count = len(pictures)
        return replace(
            probe(pictures[0]), path=Path(path), frame_count=count, duration_s=count / STILL_FPS, is_still=count == 1
        )
    path = check_input(path)
    with open_media(path) as container:
        stream = find_video(container, path)
        frame = decode_first(container, stream, path)
        swap = read_orientation(frame).swap_axes
        fps, duration_s, frame_count = _measure_time(container, stream, path)
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        is_picture = is_picture_file(container)
        return MediaInfo(
            path=path,
            width=frame.height if swap else frame.width,
            height=frame.width if swap else frame.height,
            fps=fps,
            duration_s=duration_s,
            frame_count=frame_count,
            has_audio=bool(container.streams.audio),
            is_still=frame_count == 1,
            rotation=read_rotation(frame),
            pixel_aspect=1 / aspect if swap else aspect,
            colour=read_colour(frame, is_picture),
            has_alpha=has_alpha(frame),
            is_planar=is_planar(frame, is_picture) and means_colour(frame),
            changes=tuple(describe_changes(frame)),
        )


def read_orientation(frame: DecodedFrame) -> Orientation:
    """Read how a frame must be turned for display; angles between are taken to the nearest quarter turn.

    Args:
        frame: decoded frame.
    Returns:
        Orientation; the identity when the file says nothing.
    Source:
        FFmpeg's display matrix: x' = a x + c y, y' = b x + d y, stored a b u c d v x y w as 32-bit integers.
    """
    try:
        # Not frame.side_data, which frame and side data hold each other by: frames would stay until they are collected.
        matrix = SideDataContainer(frame).get("DISPLAYMATRIX")
    except ValueError:  # PyAV lists no side data at all beside a kind that it does not know, such as a photo's EXIF
        return QUARTER_TURNS[read_rotation(frame)]
    if matrix is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def is_planar(frame: DecodedFrame, is_picture: bool) -> bool:
    """Tell whether a frame is yuv420p of even size and is displayed as it is stored."""
    is_even = frame.width % 2 == frame.height % 2 == 0
    upright = read_orientation(frame) == Orientation()
    return (
        frame.format.name in PLANAR_FORMATS and is_even and upright and not is_picture and not list_corrections(frame)
    )


def read_rotation(frame: DecodedFrame) -> int:
    """Read the turn that brings a stored frame upright.

    Args:
        frame: decoded frame.
    Returns:
        degrees clockwise: 0, 90, 180 or 270 (the nearest quarter turn).
    """
    return -90 * round(frame.rotation / 90) % 360


def _measure_time(container: InputContainer, stream: VideoStream, path: Path) -> tuple[float, float, int]:
    """Return fps, duration in seconds and number of frames; packets are counted where the file states nothing."""
    if is_picture_file(container):
        return STILL_FPS, 1 / STILL_FPS, 1
    rate = stream.average_rate
    states_all = rate and stream.frames and stream.duration
    if states_all and stream.frames <= container.size:  # an avi written as a live stream states a thousand million
        return float(rate), float(stream.duration * stream.time_base), stream.frames
    with open_media(path) as fresh:  # raw streams cannot be wound back
        packets = [packet.pts for packet in fresh.demux(fresh.streams[stream.index]) if packet.size]
    times = sorted(time for time in packets if time is not None)
    fps = float(rate or STILL_FPS)
    if len(times) < 2:  # a single picture, or a raw stream, which has no times
        return fps, len(packets) / fps, len(packets)
    span_s = float((times[-1] - times[0]) * stream.time_base)
    if abs(fps * span_s - (len(times) - 1)) > RATE_SLACK_FRAMES:  # a variable rate, of which a file states a guess
        fps = (len(times) - 1) / span_s
    return fps, span_s + 1 / fps, len(times)
