"""Live: sound in as it is spoken, frames out: a person prepared once, who speaks and rests."""

from g4g.live.items import LiveFrame, SegmentEnd, StreamStats
from g4g.live.stream import Stream, open_stream

__all__ = ["LiveFrame", "SegmentEnd", "Stream", "StreamStats", "open_stream"]
