"""The zoo: a file says which kind of speech encoder it holds."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from g4g.audio import SpeechEncoder, WhisperEncoder, encode_speech
from g4g.checkpoints import read_header
from g4g.errors import CheckpointError
from g4g.nn import find_device
from g4g.zoo import TINY_WEIGHTS, build_models, load, save_models

CAUSAL = {"kind": "causal", "size": 16, "width": 16, "inner": 8}


@pytest.fixture
def sound():
    return np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


def test_whisper_s_weights_are_stored_in_int8_and_say_nearly_the_same(tmp_path, sound):
    tiny, path = load(TINY_WEIGHTS), tmp_path / "tiny.safetensors"
    save_models(path, tiny)
    assert read_header(path).config["speech"]["kind"] == "whisper"
    assert load_file(path)["speech.layers.0.inner.weight"].dtype == torch.int8
    loaded = load(path)
    assert isinstance(loaded.speech, WhisperEncoder)
    first, second = encode_speech(tiny.speech, sound), encode_speech(loaded.speech, sound)
    assert np.linalg.norm(second - first) < 0.03 * np.linalg.norm(first)
    save_models(path, loaded)
    np.testing.assert_allclose(encode_speech(load(path).speech, sound), second, atol=1e-3)


def test_a_causal_encoder_comes_back(tmp_path, sound):
    path = tmp_path / "causal.safetensors"
    torch.manual_seed(0)
    config = {name: vars(network.config) for name, network in load(TINY_WEIGHTS).parts().items()}
    models = build_models("causal", {**config, "speech": CAUSAL})
    save_models(path, models)
    assert read_header(path).config["speech"]["kind"] == "causal"
    loaded = load(path)
    assert isinstance(loaded.speech, SpeechEncoder)
    expected = encode_speech(models.speech.eval(), sound)
    assert np.linalg.norm(encode_speech(loaded.speech, sound) - expected) < 0.01 * np.linalg.norm(expected)


def test_device_auto_is_one_that_torch_has():
    loaded = load(TINY_WEIGHTS, "auto")
    assert {p.device.type for part in loaded.parts().values() for p in part.parameters()} == {find_device("auto")}
    assert find_device("auto") in ("cpu", "cuda", "mps") and find_device("cpu") == "cpu"


def test_an_unknown_kind_is_refused():
    with pytest.raises(CheckpointError, match="whisper, causal"):
        build_models("x", {"speech": {"kind": "wav2vec"}})
