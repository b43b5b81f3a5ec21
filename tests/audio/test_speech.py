"""The causal speech encoder: how far it hears, that chunks do not matter, that its rows stand at their times."""

import numpy as np
import pytest
import torch

from g4g.audio.causal import (
    MOST_LOOK_AHEAD_S,
    SPEECH_AUDIO,
    SpeechConfig,
    SpeechEncoder,
    load_speech_encoder,
    save_speech_encoder,
)
from g4g.audio.features import SPEECH_RATE, count_speech_rows, encode_speech, features_at
from g4g.audio.streaming import SpeechStream
from g4g.errors import CheckpointError, ConfigError, ShapeError

RATE_HZ = SPEECH_AUDIO.sample_rate
TINY = SpeechConfig(size=6, width=16, inner=8, dilations=(1, 2, 4, 8), centred_blocks=(0, 1))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return SpeechEncoder().eval()


@pytest.fixture(scope="module")
def waveform():
    return np.random.default_rng(0).normal(0, 0.1, 6 * RATE_HZ).astype(np.float32)


def test_it_hears_no_later_than_it_says(encoder, waveform):
    at_s = 3.0
    changed = waveform.copy()
    changed[round((at_s + encoder.config.look_ahead_s) * RATE_HZ) + 1 :] = 0.5
    rows, others = encode_speech(encoder, waveform), encode_speech(encoder, changed)
    row = round(at_s * SPEECH_RATE)
    np.testing.assert_array_equal(rows[: row + 1], others[: row + 1])
    assert np.abs(rows[row + 1] - others[row + 1]).max() > 1e-6
    assert encoder.config.look_ahead_s <= MOST_LOOK_AHEAD_S


def test_it_hears_no_earlier_than_four_seconds_ago(encoder, waveform):
    changed = waveform.copy()
    changed[: RATE_HZ // 2] = 0.5
    rows, others = encode_speech(encoder, waveform), encode_speech(encoder, changed)
    forgotten = round(4.5 * SPEECH_RATE)
    np.testing.assert_array_equal(rows[forgotten:], others[forgotten:])
    assert np.abs(rows[:forgotten] - others[:forgotten]).max() > 1e-3


@pytest.mark.parametrize("chunk_rows", [1, 7, 64])
def test_chunks_do_not_matter(waveform, chunk_rows):
    torch.manual_seed(0)
    encoder = SpeechEncoder(TINY).eval()
    whole = encode_speech(encoder, waveform[:20_001])
    assert whole.shape == (count_speech_rows(20_001), 6) == (63, 6)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(encoder.encode(waveform[:20_001], chunk_rows), whole, atol=1e-5)


def test_a_row_stands_at_its_time():
    """With taps that pass on only a row's own steps, a click shows in the row of its time."""
    encoder = SpeechEncoder(TINY).eval()
    torch.nn.init.zeros_(encoder.head.weight)
    torch.nn.init.ones_(encoder.head.weight[0, :8])
    for block in encoder.blocks:
        torch.nn.init.zeros_(block.out.weight)
        torch.nn.init.zeros_(block.out.bias)
    for conv in encoder.stem:
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    torch.nn.init.ones_(encoder.stem[0].weight[:8, :, 1])
    torch.nn.init.ones_(encoder.stem[1].weight[:8, :8, 1])
    encoder.head.weight.data[0, 8:] = -1
    waveform = np.zeros(2 * RATE_HZ, np.float32)
    waveform[round(1.2 * RATE_HZ)] = 0.9
    rows = encode_speech(encoder, waveform)[:, 0]
    assert np.flatnonzero(rows > rows[0] + 0.5).tolist() == [60]


def test_before_and_after_is_silence(encoder):
    rows = encode_speech(encoder, np.zeros(RATE_HZ, np.float32))
    silent = rows[25]
    np.testing.assert_allclose(rows, np.tile(silent, (50, 1)), atol=1e-5)
    padded = encode_speech(encoder, np.r_[np.zeros(5 * RATE_HZ), 0.1 * np.ones(RATE_HZ)].astype(np.float32))
    np.testing.assert_allclose(padded[:200], np.tile(silent, (200, 1)), atol=1e-5)


def test_windows_are_interpolated_and_repeat_beyond_the_ends():
    ramp = np.arange(10.0, dtype=np.float32)[:, None]
    windows = features_at(ramp, np.array([0.05, 0.0, 9 / 50]), 3, 50.0)
    np.testing.assert_allclose(windows[:, :, 0], [[1.5, 2.5, 3.5], [0, 0, 1], [8, 9, 9]], atol=1e-5)
    edges = features_at(ramp, np.array([-1.0, 5.0]), 1, 25.0)
    np.testing.assert_allclose(edges[:, 0, 0], [0, 9])


def test_a_saved_encoder_says_the_same(tmp_path, waveform):
    torch.manual_seed(0)
    encoder = SpeechEncoder(TINY).eval()
    save_speech_encoder(tmp_path / "speech.safetensors", encoder, {"seed": 0})
    loaded = load_speech_encoder(tmp_path / "speech.safetensors")
    assert loaded.config == TINY
    np.testing.assert_array_equal(encode_speech(loaded, waveform), encode_speech(encoder, waveform))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"speech\.safetensors"):
        load_speech_encoder(tmp_path / "speech.safetensors")


def test_too_much_look_ahead_is_refused():
    with pytest.raises(ConfigError, match="ahead"):
        SpeechConfig(centred_blocks=(0, 1, 2, 3))


def test_a_centred_block_must_exist():
    with pytest.raises(ConfigError, match="from 0 to 1"):
        SpeechConfig(dilations=(1, 1), centred_blocks=(2,))


@pytest.mark.parametrize("shape", [(0,), (2, 100)])
def test_a_wrong_sound_is_refused(shape):
    with pytest.raises(ShapeError, match="mono"):
        encode_speech(SpeechEncoder(TINY), np.zeros(shape, np.float32))


def test_a_chunk_needs_a_row():
    with pytest.raises(ConfigError, match="chunk_rows"):
        SpeechEncoder(TINY).encode(np.zeros(100, np.float32), 0)


@pytest.mark.parametrize(("count", "rate"), [(2, 25.0), (0, 25.0), (3, 0.0)])
def test_a_wrong_window_is_refused(count, rate):
    with pytest.raises(ConfigError, match="odd"):
        features_at(np.zeros((5, 2)), np.zeros(1), count, rate)


def test_windows_need_features():
    with pytest.raises(ShapeError, match="rows"):
        features_at(np.zeros((0, 2)), np.zeros(1), 1, 25.0)


@pytest.mark.parametrize("chunk", [1, 160, 801, 5000, 40_000])
@pytest.mark.parametrize("config", [TINY, SpeechConfig(width=16, inner=8)])
def test_a_sound_in_chunks_gives_the_rows_of_the_whole(waveform, config, chunk):
    torch.manual_seed(0)
    encoder = SpeechEncoder(config).eval()
    sound = waveform[: 3000 if chunk == 1 else 40_001]
    stream = SpeechStream(encoder)
    parts = [stream.push(sound[first : first + chunk]) for first in range(0, len(sound), chunk)]
    known = sum(map(len, parts))
    late = np.floor((len(sound) / RATE_HZ - config.look_ahead_s) * SPEECH_RATE + 1e-6) + 1
    assert known == max(late, 0), "a row comes as soon as it may"
    rows = np.concatenate([*parts, stream.push(np.zeros(RATE_HZ, np.float32))])
    whole = encode_speech(encoder, sound)
    assert len(rows) > len(whole)
    np.testing.assert_allclose(rows[: len(whole)], whole, atol=1e-5)


def test_a_stream_of_sound_holds_no_more_after_a_minute(waveform):
    stream = SpeechStream(SpeechEncoder(TINY).eval())
    sizes = []
    for _ in range(20):
        stream.push(waveform[: 3 * RATE_HZ])
        sizes.append(len(stream._samples) + sum(past.numel() for past in stream._past))
    assert max(sizes) == min(sizes) < RATE_HZ
    with pytest.raises(ShapeError, match="mono"):
        stream.push(np.zeros((10, 2), np.float32))
