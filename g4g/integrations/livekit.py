"""LiveKit Agents: a `VideoGenerator` that lets an avatar say what an agent says (extra livekit).

    stream = g4g.Dubber.from_pretrained(weights).stream("ann.avatar", sample_rate=24_000)
    audio = QueueAudioOutput(sample_rate=24_000)
    agent_session.output.audio = audio
    runner = AvatarRunner(
        room, audio_recv=audio, video_gen=StreamGenerator(stream), options=describe_stream(stream)
    )
    await runner.start()

Pictures come all the time, sound only while the agent speaks. Whoever made the stream closes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator

from g4g.live import LiveFrame, Stream


class StreamGenerator(VideoGenerator):
    """Gives a stream to an `AvatarRunner`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Take what the agent says next, or that it has said it all."""
        if isinstance(frame, AudioSegmentEnd):
            self._stream.end_segment()
            return
        samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
        self._stream.push_audio(samples, frame.sample_rate)

    def clear_buffer(self) -> None:
        """Stop speaking: the agent was interrupted."""
        self._stream.interrupt()

    async def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        """Give pictures, the sound that belongs to them, and the ends of what was said to its end."""
        async for item in self._stream:
            if not isinstance(item, LiveFrame):
                if not item.is_interrupted:  # of an interruption the runner itself tells the agent
                    yield AudioSegmentEnd()
                continue
            height, width = item.frame.shape[:2]
            yield rtc.VideoFrame(width, height, rtc.VideoBufferType.RGB24, item.frame.tobytes())
            if item.is_speaking:
                yield rtc.AudioFrame(item.sound.tobytes(), item.sample_rate, 1, len(item.sound))


def describe_stream(stream: Stream) -> AvatarOptions:
    """Tell an `AvatarRunner` what a stream gives."""
    height, width = stream.size
    return AvatarOptions(
        video_width=width, video_height=height, video_fps=stream.fps, audio_sample_rate=stream.sample_rate,
        audio_channels=1,
    )  # fmt: skip
