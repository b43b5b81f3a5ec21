"""When frames come and with which sound, on simulated time: pace, delay, starvation, interruption, slow callers."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from g4g.errors import ConfigError
from g4g.live import SegmentEnd
from g4g.live.stream import LEAD_S

from .simulated import LOOK_AHEAD_S

CHUNK_S, JITTER_S = 0.02, 0.04


def click(seconds, at_s, rate=16_000):
    """Silence with a click of 10 ms."""
    sound = np.zeros(round(seconds * rate), np.int16)
    sound[round(at_s * rate) : round((at_s + 0.01) * rate)] = 32_000
    return sound


def joined(frames):
    return np.concatenate([item.sound for _, item in frames])


def test_idle_frames_come_at_their_rate_in_silence(run):
    one = run()
    one.start()
    one.wait(2.0)
    frames = one.frames()
    assert [item.number for _, item in frames] == list(range(len(frames))) and len(frames) in (48, 49)
    for at_s, item in frames:
        assert at_s == pytest.approx(LEAD_S + item.number / 25, abs=0.011) and item.late_s < 0.011
        assert item.time_s == item.number / 25 and len(item.sound) == 1_920 and not item.sound.any()


@pytest.mark.parametrize("chunk_s", [0.01, 0.02, 0.1, 0.5])
def test_sound_that_is_spoken_is_seen_and_heard_soon_and_together(run, chunk_s):
    one = run(jitter_s=JITTER_S)
    one.start()
    one.wait(0.53)
    began_s = one.clock.now_s()
    one.speak(click(2.0, 1.0), chunk_s)
    one.wait(1.0)
    frames = one.frames()
    seen = [at_s for at_s, item in frames if item.frame.max() > 20]
    heard = [at_s for at_s, item in frames if item.sound.max() > 3_200]
    assert seen[0] == heard[0] and len(seen) <= 2, "the mouth moves in the frame whose sound has the click"
    most_s = LOOK_AHEAD_S + LEAD_S + JITTER_S + chunk_s
    assert most_s - 0.06 < seen[0] - (began_s + 1.0) < most_s + 0.015
    assert one.stats().starved == 0 and one.stats().skipped == 0


def test_a_minute_brings_no_drift(run):
    one = run(sample_rate=16_000)
    one.start()
    one.wait(0.5)
    began_s = one.clock.now_s()
    sound = np.sum([click(60, at_s) for at_s in range(1, 60, 2)], axis=0).astype(np.int16)
    for first in range(0, len(sound), 3_200):
        one.wait(0.2, step_s=0.04)
        one.stream.push_audio(sound[first : first + 3_200], 16_000)
    one.wait(0.8, step_s=0.04)
    frames = one.frames()
    seen = [at_s for at_s, item in frames if item.frame.max() > 100]
    delays = np.array(seen) - began_s - np.arange(1, 60, 2)
    assert len(delays) == 30 and np.ptp(delays) <= 0.081 and max(delays) < 0.6
    clicks = np.flatnonzero(np.diff((joined(frames) > 0).astype(int)) == 1)
    assert (np.diff(clicks) == 32_000).all(), "no sample is lost or added"
    assert one.stats().skipped == 0


def test_fast_sound_is_played_at_its_own_speed_to_its_end(run):
    one = run(sample_rate=16_000)
    one.start()
    sound = np.random.default_rng(0).integers(1, 9_000, 33_000).astype(np.int16)
    waiting_s = [one.stream.push_audio(sound[first : first + 3_000], 16_000) for first in range(0, 33_000, 3_000)]
    assert waiting_s == sorted(waiting_s) and 2.0 < waiting_s[-1] < 2.5
    one.stream.end_segment()
    one.wait(3.0)
    (end,) = one.ends()
    heard = joined(one.frames())
    first = np.flatnonzero(heard)[0]
    np.testing.assert_array_equal(heard[first : first + 33_000], sound)
    assert not heard[first + 33_000 :].any() and not end.is_interrupted
    assert end.time_s == pytest.approx((first + 33_000) / 16_000) and first / 16_000 < 0.3
    order = [item for _, item in one.items]
    after = order[order.index(end) - 1]
    speaking = [item.time_s for _, item in one.frames() if item.is_speaking]
    assert speaking[-1] == after.time_s and speaking[0] <= first / 16_000 < speaking[0] + 0.04
    assert len(speaking) == round((speaking[-1] - speaking[0]) * 25) + 1
    assert after.time_s < end.time_s <= after.time_s + 0.04 + 1e-9


def test_late_sound_leaves_a_gap_and_goes_on(run):
    one = run(sample_rate=16_000)
    one.start()
    one.wait(0.2)
    one.speak(np.full(8_000, 7_000, np.int16))
    one.wait(0.4)
    one.speak(np.full(8_000, 7_000, np.int16))
    one.wait(0.5)
    heard = joined(one.frames())
    assert (heard != 0).sum() == 16_000
    stats = one.stats()
    assert stats.starved_s == pytest.approx(0.4, abs=0.06) and stats.starved >= 1 and stats.skipped == 0


def test_an_interruption_is_silent_at_once_and_drops_the_rest(run):
    one = run(sample_rate=16_000)
    one.start()
    one.stream.push_audio(np.full(160_000, 7_000, np.int16), 16_000)
    one.stream.end_segment()
    one.wait(1.5)
    one.stream.interrupt()
    cut_s, given = one.clock.now_s(), len(one.frames())
    one.wait(0.5)
    (end,) = one.ends()
    assert end.is_interrupted and one.maker.restarts[-1] == given
    later = one.frames()[given:]
    assert not joined(later).any() and len(later) in (12, 13)
    assert not any(item.frame.any() or item.is_speaking for _, item in later) and later[0][0] - cut_s < 0.05
    one.stream.push_audio(np.full(1_600, 7_000, np.int16), 16_000)
    one.stream.end_segment()
    one.wait(1.0)
    assert (joined(one.frames()[given:]) != 0).sum() == 1_600 and len(one.ends()) == 2


def test_a_frame_that_is_being_drawn_when_the_stream_is_interrupted_comes_without_its_sound(run):
    one = run(paced=False, sample_rate=16_000)
    one.stream.push_audio(np.full(16_000, 7_000, np.int16), 16_000)
    first, make = next(one.stream), one.maker.make

    def make_slowly(number, waveform):
        made = make(number, waveform)
        return replace(made, draw=lambda: (one.stream.interrupt() if number == 5 else None, made.draw())[1])

    one.maker.make = make_slowly
    items = [next(one.stream) for _ in range(9)]
    (at,) = (n for n, item in enumerate(items) if isinstance(item, SegmentEnd))
    before, drawn, after = items[: at - 1], items[at - 1], items[at + 1 :]
    assert first.sound.all() and all(item.sound.all() for item in before) and drawn.number == 5
    assert len(drawn.sound) == 640 and not drawn.sound.any() and not drawn.is_speaking
    assert after and not any(item.sound.any() for item in after)


def test_a_slow_caller_gets_fewer_frames_and_all_the_sound(run):
    one = run(sample_rate=16_000)
    one.start()
    sound = np.random.default_rng(0).integers(1, 9_000, 48_000).astype(np.int16)
    one.stream.push_audio(sound, 16_000)
    one.wait(0.3)
    one.hold()
    one.wait(0.7)
    one.go()
    one.wait(2.5)
    heard = joined(one.frames())
    first = np.flatnonzero(heard)[0]
    np.testing.assert_array_equal(heard[first : first + 48_000], sound)
    stats = one.stats()
    assert stats.skipped in range(14, 20) and stats.late_s < 0.03
    assert all(at_s - LEAD_S - item.time_s < 0.15 for at_s, item in one.frames()), "no frame is long after its time"


def test_a_machine_that_is_too_slow_skips_and_stays_in_time(run):
    one = run()
    one.maker.takes_s = 0.06
    one.start()
    one.wait(3.0)
    frames = one.frames()
    assert 0.35 < len(frames) / 75 < 0.75 and one.stats().skipped > 15
    assert all(at_s - LEAD_S - item.time_s < 0.16 for at_s, item in frames)


def test_bad_chunks_are_left_out_and_the_stream_goes_on(run):
    one = run()
    one.start()
    with pytest.raises(ConfigError, match="not numbers"):
        one.stream.push_audio(np.array([0.1, np.nan]), 16_000)
    one.speak(click(0.5, 0.2))
    one.wait(0.6)
    assert sum(item.sound.any() for _, item in one.frames()) == 1


def test_an_error_of_the_maker_reaches_the_caller(run):
    one = run(paced=False)
    one.maker.make = lambda number, waveform: 1 / 0
    with pytest.raises(ZeroDivisionError):
        next(one.stream)


def test_a_closed_stream_ends_and_takes_no_more(run):
    one = run(paced=False)
    assert next(one.stream).number == 0
    one.stream.close()
    assert list(one.stream) == [] and one.maker.closed
    for call in (one.stream.end_segment, one.stream.interrupt, lambda: one.stream.push_audio(np.zeros(10), 16_000)):
        with pytest.raises(ConfigError, match="closed; open another"):
            call()


def test_the_async_twin_gives_the_same_items(run):
    one, other = run(paced=False), run(paced=False)

    async def collect():
        items = []
        async with other.stream as stream:
            stream.push_audio(click(0.5, 0.2), 16_000)
            stream.end_segment()
            async for item in stream:
                items.append(item)
                if not hasattr(item, "frame"):
                    return items

    one.stream.push_audio(click(0.5, 0.2), 16_000)
    one.stream.end_segment()
    wanted = [next(one.stream) for _ in range(14)]
    got = asyncio.run(collect())
    assert [type(item) for item in got] == [type(item) for item in wanted]
    pairs = zip(got[:13], wanted[:13], strict=True)
    assert all((a.frame == b.frame).all() and (a.sound == b.sound).all() for a, b in pairs)
