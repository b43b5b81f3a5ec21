"""The Pipecat adapter in a real pipeline."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

frames = pytest.importorskip("pipecat.frames.frames", reason="needs the extra pipecat: pip install g4g[pipecat]")
utils = pytest.importorskip("pipecat.tests.utils", reason="needs the extra pipecat: pip install g4g[pipecat]")
RATE_HZ = 24_000


def say(seconds: float, size: int = 480) -> list:
    sound = np.random.default_rng(0).integers(1, 9_000, round(seconds * RATE_HZ)).astype(np.int16)
    return [
        frames.TTSAudioRawFrame(audio=sound[first : first + size].tobytes(), sample_rate=RATE_HZ, num_channels=1)
        for first in range(0, len(sound), size)
    ]


def run(stream, sent) -> list:
    from g4g.integrations.pipecat import StreamProcessor

    down, _ = asyncio.run(utils.run_test(StreamProcessor(stream), frames_to_send=sent))
    return list(down)


def heard_in(down) -> np.ndarray:
    return np.concatenate(
        [np.frombuffer(item.audio, np.int16) for item in down if isinstance(item, frames.TTSAudioRawFrame)]
    )


def test_what_is_said_comes_out_with_pictures_to_its_end(stream):
    sent = [frames.TTSStartedFrame(), *say(0.8), frames.TTSStoppedFrame()]
    down = run(stream, sent)
    pictures = [item for item in down if isinstance(item, frames.OutputImageRawFrame)]
    assert {(item.size, item.format, len(item.image)) for item in pictures} == {((256, 256), "RGB", 256 * 256 * 3)}
    assert len(pictures) >= 20
    heard, said = heard_in(down), np.concatenate([np.frombuffer(item.audio, np.int16) for item in say(0.8)])
    first = np.flatnonzero(heard)[0]
    np.testing.assert_array_equal(heard[first : first + len(said)], said)
    assert not heard[first + len(said) :].any()
    kinds = [type(item) for item in down]
    assert frames.TTSStartedFrame in kinds and frames.TTSStoppedFrame in kinds


def test_an_interruption_stops_the_sound_and_pictures_go_on(stream):
    sent = [*say(5.0), utils.SleepFrame(sleep=1.2), frames.InterruptionFrame(), utils.SleepFrame(sleep=0.6)]
    down = run(stream, sent)
    cut = [type(item) for item in down].index(frames.InterruptionFrame)
    assert 0.3 < len(heard_in(down)) / RATE_HZ < 1.6
    after = down[cut + 1 :]
    assert sum(isinstance(item, frames.OutputImageRawFrame) for item in after) > 8
    assert sum(isinstance(item, frames.TTSAudioRawFrame) for item in after) <= 1
