"""Weights that can stream are made of a causal encoder and others' networks."""

import pytest

import g4g
from g4g.audio import SpeechConfig, SpeechEncoder
from g4g.audio.causal import save_speech_encoder
from g4g.live.stream import check_streamable
from g4g.training.live_weights import make_live_weights
from g4g.zoo import load


def test_a_students_weights_stream_and_wait_for_the_encoder_alone(tmp_path):
    student = SpeechEncoder(SpeechConfig(size=16, width=16, inner=8))
    save_speech_encoder(tmp_path / "student.safetensors", student, {})
    make_live_weights(tmp_path / "student.safetensors", tmp_path / "live.safetensors", "g4g-tiny")
    made, base = load(tmp_path / "live.safetensors"), load("g4g-tiny")
    check_streamable(made)
    assert max(made.motion.config.taps) == 0 and made.motion.components.equal(base.motion.components.half().float())
    assert made.speech.config == student.config
    with pytest.raises(g4g.ConfigError, match="have 16 values, g4g-small takes 192"):
        make_live_weights(tmp_path / "student.safetensors", tmp_path / "no.safetensors", "g4g-small")
