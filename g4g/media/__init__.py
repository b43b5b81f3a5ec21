"""Media files in and out: probe, streaming frames, waveform, streaming writer; the only place that knows ffmpeg."""

from g4g.media.frame_format import FrameFormat
from g4g.media.probe import MediaInfo, probe
from g4g.media.read import VideoFrame, pick_frames, read_frames, read_waveform
from g4g.media.sound import NewSound
from g4g.media.write import VideoWriter

__all__ = [
    "FrameFormat", "MediaInfo", "NewSound", "VideoFrame", "VideoWriter", "pick_frames", "probe", "read_frames",
    "read_waveform",
]  # fmt: skip
