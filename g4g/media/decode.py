"""Opening files and decoding frames; the one place that opens files with PyAV."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream

from g4g.errors import MediaError
from g4g.media.ffmpeg import ALLOWED_FORMATS, ALLOWED_PROTOCOLS, to_url
from g4g.media.truncation import is_mp4_without_index
from g4g.settings import as_path

SOUND_GAP_S = 0.05
"""A longer hole between two decoded pieces of sound is a fault, where ffmpeg complained of the file."""

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Codecs whose transparency stands beside the picture in webm and mkv, and who decodes it."""


def check_input(path: str | os.PathLike) -> Path:
    """Check that a path names a file with something in it.

    Args:
        path: a local file.
    Returns:
        the same as Path.
    Raises:
        MediaError: no such file, a folder, a device, or an empty file.
    """
    path = as_path(path, "path")
    if not path.exists():
        raise MediaError(f"no such file: {path}")
    if path.is_dir():
        raise MediaError(f"{path} is a folder; give a video, picture or sound file")
    if not path.is_file():
        raise MediaError(f"{path} is not a plain file; copy what it gives into a file first")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes); copy or record it again")
    return path


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading; PyAV's errors inside the block become MediaError.

    Args:
        path: a file that `check_input` let pass.
    Returns:
        context manager that gives the open container.
    Raises:
        MediaError: the file is no media file, or reading it fails.
    """
    # pattern_type none: "take%03d.png" is one picture, not a series
    limits = {"protocol_whitelist": ALLOWED_PROTOCOLS, "format_whitelist": ALLOWED_FORMATS}
    try:
        with av.open(to_url(path), options={**limits, "pattern_type": "none"}, metadata_errors="replace") as container:
            yield container
    except av.ArgumentError as error:  # what the limits above refuse
        raise MediaError(f"{path} cannot be read as video, picture or sound: it may be a text or playlist") from error
    except av.FFmpegError as error:
        if is_mp4_without_index(path):
            raise MediaError(
                f"{path} is an mp4 without its index (moov), as left by a recording that was not ended or a download "
                "that was not: record or fetch it again, or rebuild the index with a tool such as untrunc"
            ) from error
        raise MediaError(f"{path} cannot be read as video, picture or sound: {error.strerror}") from error


def find_video(container: InputContainer, path: Path) -> VideoStream:
    """Find the first video stream that is not a cover picture.

    Args:
        container: open file.
        path: its path, for the message.
    Returns:
        the stream, set to decode with threads.
    Raises:
        MediaError: there is none, or nothing decodes it.
    """
    streams = video_streams(container)
    if not streams:
        raise MediaError(f"{path} has no video; it holds {_list_kinds(container)}: give a video or a picture")
    if streams[0].codec_context is None:
        raise MediaError(f"{path} has video in a codec that is not known here; convert it, such as to H.264")
    streams[0].thread_type = "AUTO"
    return streams[0]


def video_streams(container: InputContainer) -> list[VideoStream]:
    """List the video streams of a file, without the cover pictures of sound files.

    Args:
        container: open file.
    Returns:
        streams in the file's order.
    """
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def decode_first(container: InputContainer, stream: VideoStream, path: Path) -> DecodedFrame:
    """Decode the first frame of a freshly opened file.

    Args:
        container: open file, nothing read yet.
        stream: its video stream.
        path: its path, for the message.
    Returns:
        the frame as stored, not yet turned.
    Raises:
        MediaError: no frame can be decoded.
    """
    frame = next(decode_frames(container, stream, path, lambda sentence: None), None)
    if frame is None:
        raise MediaError(f"{path} has a video stream without a single picture; record or export it again")
    return frame


def raise_fault(sentence: str) -> None:
    """Raise MediaError for a damaged place of a file."""
    raise MediaError(f"{sentence}; repair it, or use what can be read: `tolerant=True`")


def decode_frames(
    container: InputContainer, stream: VideoStream, path: Path, on_fault: Callable[[str], None]
) -> Iterator[DecodedFrame]:
    """Decode a video stream of a freshly opened file.

    Args:
        container: open file, nothing read yet.
        stream: its video stream.
        path: its path, for the sentences.
        on_fault: called with a sentence for each damaged place, which is then passed over; also where the decoder made
            up for it.
    Returns:
        iterator over the frames as stored, not yet turned.
    """
    packets, count, time_s, is_open = container.demux(stream), 0, 0.0, True
    told, was_corrupt, made_up = -1, False, ""
    decoder = choose_decoder(stream)
    while is_open:
        try:
            packet = next(packets, None)
            is_open = packet is not None
            decoded = decoder.decode(packet) if is_open else []
        except av.FFmpegError as error:
            if told != count:  # one sentence a place
                told = count
                on_fault(f"{path} is damaged after {time_s:.2f} s ({count} frames): {error.strerror}")
            continue
        for frame in decoded:
            if made_up:  # a last picture that is cut off is none: recordings without a length may end anywhere
                on_fault(made_up)
            is_new = frame.is_corrupt and not was_corrupt and told != count
            made_up = f"{path} is damaged after {time_s:.2f} s ({count} frames): a picture is made up in part"
            made_up, told = (made_up, count) if is_new else ("", told)
            was_corrupt = bool(frame.is_corrupt)
            yield frame
            count, time_s = count + 1, frame.time or time_s


def find_sound_fault(path: Path) -> str | None:
    """Say where the first sound track of a file is damaged, or None.

    A first or last packet that cannot be decoded is none: players cut there, and nothing is missed.

    Args:
        path: a file with sound.
    """
    with open_media(path) as container:
        track, end_s = container.streams.audio[0], None
        packets = [packet for packet in container.demux(track) if packet.size]
        for packet in packets[:-1]:
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                if packet is packets[0]:
                    continue
                return f"the sound of {path} is damaged at {end_s or 0.0:.2f} s: {error.strerror}"
            for frame in frames:
                time_s = end_s or 0.0 if frame.time is None else frame.time
                if end_s is not None and time_s - end_s > SOUND_GAP_S:
                    return f"the sound of {path} is damaged at {end_s:.2f} s: {time_s - end_s:.2f} s are missing"
                end_s = time_s + frame.samples / frame.sample_rate
    return None


def choose_decoder(stream: VideoStream) -> VideoCodecContext:
    """Choose what decodes a stream: FFmpeg's own decoders of VP8 and VP9 leave transparency out, libvpx does not.

    Args:
        stream: of an open file.
    Returns:
        the stream's own decoder, or one of libvpx set up alike.
    """
    own = stream.codec_context
    name = ALPHA_DECODERS.get(own.codec.canonical_name)
    if name is None or "1" not in (stream.metadata.get("alpha_mode"), stream.metadata.get("ALPHA_MODE")):
        return own
    decoder = VideoCodecContext.create(name, "r")
    decoder.color_primaries, decoder.color_trc = own.color_primaries, own.color_trc
    decoder.colorspace, decoder.color_range = own.colorspace, own.color_range
    return decoder


def is_picture_file(container: InputContainer) -> bool:
    """Tell whether a file is of a still picture's format (png, jpg, webp and the like).

    Args:
        container: open file.
    Returns:
        True for a picture.
    """
    return container.format.name == "image2" or container.format.name.endswith("_pipe")


def _list_kinds(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    return "only " + " and ".join(kinds) if kinds else "nothing that can be played"
