"""Reading: a stream of RGB frames with their times, and the sound as one waveform that stays on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame as DecodedFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from g4g.errors import MediaError
from g4g.media.colour import UNTAGGED, guess_matrix
from g4g.media.correct import correct_frames
from g4g.media.decode import (
    check_input,
    decode_first,
    decode_frames,
    find_sound_fault,
    find_video,
    is_picture_file,
    open_media,
    raise_fault,
    video_streams,
)
from g4g.media.ffmpeg import input_arguments, run_ffmpeg
from g4g.media.folder import list_pictures
from g4g.media.picture import Picture, PlanarPicture, PlaneColours, RgbPicture
from g4g.media.probe import STILL_FPS, is_planar, read_orientation
from g4g.media.truncation import count_missing_bytes

FILL_GAPS = "aresample=async=1:first_pts=0"
"""ffmpeg filter: silence wherever a sound has no samples, from time 0 on; what lies before 0 is cut."""

CLIP_BLOCK = 1 << 20
"""Samples that are clipped at a time."""

_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class VideoFrame:
    """One picture: its time after the first frame in seconds, and RGB uint8 (H, W, 3); RGBA (H, W, 4) if asked for."""

    time_s: float
    frame: np.ndarray


@dataclass(frozen=True)
class TimedPicture:
    """One picture and its time after the first frame in seconds."""

    time_s: float
    picture: Picture


def read_frames(
    path: str | os.PathLike, *, alpha: bool = False, is_exact: bool = True,
    on_fault: Callable[[str], None] = raise_fault,
) -> Iterator[VideoFrame]:  # fmt: skip
    """Stream the frames of a video, or the one frame of a still picture, in constant memory.

    Args:
        path: a local file, or a folder of pictures of one size.
        alpha: give RGBA, opaque where the file has no transparency.
        is_exact: convert colours exactly; otherwise ten times as fast, about a level off.
        on_fault: called with a sentence for each damaged place, which is then passed over.
    Returns:
        iterator over VideoFrame: turned for display, deinterlaced, HDR tone-mapped, all of one size, each with its own
        time (a variable frame rate is kept, no frame is added or dropped); the first time is 0.
    Raises:
        MediaError: as `probe`; while streaming, when the file is damaged further on.
    """
    pictures = read_pictures(path, alpha=alpha, is_exact=is_exact, on_fault=on_fault)
    return (VideoFrame(item.time_s, _join(item.picture)) for item in pictures)


def read_pictures(
    path: str | os.PathLike, *, alpha: bool = False, is_exact: bool = True,
    on_fault: Callable[[str], None] = raise_fault,
) -> Iterator[TimedPicture]:  # fmt: skip
    """Stream the frames of a video as `read_frames` does; they become RGB where and when they are looked at.

    Args:
        path, alpha, is_exact, on_fault: as for `read_frames`.
    Returns:
        iterator over TimedPicture: planar where the video is yuv420p of even size and is shown as it is stored.
    Raises:
        MediaError: as `read_frames`.
    """
    if os.path.isdir(path):
        return _folder_pictures(list_pictures(Path(path)), alpha)
    return _stream_pictures(check_input(path), "rgba" if alpha else "rgb24", is_exact, on_fault)


def pick_frames(path: str | os.PathLike, numbers: Iterable[int], **reading: object) -> Iterator[tuple[int, np.ndarray]]:
    """Read some frames of a video, (H, W, 3) or (H, W, 4), otherwise as `pick_pictures` does."""
    return ((number, _join(picture)) for number, picture in pick_pictures(path, numbers, **reading))


def pick_pictures(path: str | os.PathLike, numbers: Iterable[int], **reading: object) -> Iterator[tuple[int, Picture]]:
    """Read some frames of a video by their numbers; none after the last of them is decoded.

    Args:
        path: as for `read_frames`.
        numbers: of the frames wanted, from 0, in any order.
        reading: how, as for `read_frames`.
    Returns:
        iterator over (number, picture) in the video's order, each once.
    Raises:
        MediaError: as `read_frames`.
    """
    wanted = {int(number) for number in numbers}
    for number, item in enumerate(islice(read_pictures(path, **reading), max(wanted, default=-1) + 1)):
        if number in wanted:
            yield number, item.picture


def _join(picture: Picture) -> np.ndarray:
    """Colours and transparency of a picture in one array, (H, W, 3) or (H, W, 4)."""
    return np.concatenate([picture.whole(), picture.alpha], -1) if picture.alpha.shape[-1] else picture.whole()


def _folder_pictures(files: list[Path], alpha: bool) -> Iterator[TimedPicture]:
    size = None
    for number, file in enumerate(files):
        reading = _stream_pictures(check_input(file), "rgba" if alpha else "rgb24", True, raise_fault)
        picture = next(reading).picture
        size = size or picture.size
        if picture.size != size:
            raise MediaError(
                f"{file} has {picture.size[1]} x {picture.size[0]} px, the first picture of its folder {size[1]} x "
                f"{size[0]}; make them one size"
            )
        yield TimedPicture(number / STILL_FPS, picture)


def _stream_pictures(
    path: Path, pixels: str, is_exact: bool, on_fault: Callable[[str], None]
) -> Iterator[TimedPicture]:  # fmt: skip
    with open_media(path) as container:
        stream = find_video(container, path)
        is_picture = is_picture_file(container)
        make_picture = _PictureMaker(is_picture, pixels, _EXACT if is_exact else Interpolation.BILINEAR)
        step_s = 1 / float(stream.average_rate or STILL_FPS)
        start, count, time_s = None, 0, -step_s
        for decoded in correct_frames(decode_frames(container, stream, path, on_fault), stream):
            start = decoded.pts if start is None else start
            if decoded.pts is None:  # raw streams carry no times
                time_s += step_s
            else:
                time_s = float((decoded.pts - start) * decoded.time_base)
            count += 1
            yield TimedPicture(time_s, make_picture(decoded))
            if is_picture:
                return
        if count == 0:
            raise MediaError(f"{path} has a video stream without a single picture; record or export it again")
        if missing := count_missing_bytes(path):
            on_fault(f"{path} is cut off after {time_s:.2f} s ({count} frames): its last {missing} bytes are missing")


class _PictureMaker:
    """Decoded frames to displayed ones: stated colour matrix (or the usual guess), first frame's size, rotation."""

    def __init__(self, is_picture: bool, pixels: str, interpolation: Interpolation) -> None:
        self._is_picture, self._pixels, self._interpolation = is_picture, pixels, interpolation
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None
        self._kind, self._colours, self._exact = None, None, None

    def __call__(self, decoded: DecodedFrame) -> Picture:
        self._size = self._size or (decoded.width, decoded.height)
        is_untagged = decoded.colorspace == UNTAGGED
        reading = {
            "format": self._pixels, "dst_color_range": ColorRange.JPEG, "interpolation": self._interpolation,
            "src_colorspace": Colorspace(guess_matrix(decoded, self._is_picture)) if is_untagged else None,
            "threads": 1,
        }  # fmt: skip
        orientation = read_orientation(decoded)
        if (
            is_planar(decoded, self._is_picture)
            and (decoded.width, decoded.height) == self._size
            and self._pixels == "rgb24"
        ):
            kind = decoded.format.name, decoded.colorspace, decoded.color_range
            if kind != self._kind:
                self._kind, self._colours = kind, PlaneColours(decoded, **reading)
                self._exact = PlaneColours(decoded, **{**reading, "interpolation": _EXACT})
            return PlanarPicture(decoded.to_ndarray(), self._colours, self._exact)
        rgb = self._reformatter.reformat(decoded, *self._size, **reading)
        return RgbPicture(orientation.apply(rgb.to_ndarray()))


def read_waveform(
    path: str | os.PathLike, sample_rate: int = 16_000, *, on_fault: Callable[[str], None] = raise_fault
) -> np.ndarray:
    """Read the first sound track as mono waveform on the video's clock.

    Args:
        path: a sound file, or a video with sound.
        sample_rate: wanted rate in Hz.
        on_fault: called with a sentence where the sound is damaged; the rest is then used.
    Returns:
        float32 (N,) in [-1, 1]. Sample 0 belongs to the first video frame: a track that starts later begins with
        silence, one that starts earlier is cut. The array lies in an unnamed temporary file (np.memmap, writes stay
        private), so memory does not grow with its length.
    Raises:
        MediaError: no such file, no audio stream, an empty track, or sound that cannot be decoded.
    """
    path = check_input(path)
    filters = f"{align_filter(path)}:out_sample_rate={sample_rate}:out_chlayout=mono:rematrix_maxval=1"
    arguments = ["-copyts", *input_arguments(path), "-map", "0:a:0", "-af", filters]
    arguments += ["-ac", "1", "-ar", str(sample_rate), "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"]
    with tempfile.TemporaryFile(prefix="g4g-") as samples:
        is_clean = run_ffmpeg(arguments, f"read the sound of {path}", stdout=samples)
        if not is_clean and (fault := find_sound_fault(path)):
            on_fault(fault)
        if os.fstat(samples.fileno()).st_size == 0:
            raise MediaError(f"{path} has an audio stream without a single sample; give a sound that is not empty")
        _clip_samples(np.memmap(samples, np.float32, mode="r+"), path)
        return np.memmap(samples, np.float32, mode="c")


def align_filter(path: Path) -> str:
    """Build the ffmpeg filter that puts a file's sound on the clock of its video, time 0 at the first frame.

    Args:
        path: a sound file, or a video with sound; ffmpeg must read it with -copyts.
    Returns:
        filter chain; it ends in an aresample, to which options can be appended.
    Raises:
        MediaError: the file has no audio stream, or its video cannot be decoded.
    """
    with open_media(path) as container:
        if not container.streams.audio:
            raise MediaError(f"{path} has no audio stream; give a file with sound")
        start = "STARTPTS"
        if video_streams(container):
            first = decode_first(container, find_video(container, path), path)
            start = f"{first.time or 0.0:.6f}/TB"
    return f"asetpts=PTS-({start}),{FILL_GAPS}"


def _clip_samples(waveform: np.ndarray, path: Path) -> None:
    """Limit to [-1, 1] in place, block by block (lossy codecs overshoot a little)."""
    for first in range(0, len(waveform), CLIP_BLOCK):
        block = waveform[first : first + CLIP_BLOCK]
        if not np.isfinite(block).all():
            raise MediaError(f"the sound of {path} holds samples that are not numbers; export it again")
        np.clip(block, -1.0, 1.0, out=block)
