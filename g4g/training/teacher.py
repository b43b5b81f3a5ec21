"""The speech encoder made of Whisper's weights: read from a CTranslate2 model.bin, with a projection behind."""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from g4g.audio.whisper import WhisperConfig, WhisperEncoder
from g4g.engine import limit_threads
from g4g.errors import DataError
from g4g.media import read_waveform
from g4g.training.projection import (
    Projection,
    encode_in_many_places,
    fit_projection,
    load_projection,
    save_projection,
)

_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_PLACES = {
    "attention_norm": "self_attention/layer_norm", "query_key_value": "self_attention/linear_0",
    "mixed": "self_attention/linear_1", "inner_norm": "ffn/layer_norm", "inner": "ffn/linear_0",
    "outer": "ffn/linear_1",
}  # fmt: skip
"""Our names of a layer's parts, and CTranslate2's."""


def make_teacher_encoder(
    model_file: str | Path, projection: Projection | str | Path | None = None, layers: int = WhisperConfig.layers
) -> WhisperEncoder:
    """Build the speech encoder of the first layers of a Whisper.

    Args:
        model_file: model.bin of a Whisper in CTranslate2's layout, version 6.
        projection: behind it, or its file; None: rows are as wide as Whisper's own.
        layers: how many of its layers.
    Returns:
        The encoder in evaluation mode; its `encode` gives the projected features.
    Raises:
        DataError: a file is missing, or of another layout, or has fewer layers.
    """
    arrays = {name.removeprefix("encoder/"): array for name, array in read_ctranslate2(model_file)}
    has = sum(name.startswith("layer_") and name.endswith("ffn/linear_0/bias") for name in arrays)
    if has < layers or "num_heads" not in arrays:
        raise DataError(f"{model_file} holds no Whisper encoder of {layers} layers (it has {has}); give Whisper base's")
    width, heads = len(arrays["conv1/bias"]), int(arrays["num_heads"])
    if not isinstance(projection, Projection):
        identity = Projection(np.zeros(width, np.float32), np.eye(width, dtype=np.float32), 1.0)
        projection = identity if projection is None else load_projection(projection)
    encoder = WhisperEncoder(WhisperConfig(projection.basis.shape[1], width, layers, heads))
    state = {f"{conv}.{kind}": arrays[f"{conv}/{kind}"] for conv in ("conv1", "conv2") for kind in ("weight", "bias")}
    for number in range(layers):
        for own, place in _PLACES.items():
            state |= _pick(f"layers.{number}.{own}", arrays, f"layer_{number}/{place}")
    state["head.weight"] = projection.basis.T * projection.scale
    state["head.bias"] = -projection.mean @ projection.basis * projection.scale
    encoder.load_state_dict({name: torch.tensor(np.asarray(array, np.float32)) for name, array in state.items()})
    return encoder.eval().requires_grad_(False)


def _pick(own: str, arrays: dict[str, np.ndarray], place: str) -> dict[str, np.ndarray]:
    """Find weight and bias of a linear layer, or gamma and beta of a normalisation."""
    names = ("gamma", "beta") if "norm" in place else ("weight", "bias")
    return {f"{own}.weight": arrays[f"{place}/{names[0]}"], f"{own}.bias": arrays[f"{place}/{names[1]}"]}


def read_ctranslate2(path: str | Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) for every variable of a CTranslate2 model.bin of version 6, aliases included.

    Raises:
        DataError: no such file, or of another version.
    """
    if not Path(path).is_file():
        raise DataError(f"no Whisper weights at {path}; make model.bin as shared/models/README.md says")
    data, at, seen = memoryview(Path(path).read_bytes()), 0, {}

    def take(form: str) -> tuple:
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack_from(form, data, at - struct.calcsize(form))

    def text() -> str:
        return take(f"<{take('<H')[0]}s")[0].rstrip(b"\0").decode()

    if (version := take("<I")[0]) != 6:
        raise DataError(f"{path} is not a CTranslate2 file of version 6 (its version is {version})")
    text(), take("<I")  # kind and revision
    for _ in range(take("<I")[0]):
        name, shape = text(), take(f"<{take('<B')[0]}I")
        kind, size = take("<BI")
        seen[name] = np.frombuffer(data[at : at + size], _DTYPES[kind]).reshape(shape)
        at += size
        yield name, seen[name]
    for _ in range(take("<I")[0]):
        yield text(), seen[text()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fit the projection behind Whisper's rows.")
    parser.add_argument("model", help="model.bin of Whisper base")
    parser.add_argument(
        "sounds", nargs="+", help="sound files and videos of many voices and languages, 5 minutes in all"
    )
    parser.add_argument("--out", required=True, help="the projection, .npz")
    parser.add_argument("--size", type=int, default=WhisperConfig.size)
    given = parser.parse_args()
    limit_threads(1)
    heard = [np.array(read_waveform(file)) for file in given.sounds]
    versions = encode_in_many_places(make_teacher_encoder(given.model), heard)
    fitted, agreement = fit_projection(versions, given.size)
    save_projection(given.out, fitted)
    print(f"{given.out}: rows of one sound in different places agree to R2 {agreement:.3f}")
