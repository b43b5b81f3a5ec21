"""Networks as ONNX, and on ONNX Runtime; both need the extra `onnx`."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import torch

from g4g.engine.cache import NetworkCache
from g4g.engine.flat import FlatNetwork, Run
from g4g.errors import ConfigError
from g4g.threads import share_stages

_FILE = "network.onnx"


def convert_to_onnx(flat: FlatNetwork) -> bytes:
    """Convert a network to the bytes of an ONNX file, with the lengths that may vary left open.

    Raises:
        ConfigError: the extra `onnx` is not installed.
    """
    _need("onnx", "onnxscript")
    # A length that is a multiple of 2 cannot be told by name; AUTO finds it, and `measure_error` runs other lengths.
    auto = torch.export.Dim.AUTO
    shapes = tuple({flat.varying[name][0]: auto} for name in flat.example)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # torch tells its steps
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            flat.module, tuple(flat.example.values()), dynamo=True, dynamic_shapes=shapes,
            input_names=list(flat.example), output_names=list(flat.outputs), verbose=False,
        )  # fmt: skip
    return program.model_proto.SerializeToString()


def open_onnx(content: bytes | Path) -> Run:
    """Open an ONNX file on ONNX Runtime, on the CPU.

    Returns:
        A function that several threads may call at the same time.
    Raises:
        ConfigError: the extra `onnx` is not installed.
    """
    _need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = share_stages(), 1
    options.log_severity_level = 3
    source = str(content) if isinstance(content, Path) else content
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        arrays = (np.ascontiguousarray(tensor.numpy()) for tensor in inputs)
        return tuple(map(torch.from_numpy, session.run(None, dict(zip(names, arrays, strict=True)))))

    return run


def open_on_onnx(flat: FlatNetwork, cache: NetworkCache) -> Run:
    """Convert a network, or take what an earlier run converted, and open it on ONNX Runtime."""
    _need("onnx", "onnxscript", "onnxruntime")
    import onnx

    key = flat.key("onnx", onnx.__version__, torch.__version__)
    kept = cache.find(key)
    if kept is not None:
        return open_onnx(kept / _FILE)
    content = convert_to_onnx(flat)
    cache.keep(key, lambda folder: (folder / _FILE).write_bytes(content))
    return open_onnx(content)


def _need(*packages: str) -> None:
    """Raise ConfigError where a package of the extra is missing."""
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ConfigError(f"ONNX needs {' and '.join(missing)}; install the extra: pip install 'g4g[onnx]'")
