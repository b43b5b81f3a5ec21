"""What mouths do under a new sound, and which pictures serve, on a real clip with tiny networks."""

from dataclasses import replace

import numpy as np
import pytest

import g4g
from g4g.avatar import make_avatar, prepare
from g4g.dubbing import hearing, motions
from g4g.dubbing.motions import encode_laid_shapes, move_voice
from g4g.dubbing.plan import Plan
from g4g.dubbing.voices import Voice
from g4g.media import read_waveform
from g4g.motion import move_mouth
from g4g.motion.predict import USUAL_GAIN


@pytest.fixture(scope="module")
def models():
    return g4g.load("g4g-tiny")


@pytest.fixture(scope="module")
def avatar(models, grid_clip):
    return make_avatar(models, grid_clip)


@pytest.fixture
def voice(avatar, voice_file):
    """The bundled voice for 40 frames, of which three pass through."""
    times_s = np.arange(40) / 25
    passed = tuple("no face" if number in (10, 11, 12) else None for number in range(40))
    plan = Plan(times_s, passed, np.ones(40), (0.0, 1.6), 1.6)
    return Voice(None, np.zeros(len(avatar.tracks), int), read_waveform(voice_file), plan)


def with_gain(avatar, gain):
    return replace(avatar, persons={0: replace(avatar.persons[0], gain=gain)})


def test_emphasis_and_the_persons_gain_scale_the_shapes_and_are_limited(models, avatar, voice):
    plain = move_voice(models, with_gain(avatar, 1.0), voice, 1.0)
    assert np.allclose(move_voice(models, with_gain(avatar, 1.5), voice, 1.2).shapes[0], 1.8 * plain.shapes[0])
    assert np.allclose(move_voice(models, with_gain(avatar, 1.7), voice, 2.5).shapes[0], 2.5 * plain.shapes[0])
    rest = move_voice(models, avatar, voice, 0.0)
    assert not rest.shapes[20].any() and np.array_equal(rest.closed, plain.closed)


def test_frames_that_pass_through_have_no_pictures_and_others_three(models, avatar, voice):
    entries = move_voice(models, avatar, voice, 1.0).entries
    assert (entries[10:13] == -1).all() and (np.delete(entries, [10, 11, 12], 0) >= 0).all()
    library, shown_s = avatar.persons[0].library, np.arange(40) / 25
    apart = move_voice(models, avatar, voice, 1.0, apart_s=0.5).entries[:10]
    assert (np.abs(library.times_s[apart] - shown_s[:10, None]) >= 0.5).all()


def test_a_long_sound_is_moved_piece_by_piece_as_if_it_were_one(models, avatar, voice, monkeypatch):
    whole = move_voice(models, avatar, voice, 1.0)
    monkeypatch.setattr(motions, "_STRETCH_S", 0.3)
    pieces = move_voice(models, avatar, voice, 1.0)
    assert np.allclose(pieces.shapes, whole.shapes, atol=1e-5) and np.allclose(pieces.closed, whole.closed, atol=1e-5)


def test_after_the_voice_it_is_silent(models, avatar, voice, monkeypatch):
    heard, encode = [], hearing.encode_speech
    note = lambda net, sound, *how: heard.append(sound) or encode(net, sound, *how)  # noqa: E731
    monkeypatch.setattr(hearing, "encode_speech", note)
    short = replace(voice, waveform=voice.waveform[:8000])
    speech = move_voice(models, avatar, short, 1.0).speech
    assert np.array_equal(heard[0][:8000], short.waveform) and not heard[0][8000:].any()
    assert len(speech) >= (1.6 - 1 / 25) * 50


def test_shapes_that_are_reached_close_the_lips_where_they_must(models, avatar):
    person = avatar.persons[0]
    degrees, shapes = person.head.pose.degrees[:5], np.zeros((5, models.motion.space.size))
    shapes[:, 0] = 3.0  # the jaw is down
    open_, shut = (encode_laid_shapes(models, person, degrees, shapes, np.full(5, sure)) for sure in (0.0, 1.0))
    assert np.allclose(open_, shapes, atol=1e-2) and (shut[:, 0] < 1.0).all()


@pytest.mark.parametrize(("further", "gain"), [(0.8, 0.8), (1.3, 1.3), (4.0, 1.7)])
def test_how_far_a_person_goes_is_told_by_the_videos_own_sound(models, avatar, grid_clip, monkeypatch, further, gain):
    person = avatar.persons[0]

    def predict(motion, speech, times_s):
        assert len(speech) == len(avatar.speech) and len(times_s) == len(person.shapes)
        return person.shapes / further, np.zeros(len(times_s))

    monkeypatch.setattr(prepare, "move_mouth", predict)
    assert make_avatar(models, grid_clip).persons[0].gain == pytest.approx(gain, rel=1e-3)
    monkeypatch.setattr(prepare, "move_mouth", lambda *rest: (-person.shapes, None))
    assert make_avatar(models, grid_clip).persons[0].gain == USUAL_GAIN, "other people's sound tells nothing"
    assert move_mouth(models.motion, avatar.speech, np.zeros(1))[0].shape == (1, person.shapes.shape[1])


def test_long_sounds_are_listened_to_block_by_block(monkeypatch):
    sound = np.zeros(48_000, np.float32)
    sound[[9_000, 9_500, 30_000]] = 0.5
    times_s = np.arange(75) / 25
    away_s = np.abs(times_s[:, None] - np.array([9_000, 9_500, 30_000]) / 16_000).min(1)
    expected = np.clip((0.24 - away_s) / 0.16, 0, 1)
    for block in (1 << 20, 9_200):
        monkeypatch.setattr(motions, "_SAMPLES", block)
        np.testing.assert_allclose(motions.find_awake(sound, times_s), expected, atol=1e-6)
    assert not motions.find_awake(np.zeros(100, np.float32), times_s).any()
