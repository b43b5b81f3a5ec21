"""What of a source goes along into its dub: other sound tracks, subtitles, chapters, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from av.stream import Stream

from g4g.media.decode import decode_first, find_video, open_media
from g4g.media.encode import Container
from g4g.media.ffmpeg import input_arguments
from g4g.media.read import FILL_GAPS

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
"""Subtitles stored as words; the others are pictures, which only Matroska takes from everywhere."""


@dataclass(frozen=True)
class OtherStreams:
    """ffmpeg arguments that bring a source's other streams along, and a sentence for each that stays behind."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def copy_other_streams(
    source: Path, index: int, container: Container, duration_s: float, first_audio: int
) -> OtherStreams:
    """Plan what a dub keeps of its source beside the picture and the first sound track, which the dub replaces.

    Args:
        source: the video that was dubbed.
        index: its number among ffmpeg's inputs.
        container: of the output.
        duration_s: of the output; what lasts longer is cut.
        first_audio: number of sound tracks that the output has already.
    Returns:
        OtherStreams; other sound tracks are encoded anew, so that they start with the picture whatever the container.
    """
    with open_media(source) as media:
        start_s = decode_first(media, find_video(media, source), source).time or 0.0
        sounds = [_codec_name(stream) for stream in media.streams.audio]
        subtitles = [_codec_name(stream) for stream in media.streams.subtitles]
    outputs, warnings = ["-map_metadata", str(index), "-map_chapters", str(index)], []
    kept = first_audio
    for track, codec in list(enumerate(sounds))[1:]:
        if codec is None:  # such as the second, spatial track of recent telephones
            warnings.append(f"sound track {track + 1} is left out: its codec is unknown")
            continue
        outputs += ["-map", f"{index}:a:{track}", f"-filter:a:{kept}", FILL_GAPS]
        kept += 1
    kept = 0
    for track, codec in enumerate(subtitles):
        stored = _store_subtitle(codec, container)
        if stored is None:
            warnings.append(f"subtitle track {track + 1} ({codec}) is left out: only .mkv can hold it")
            continue
        outputs += ["-map", f"{index}:s:{track}", f"-c:s:{kept}", stored]
        kept += 1
    inputs = ["-itsoffset", f"{-start_s:.6f}", *input_arguments(source)]
    return OtherStreams(tuple(inputs), (*outputs, "-t", f"{duration_s:.6f}"), tuple(warnings))


def read_comment(path: Path) -> str:
    """Read the comment in a file's metadata; empty: it has none.

    Raises:
        MediaError: the file cannot be read.
    """
    with open_media(path) as media:
        return {key.lower(): value for key, value in media.metadata.items()}.get("comment", "")


def _codec_name(stream: Stream) -> str | None:
    """Return the name of a stream's codec, None where nothing here can decode it."""
    return None if stream.codec_context is None else stream.codec_context.name


def _store_subtitle(codec: str | None, container: Container) -> str | None:
    """Return ffmpeg's encoder for a subtitle track, "copy", or None where the container cannot hold it."""
    if container.muxer == "matroska" and codec not in ("mov_text", None):
        return "copy"
    return container.text_subtitles if codec in TEXT_SUBTITLES else None
