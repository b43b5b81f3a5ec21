"""What some decoded frames need to become ordinary pictures: deinterlacing, tone mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import av
from av.filter import Graph
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream

from g4g.media.colour import HDR_TRANSFERS

DEINTERLACE = ("bwdif", "mode=send_frame:deint=interlaced")
"""One whole frame for each stored one; frames that are not interlaced pass as they are."""

TONE_MAP = ("scale", "out_color_matrix=bt709:out_primaries=bt709:out_transfer=bt709")


def list_corrections(decoded: DecodedFrame) -> list[tuple[str, str]]:
    """List the filters that a video needs, told from its first frame.

    Args:
        decoded: decoded frame.
    Returns:
        names and arguments of ffmpeg's filters, in order; mostly none.
    """
    corrections = [DEINTERLACE] if decoded.interlaced_frame else []
    return corrections + ([TONE_MAP] if decoded.color_trc in HDR_TRANSFERS else [])


def describe_changes(decoded: DecodedFrame) -> list[str]:
    """Say what is lost or altered when a video becomes 8-bit RGB frames.

    Args:
        decoded: its first frame.
    Returns:
        a sentence for each change; mostly none.
    """
    bits = max(component.bits for component in decoded.format.components)
    transfer = HDR_TRANSFERS.get(decoded.color_trc)
    return [
        *(["the video is interlaced: it was deinterlaced"] if decoded.interlaced_frame else []),
        *([f"the video is HDR ({transfer}): it was tone-mapped to BT.709"] if transfer else []),
        *([f"the video has {bits} bits per colour: 8 are kept"] if bits > 8 and not transfer else []),
    ]


def has_alpha(decoded: DecodedFrame) -> bool:
    """Tell whether any pixel of a frame is not opaque."""
    if not any(component.is_alpha for component in decoded.format.components) and decoded.format.name != "pal8":
        return False
    return bool(decoded.to_ndarray(format="rgba")[..., 3].min() < 255)


def correct_frames(frames: Iterable[DecodedFrame], stream: VideoStream) -> Iterator[DecodedFrame]:
    """Deinterlace and tone-map a stream of decoded frames where its first one asks for it.

    Args:
        frames: in order.
        stream: where they come from.
    Returns:
        as many frames, at their times.
    """
    frames = iter(frames)
    first = next(frames, None)
    corrections = [] if first is None else list_corrections(first)
    if not corrections:
        yield from frames if first is None else chain([first], frames)
        return
    graph = Graph()
    last = graph.add_buffer(template=stream)
    for name, arguments in [*corrections, ("buffersink", None)]:
        filtered = graph.add(name, arguments)
        last.link_to(filtered)
        last = filtered
    graph.configure()
    for frame in chain([first], frames, [None]):
        graph.push(frame)
        yield from _pull_all(graph)


def _pull_all(graph: Graph) -> Iterator[DecodedFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):  # it wants more, or has given all
            return
