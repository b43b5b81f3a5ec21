"""New sounds are heard while faces are followed, as long as a dub needs, and no longer than it lives."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

import g4g
from g4g.dubbing import hearing as module
from g4g.dubbing.hearing import Hearing, hear_voice
from g4g.dubbing.plan import Plan
from g4g.dubbing.voices import Heard, Voice
from g4g.options import DubOptions

RATE = 16_000


@pytest.fixture(scope="module")
def models():
    return g4g.load("g4g-tiny")


@pytest.fixture
def heard():
    """Two sounds, of a second and of half a second."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    return Heard({0: noise, 1: noise[: RATE // 2]}, 1.0, 1.0)


@pytest.fixture
def asked(monkeypatch):
    """How many samples of silence were heard behind each sound."""
    asked, hear = [], module.hear_sound
    monkeypatch.setattr(module, "hear_sound", lambda *given: asked.append(given[2]) or hear(*given))
    return asked


def plan_voices(heard, length_s):
    count = round(25 * length_s)
    plan = Plan(np.arange(count) / 25, (None,) * count, np.ones(count), (0.0, length_s), length_s)
    return [Voice(None, np.zeros(count, int), waveform, plan) for waveform in heard.waveforms.values()]


def test_what_is_heard_early_is_what_the_plan_asks_for(models, heard, asked):
    voices = plan_voices(heard, 1.0)
    with Hearing(models, heard, DubOptions()) as hearing:
        speech = [features.result() for features in hearing.follow(voices)]
    assert len(asked) == 2 and asked[0] == RATE // 2 < asked[1], "each once; the shorter one is followed by silence"
    for voice, features in zip(voices, speech, strict=True):
        np.testing.assert_array_equal(features, hear_voice(models, voice))


@pytest.mark.parametrize("options", [DubOptions(length="video"), DubOptions(start_s=1.0)])
def test_where_the_sound_does_not_end_the_dub_the_plan_is_waited_for(models, heard, asked, options):
    with Hearing(models, heard, options) as hearing:
        assert not asked
        speech = [features.result() for features in hearing.follow(plan_voices(heard, 3.0))]
    assert len(asked) == 2 and all(len(features) >= 50 * 2.9 for features in speech)


def test_a_fault_ends_the_hearing_between_two_pieces(models, heard, monkeypatch):
    begun, may_go_on, pieces = threading.Event(), threading.Event(), []

    def encode_slowly(encoder, sound, look_up):
        for piece in range(1000):
            begun.set()
            may_go_on.wait(10)
            look_up()
            pieces.append(piece)

    monkeypatch.setattr(module, "encode_speech", encode_slowly)
    with pytest.raises(ZeroDivisionError), Hearing(models, heard, DubOptions()) as hearing:
        assert begun.wait(10)
        threading.Timer(0.2, may_go_on.set).start()
        raise ZeroDivisionError
    assert not pieces
    with pytest.raises(CancelledError):
        hearing._sounds[0].result()
