"""The LiveKit adapter under the real AvatarRunner, with a room that only pretends to be connected."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

rtc = pytest.importorskip("livekit.rtc", reason="needs the extra livekit: pip install g4g[livekit]")
avatar = pytest.importorskip("livekit.agents.voice.avatar", reason="needs the extra livekit: pip install g4g[livekit]")
RATE_HZ = 24_000


class Room:
    """What a runner asks of a room."""

    def __init__(self) -> None:
        self.published, self.local_participant = [], self

    def on(self, *_): ...

    def off(self, *_): ...

    def isconnected(self) -> bool:
        return True

    async def publish_track(self, track, options):
        self.published.append(track.kind)
        return self

    async def wait_for_subscription(self) -> None: ...


def say(seconds: float, size: int = 480) -> list[rtc.AudioFrame]:
    sound = np.random.default_rng(0).integers(1, 9_000, round(seconds * RATE_HZ)).astype(np.int16)
    chunks = [sound[first : first + size] for first in range(0, len(sound), size)]
    return [rtc.AudioFrame(chunk.tobytes(), RATE_HZ, 1, len(chunk)) for chunk in chunks]


async def run(stream, act) -> tuple[Room, list, list]:
    """Let a runner play what `act` makes an agent say; return its room, what was given, and the ends of playing."""
    from g4g.integrations.livekit import StreamGenerator, describe_stream

    given, ends = [], []

    class Watched(StreamGenerator):
        async def __aiter__(self):
            async for item in super().__aiter__():
                given.append(item)
                yield item

    room, audio = Room(), avatar.QueueAudioOutput(sample_rate=RATE_HZ)
    audio.on("playback_finished", ends.append)
    runner = avatar.AvatarRunner(
        room, audio_recv=audio, video_gen=Watched(stream), options=describe_stream(stream)
    )  # fmt: skip
    await runner.start()
    await act(audio, ends)
    await runner.aclose()
    return room, given, ends


def test_what_an_agent_says_is_played_to_its_end(stream):
    async def act(audio, ends):
        await asyncio.sleep(0.5)
        for frame in say(0.8):
            await audio.capture_frame(frame)
        audio.flush()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if ends:
                return

    room, given, ends = asyncio.run(run(stream, act))
    assert len(room.published) == 2
    (end,) = ends
    assert not end.interrupted and end.playback_position == pytest.approx(0.8, abs=0.09)
    pictures = [item for item in given if isinstance(item, rtc.VideoFrame)]
    sounds = [item for item in given if isinstance(item, rtc.AudioFrame)]
    assert {(item.width, item.height, item.type) for item in pictures} == {(256, 256, rtc.VideoBufferType.RGB24)}
    assert len(pictures) > len(sounds) >= 20, "pictures come all the time, sound only while the agent speaks"
    heard = np.concatenate([np.frombuffer(item.data, np.int16) for item in sounds])
    said = np.concatenate([np.frombuffer(item.data, np.int16) for item in say(0.8)])
    first = np.flatnonzero(heard)[0]
    np.testing.assert_array_equal(heard[first : first + len(said)], said)


def test_an_interrupted_agent_is_told_once(stream):
    async def act(audio, ends):
        for frame in say(5.0):
            await audio.capture_frame(frame)
        audio.flush()
        await asyncio.sleep(1.5)
        audio.clear_buffer()
        await asyncio.sleep(0.6)

    _, given, ends = asyncio.run(run(stream, act))
    (end,) = ends
    assert end.interrupted and 0.3 < end.playback_position < 1.6
    last = [number for number, item in enumerate(given) if isinstance(item, rtc.AudioFrame)][-1]
    assert len(given) - last > 8 and not any(isinstance(item, avatar.AudioSegmentEnd) for item in given)
