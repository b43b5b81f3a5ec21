"""Pipecat: a FrameProcessor that lets an avatar say what the text-to-speech before it says (extra pipecat).

    stream = g4g.Dubber.from_pretrained(weights).stream("ann.avatar", sample_rate=24_000)
    pipeline = Pipeline([transport.input(), stt, llm, tts, StreamProcessor(stream), transport.output()])

The transport needs `video_out_enabled`, `video_out_is_live`, the stream's size, and its `audio_out_sample_rate`.
Pictures come all the time, sound while somebody speaks. The processor closes the stream at the pipeline's end.
"""

from __future__ import annotations

import asyncio

import numpy as np
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from g4g.live import LiveFrame, Stream


class StreamProcessor(FrameProcessor):
    """Turns a voice's sound into pictures and the same sound, some 0.4 s later."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream, self._giving, self._has_ended = stream, None, asyncio.Event()
        self._has_ended.set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take sound, ends and interruptions; all but sound goes on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._has_ended.clear()
            samples = np.frombuffer(frame.audio, np.int16).reshape(-1, frame.num_channels)
            self._stream.push_audio(samples, frame.sample_rate)
            return
        if isinstance(frame, TTSStoppedFrame):
            self._stream.end_segment()
        elif isinstance(frame, InterruptionFrame):
            self._stream.interrupt()
        elif isinstance(frame, EndFrame):
            self._stream.end_segment()
            await self._has_ended.wait()  # what was said is heard to its end
            await self._close()
        elif isinstance(frame, CancelFrame):
            await self._close()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._giving = self.create_task(self._give())

    async def cleanup(self) -> None:
        """Close the stream, where the pipeline was torn down without an end."""
        await self._close()
        await super().cleanup()

    async def _give(self) -> None:
        """Push pictures and sound downstream as they come."""
        try:
            async for item in self._stream:
                if isinstance(item, LiveFrame):
                    await self._give_frame(item)
                else:
                    self._has_ended.set()
        finally:
            self._has_ended.set()  # nobody waits for a stream that failed

    async def _give_frame(self, item: LiveFrame) -> None:
        height, width = item.frame.shape[:2]
        await self.push_frame(OutputImageRawFrame(image=item.frame.tobytes(), size=(width, height), format="RGB"))
        if item.is_speaking:
            sound = item.sound.tobytes()
            await self.push_frame(TTSAudioRawFrame(audio=sound, sample_rate=item.sample_rate, num_channels=1))

    async def _close(self) -> None:
        if self._giving is not None:
            giving, self._giving = self._giving, None
            await asyncio.to_thread(self._stream.close)
            await self.cancel_task(giving)
