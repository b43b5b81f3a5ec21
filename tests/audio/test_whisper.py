"""Whisper's encoder: its layers against torch's own, its mel, its windows."""

import numpy as np
import pytest
import torch

from g4g.audio.features import count_speech_rows, encode_speech
from g4g.audio.whisper import WhisperConfig, WhisperEncoder, whisper_log_mel
from g4g.errors import ConfigError

RATE_HZ = 16_000
TINY = WhisperConfig(size=6, width=16, layers=1, heads=2)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return WhisperEncoder(TINY).eval().requires_grad_(False)


def test_it_agrees_with_torch_s_own_layer(encoder):
    ours = encoder.layers[0]
    layer = torch.nn.TransformerEncoderLayer(16, 2, 64, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    parts = {"self_attn.in_proj_": ours.query_key_value, "self_attn.out_proj.": ours.mixed, "linear1.": ours.inner}
    parts |= {"linear2.": ours.outer, "norm1.": ours.attention_norm, "norm2.": ours.inner_norm}
    layer.load_state_dict(
        {name + kind: getattr(part, kind) for name, part in parts.items() for kind in ("weight", "bias")}
    )
    rows = torch.randn(2, 20, 16)
    torch.testing.assert_close(ours(rows), layer(rows), atol=1e-5, rtol=1e-5)


def test_places_are_sines_then_cosines(encoder):
    places = encoder._places.numpy()
    assert places.shape == (1500, 16)
    np.testing.assert_allclose(places[0], [0] * 8 + [1] * 8, atol=1e-6)
    np.testing.assert_allclose(places[7, [0, 8]], [np.sin(7), np.cos(7)], atol=1e-5)
    np.testing.assert_allclose(places[700, [7, 15]], [np.sin(0.07), np.cos(0.07)], atol=1e-4)


def test_the_mel_shows_an_onset_at_its_step():
    sound = np.zeros(RATE_HZ, np.float32)
    sound[8000:] = np.random.default_rng(0).normal(0, 0.1, 8000)
    mel = whisper_log_mel(sound, 100)
    assert mel.shape == (80, 200)
    assert abs(int(mel.mean(0).diff().argmax()) - 49) <= 1


@pytest.mark.parametrize("seconds", [0.01, 3.01, 61.7])
def test_there_is_a_row_per_fiftieth_of_a_second(encoder, seconds):
    sound = np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE_HZ)).astype(np.float32)
    rows = encode_speech(encoder, sound)
    assert rows.shape == (count_speech_rows(len(sound)), 6)
    assert np.isfinite(rows).all()


def test_later_sound_does_not_reach_back_over_windows(encoder):
    sound = np.random.default_rng(0).normal(0, 0.1, 90 * RATE_HZ).astype(np.float32)
    changed = sound.copy()
    changed[80 * RATE_HZ :] = 0.3
    rows, others = encode_speech(encoder, sound), encode_speech(encoder, changed)
    np.testing.assert_array_equal(rows[: 50 * 50], others[: 50 * 50])
    assert np.abs(rows[80 * 50 :] - others[80 * 50 :]).max() > 1e-3


def test_an_onset_stands_in_its_row_in_every_window():
    """Without attention, a row depends on its own sound: onsets show where they are, also beyond the first window."""
    torch.manual_seed(0)
    encoder = WhisperEncoder(WhisperConfig(size=4, width=16, layers=0, heads=2)).eval().requires_grad_(False)
    torch.nn.init.zeros_(encoder._places)
    sound = np.random.default_rng(0).normal(0, 1e-3, 50 * RATE_HZ).astype(np.float32)
    for at_s in (5, 25, 45):
        sound[at_s * RATE_HZ : (at_s + 1) * RATE_HZ] *= 300
    steps = np.linalg.norm(np.diff(encode_speech(encoder, sound), axis=0), axis=1)
    for at_s in (5, 25, 45):
        around = steps[at_s * 50 - 25 : at_s * 50 + 25]
        assert abs(int(around.argmax()) - 24) <= 2


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ConfigError, match="heads"):
        WhisperConfig(width=20, heads=8)
