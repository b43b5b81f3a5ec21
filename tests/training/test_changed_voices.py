"""Shots with changed voices keep their mouths' moments."""

import numpy as np
import pytest

from g4g.training.changed_voices import KINDS, change_voice, change_voices
from g4g.training.data import Shot

TIMES_S = np.arange(25) / 25


def make_shot(name="one", loud_s=0.5):
    """One second of a faint tone that is loud for 0.1 s."""
    t = np.arange(16_000) / 16_000
    waveform = 0.05 * np.sin(2 * np.pi * 220 * t)
    waveform[int(loud_s * 16_000) : int(loud_s * 16_000) + 1_600] *= 10
    mesh = np.zeros((25, 478, 3), np.float32)
    return Shot(
        name, name, "ann", np.zeros((25, 2, 2, 3), np.uint8), mesh, TIMES_S, (waveform * 32767).astype(np.int16)
    )


def hear(waveform):
    """Loudness, 50 rows a second."""
    rows = waveform[: len(waveform) // 320 * 320].reshape(-1, 320)
    return np.sqrt(np.square(rows).mean(1, keepdims=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loud_moment_is_heard_when_the_mouth_moves(kind):
    shot, rng = make_shot(), np.random.default_rng(0)
    changed = change_voice(shot, kind, [make_shot("other", 0.2)], hear, rng)
    speed = TIMES_S[-1] / changed.times_s[-1]
    assert speed == pytest.approx({"faster": 1.25, "slower": 0.8}.get(kind, 1))
    if kind != "babble":  # others are loud too
        assert abs(changed.speech[:, 0].argmax() / 50 * speed - 0.55) < 0.1
    assert changed.name == f"one-{kind}" and changed.speaker == "ann" and changed.waveform.dtype == np.int16
    assert not np.array_equal(changed.waveform[:15_000], shot.waveform[: len(changed.waveform)][:15_000])


def test_every_second_shot_is_changed_in_three_ways_and_the_seed_decides():
    shots = [make_shot(str(number)) for number in range(12)]
    changed = change_voices(shots, hear, seed=3)
    names = [shot.name for shot in changed]
    assert 6 <= len(names) <= 30 and len(names) % 3 == 0 and len(set(names)) == len(names)
    assert names == [shot.name for shot in change_voices(shots, hear, seed=3)]
