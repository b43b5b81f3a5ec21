"""Which engine runs networks."""

from __future__ import annotations

from g4g.engine.cache import NetworkCache
from g4g.engine.flat import FlatNetwork, Run
from g4g.errors import ConfigError
from g4g.options import NETWORK_ENGINES


def choose_engine(name: str, device: str) -> str:
    """Say which engine a name means on a torch device: "auto" is OpenVINO on the CPU and torch elsewhere.

    Raises:
        ConfigError: no such engine, or one that runs on the CPU only for another device.
    """
    if name not in NETWORK_ENGINES:
        raise ConfigError(f"unknown engine {name!r}; use one of {', '.join(NETWORK_ENGINES)}")
    if name == "auto":
        return "openvino" if device == "cpu" else "torch"
    if name != "torch" and device != "cpu":
        raise ConfigError(f"engine {name!r} runs on the CPU, not on {device!r}; take engine torch, or device cpu")
    return name


def open_network(
    flat: FlatNetwork, engine: str, cache: NetworkCache, precision: str = "f32", users: int = 1
) -> Run:  # fmt: skip
    """Open a network on "openvino" or "onnx"; `precision` and `users` count on OpenVINO only (`compile_network`)."""
    if engine == "onnx":
        from g4g.engine.on_onnx import open_on_onnx

        return open_on_onnx(flat, cache)
    from g4g.engine.on_openvino import open_on_openvino

    return open_on_openvino(flat, cache, precision, users)
