"""The endless sound: where chunks come to lie, what is silence, and that nothing is lost at a seam."""

import numpy as np
import pytest

from g4g.errors import ConfigError, ResourceError, ShapeError
from g4g.live.resample import Resampler, read_chunk
from g4g.live.timeline import Timeline

RNG = np.random.default_rng(0)


def tone(seconds, rate, hz=440.0):
    return np.round(10_000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_tone_in_chunks_comes_out_whole_at_both_rates(rate):
    timeline, sound = Timeline(48_000), tone(0.5, rate)
    for first in range(0, len(sound), 333):
        timeline.push(sound[first : first + 333], rate, 0.0)
    timeline.end_segment()
    assert timeline.end_s == pytest.approx(0.5, abs=0.001) and timeline.ends_s[0] == timeline.end_s
    heard, played = timeline.hear(0, 0.5), timeline.play(0, 0.5)
    for got, at in ((heard * 32_768, 16_000), (played.astype(float), 48_000)):
        wanted = tone(0.5, at).astype(float)
        middle = slice(len(wanted) // 10, len(wanted) * 9 // 10)
        count = min(len(got), len(wanted))
        assert len(got) == pytest.approx(len(wanted), abs=at // 1000)
        assert np.abs(got[:count][middle] - wanted[:count][middle]).max() < 150  # of 10,000


def test_chunks_give_what_the_whole_gives():
    sound = RNG.integers(-9_000, 9_000, 9_999).astype(np.int16)
    whole = Resampler(44_100, 16_000)
    wanted = np.concatenate([whole.convert(sound), whole.finish()])
    pieces = Resampler(44_100, 16_000)
    got = [pieces.convert(sound[first : first + 441]) for first in range(0, len(sound), 441)]
    np.testing.assert_array_equal(np.concatenate([*got, pieces.finish()]), wanted)


def test_sound_that_comes_in_time_lies_right_behind_the_last_and_late_sound_behind_silence():
    timeline, chunk = Timeline(16_000), np.full(1_600, 5_000, np.int16)
    timeline.push(chunk, 16_000, 1.0)
    assert timeline.end_s == pytest.approx(1.1)
    timeline.push(chunk, 16_000, 1.15)  # the first was not yet all asked for
    assert timeline.end_s == pytest.approx(1.2) and timeline.starved == 0
    timeline.settle(1.3)
    timeline.push(chunk, 16_000, 1.4)
    assert timeline.end_s == pytest.approx(1.5)
    assert (timeline.starved, timeline.starved_s) == (1, pytest.approx(0.2))
    heard = timeline.hear(0, 2)
    loud = np.flatnonzero(heard) / 16_000
    assert len(heard) == 24_000 and loud.min() == 1.0
    assert not heard[round(1.2 * 16_000) : round(1.4 * 16_000)].any() and len(loud) == 4_800


def test_silence_between_segments_is_not_starvation():
    timeline = Timeline(16_000)
    timeline.push(np.ones(160, np.int16), 16_000, 0.0)
    timeline.end_segment()
    timeline.settle(3.0)
    timeline.push(np.ones(160, np.int16), 16_000, 3.5)
    assert timeline.starved == timeline.starved_s == 0


def test_an_interruption_drops_what_comes_later_and_keeps_the_rest():
    timeline = Timeline(16_000)
    timeline.push(tone(2.0, 16_000), 16_000, 0.0)
    assert timeline.interrupt(0.5) and not timeline.is_open and timeline.end_s == 0.5
    np.testing.assert_array_equal(timeline.play(0, 0.5), tone(0.5, 16_000))
    assert not timeline.play(0.5, 0.7).any()
    assert not timeline.interrupt(0.7)


def test_memory_stays_flat_and_bounded():
    timeline, chunk = Timeline(48_000), np.zeros(960, np.int16)
    for number in range(3_000):
        timeline.push(chunk, 48_000, number * 0.02)
        timeline.settle((number + 1) * 0.02)
        timeline.play(number * 0.02, (number + 1) * 0.02)
    assert len(timeline._played._chunks) < 60
    timeline.push(np.zeros(48_000 * 700, np.int16), 48_000, 60.0)
    with pytest.raises(ResourceError, match="10 minutes of sound wait"):
        timeline.push(chunk, 48_000, 60.0)


@pytest.mark.parametrize(
    ("samples", "rate", "error", "words"),
    [
        (np.zeros((2, 480), np.int16), 48_000, ShapeError, r"\(N, channels\).*got \(2, 480\)"),
        (np.zeros((1, 2, 3)), 48_000, ShapeError, "got"),
        (np.zeros(480, np.int32), 48_000, ConfigError, "int16, or float.*got int32"),
        (np.full(480, np.nan), 48_000, ConfigError, "not numbers; it was left out"),
        (np.zeros(480), 100, ConfigError, "8000 to 192000, got 100"),
        (np.zeros(480), 44_100.5, ConfigError, "whole number"),
        ("hello", 16_000, ShapeError, r"got \(\)"),
    ],
)
def test_what_is_no_sound_is_one_sentence(samples, rate, error, words):
    with pytest.raises(error, match=words):
        read_chunk(samples, rate)


def test_floats_and_channels_become_mono_int16():
    stereo = np.stack([np.full(10, 0.5, np.float32), np.full(10, -0.25, np.float32)], 1)
    assert (read_chunk(stereo, 48_000) == round(0.125 * 32_767)).all()
    assert (read_chunk(np.full(10, 7.0), 48_000) == 32_767).all()
    own = np.ones(10, np.int16)
    assert read_chunk(own, 48_000) is not own
