"""The mel front end and its time arithmetic."""

import numpy as np
import pytest

from g4g.audio import count_mel_steps, log_mel, mel_windows, shared_windows, window_starts
from g4g.config import AudioConfig
from g4g.errors import ConfigError, ShapeError


@pytest.fixture
def waveform():
    return (np.random.default_rng(0).normal(0, 0.1, 32_000)).astype(np.float32)


def test_a_block_equals_the_same_span_of_the_whole(waveform):
    whole = log_mel(waveform)
    assert whole.shape == (80, count_mel_steps(len(waveform)))
    np.testing.assert_allclose(log_mel(waveform, 37, 20), whole[:, 37:57], atol=1e-5)


def test_outside_the_sound_is_silence(waveform):
    assert (log_mel(waveform, -40, 10) == -1).all()
    assert (log_mel(waveform, 1000, 10) == -1).all()


def test_a_tone_lights_its_own_band():
    time = np.arange(16_000) / 16_000
    low, high = (log_mel(np.sin(2 * np.pi * f * time).astype(np.float32))[:, 40].argmax() for f in (300, 3000))
    assert low < 20 < 45 < high


def test_a_click_lies_in_the_window_of_its_frame():
    waveform = np.zeros(32_000, np.float32)
    waveform[16_000 + 320] = 1.0  # the middle of the frame shown at 1.0 s
    windows = mel_windows(log_mel(waveform), np.array([0.5, 1.0, 1.5]))
    assert windows[0].max() == -1 and windows[2].max() == -1
    energy = windows[1].mean(0)
    assert abs(np.average(np.arange(16), weights=energy - energy.min()) - 8) < 1


def test_windows_read_the_same_from_a_span(waveform):
    times = np.array([0.8, 0.84, 0.88])
    first = int(window_starts(times)[0])
    span = log_mel(waveform, first, 40)
    np.testing.assert_allclose(
        mel_windows(span, times, first_step=first), mel_windows(log_mel(waveform), times), atol=1e-5
    )


def test_wrong_input_is_named(waveform):
    with pytest.raises(ShapeError, match="mono"):
        log_mel(waveform.reshape(2, -1))
    with pytest.raises(ConfigError, match="make them equal"):
        AudioConfig(window_mel_steps=20)


def test_neighbouring_frames_share_their_windows():
    times_s = np.arange(10, 15) / 25
    times, where = shared_windows(times_s, 9)
    assert times.shape == (13,) and where.shape == (5, 9)
    expected = times_s[:, None] + (np.arange(9) - 4) / 25
    assert (window_starts(times[where].ravel()) == window_starts(expected.ravel())).all()
