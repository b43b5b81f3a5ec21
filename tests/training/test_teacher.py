"""Whisper's weights become a speech encoder: the file is read, every value finds its place, the projection follows."""

import struct

import numpy as np
import pytest
import torch

from g4g.audio import WhisperConfig, WhisperEncoder, encode_speech
from g4g.errors import DataError
from g4g.training.projection import Projection
from g4g.training.teacher import make_teacher_encoder, read_ctranslate2

LAYER_PARTS = {
    "attention_norm": "self_attention/layer_norm", "query_key_value": "self_attention/linear_0",
    "mixed": "self_attention/linear_1", "inner_norm": "ffn/layer_norm", "inner": "ffn/linear_0",
    "outer": "ffn/linear_1",
}  # fmt: skip


def write_ctranslate2(path, arrays):
    """Write a model.bin of version 6 with float32 variables and one number of heads."""
    text = lambda word: struct.pack("<H", len(word) + 1) + word.encode() + b"\0"  # noqa: E731
    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(arrays) + 1)]
    for name, array in arrays.items():
        parts += [text(name), struct.pack("<B", array.ndim), struct.pack(f"<{array.ndim}I", *array.shape)]
        parts += [struct.pack("<BI", 0, array.nbytes), array.astype(np.float32).tobytes()]
    parts += [text("encoder/num_heads"), struct.pack("<B", 0), struct.pack("<BI", 2, 2), struct.pack("<h", 2)]
    path.write_bytes(b"".join([*parts, struct.pack("<I", 0)]))


@pytest.fixture
def planted(tmp_path):
    """An encoder with random weights, and the model.bin that holds them."""
    torch.manual_seed(0)
    encoder = WhisperEncoder(WhisperConfig(size=16, width=16, layers=2, heads=2)).eval()
    names = {f"layers.{n}.{own}": f"layer_{n}/{place}" for n in range(2) for own, place in LAYER_PARTS.items()}
    names |= {"conv1": "conv1", "conv2": "conv2"}
    arrays = {}
    for own, place in names.items():
        kinds = ("gamma", "beta") if "norm" in own else ("weight", "bias")
        part = encoder.get_submodule(own)
        arrays |= {f"encoder/{place}/{kinds[0]}": part.weight.detach().numpy() + 0.0}
        arrays |= {f"encoder/{place}/{kinds[1]}": part.bias.detach().numpy() + 0.0}
    write_ctranslate2(tmp_path / "model.bin", arrays)
    return encoder, arrays, tmp_path / "model.bin"


def test_variables_come_back_as_written(planted):
    _, arrays, path = planted
    read = dict(read_ctranslate2(path))
    assert read.keys() == arrays.keys() | {"encoder/num_heads"}
    assert all((read[name] == arrays[name]).all() for name in arrays)


def test_the_encoder_comes_back_with_the_projection_behind_it(planted):
    encoder, _, path = planted
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 16_000).astype(np.float32)
    projection = Projection(rng.normal(size=16).astype(np.float32), rng.normal(size=(16, 4)).astype(np.float32), 0.5)
    torch.nn.init.eye_(encoder.head.weight)
    torch.nn.init.zeros_(encoder.head.bias)
    wanted = projection(encode_speech(encoder, sound))
    made = make_teacher_encoder(path, projection, 2)
    assert made.config == WhisperConfig(size=4, width=16, layers=2, heads=2)
    np.testing.assert_allclose(encode_speech(made, sound), wanted, atol=1e-5)
    np.testing.assert_allclose(
        projection(encode_speech(make_teacher_encoder(path, layers=2), sound)), wanted, atol=1e-5
    )


def test_other_files_are_no_teacher(tmp_path):
    path = tmp_path / "model.bin"
    with pytest.raises(DataError, match=r"model\.bin"):
        make_teacher_encoder(path)
    path.write_bytes(struct.pack("<I", 5) + bytes(20))
    with pytest.raises(DataError, match="version"):
        make_teacher_encoder(path)
    write_ctranslate2(path, {"decoder/x": np.zeros(3, np.float32)})
    with pytest.raises(DataError, match="no Whisper encoder"):
        make_teacher_encoder(path)


def test_too_many_layers_are_refused(planted):
    with pytest.raises(DataError, match="3 layers"):
        make_teacher_encoder(planted[2], layers=3)
