"""The mel front end and its time arithmetic."""

import numpy as np
import pytest

from g4g.audio import count_mel_steps, log_mel
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


def test_wrong_input_is_named(waveform):
    with pytest.raises(ShapeError, match="mono"):
        log_mel(waveform.reshape(2, -1))
    with pytest.raises(ConfigError, match="make them equal"):
        AudioConfig(window_mel_steps=20)
