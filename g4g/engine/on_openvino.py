"""Networks on OpenVINO: the one place that knows it."""

from __future__ import annotations

import tempfile
import threading
import warnings
import xml.etree.ElementTree as ElementTree
from collections import deque
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from g4g.engine.cache import NetworkCache
from g4g.engine.flat import FlatNetwork, Run
from g4g.threads import count_threads, share_stages

_FILE = "network.xml"
_BLOCKED_KERNELS = "cpu:jit_avx512_1x1,cpu:jit_avx512,cpu:jit_avx512_dw"
"""oneDNN's kernels for channels in blocks; a processor without AVX-512 passes over them."""


_opening = threading.Lock()


def _core():
    with _opening:
        return _open_core()


@lru_cache(maxsize=1)
def _open_core():
    import openvino

    # OpenVINO fills its tables of types at their first use, and two threads that come at once wait for each other
    # forever (one holds the table, one Python's lock): so one thread comes here.
    openvino.Tensor(np.zeros(1, np.float32), shared_memory=True).element_type.to_dtype()
    return openvino.Core()


def has_bfloat16() -> bool:
    """Tell whether this processor computes in bfloat16 by itself: elsewhere that is slower than float32."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compile_network(
    network, threads: int | None = None, precision: str = "f32", shape: tuple[int, ...] | None = None, users: int = 1
):  # fmt: skip
    """Compile a network for the CPU.

    Args:
        network: an OpenVINO model, or the path of a file that OpenVINO reads.
        threads: at most so many for each user, None: what `share_stages` says.
        precision: "f32" or "bf16". It is said each time, since OpenVINO by itself takes bfloat16 where it can.
        shape: of its only input, where it is always the same: OpenVINO is faster then. None: as the network has it.
        users: threads that may run it at the same time; more would wait for each other.
    Returns:
        OpenVINO's compiled model; each thread that uses it needs an infer request of its own.
    """
    settings = {
        "NUM_STREAMS": users, "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": users * max(min(threads or share_stages(), count_threads() // users), 1),
        # Pinned threads of two processes would share one core while another one idles.
        "ENABLE_CPU_PINNING": False,
    }  # fmt: skip
    model = _core().read_model(str(network)) if isinstance(network, Path) else network
    if shape is not None:
        model = model.clone()
        model.reshape(shape)
    return _core().compile_model(model, "CPU", settings)


@lru_cache
def read_blocked(path: Path):
    """Read a network whose convolutions shall take oneDNN's kernels for channels in blocks.

    OpenVINO by itself takes newer kernels, which waste half of each step where there are only 8 channels or 16: the
    face mesh takes a quarter less time like this, the face detector twice as much.
    """
    import openvino

    with tempfile.TemporaryDirectory(prefix="g4g-") as folder:
        file = Path(folder) / "network.xml"
        openvino.save_model(_core().read_model(str(path)), file, compress_to_fp16=False)
        root, weights = ElementTree.parse(file).getroot(), file.with_suffix(".bin").read_bytes()
    for layer in root.iter("layer"):
        if layer.get("type") in ("Convolution", "GroupConvolution"):
            notes = layer.find("rt_info")
            notes = ElementTree.SubElement(layer, "rt_info") if notes is None else notes
            ElementTree.SubElement(notes, "attribute", name="primitives_priority", version="0", value=_BLOCKED_KERNELS)
    return _core().read_model(ElementTree.tostring(root), weights)


def open_on_openvino(flat: FlatNetwork, cache: NetworkCache, precision: str = "f32", users: int = 1) -> Run:
    """Convert a network, or take what an earlier run converted, and compile it.

    Args:
        flat: the network.
        cache: where converted networks are kept.
        precision, users: as for `compile_network`.
    Returns:
        A function that several threads may call at the same time.
    """
    import openvino

    key = flat.key("openvino", openvino.__version__)
    kept = cache.find(key)
    if kept is None:
        model = convert_network(flat)
        write = lambda folder: openvino.save_model(model, folder / _FILE, compress_to_fp16=False)  # noqa: E731
        kept = cache.keep(key, write)
    # From its file its weights are mapped: as it was converted, they are torch's own.
    network = model if kept is None else kept / _FILE
    return run_compiled(compile_network(network, precision=precision, users=users))


def run_compiled(compiled) -> Run:
    """Make a function of a compiled network that several threads may call at the same time."""
    idle: deque = deque()  # infer requests that nobody uses just now
    outputs = range(len(compiled.outputs))

    def run(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        try:
            request = idle.pop()
        except IndexError:
            request = compiled.create_infer_request()
        try:
            arrays = [np.ascontiguousarray(tensor.numpy()) for tensor in inputs]
            result = request.infer(arrays, share_inputs=True)  # results are copied out of the request
            return tuple(torch.from_numpy(result[i]) for i in outputs)
        finally:
            idle.append(request)

    return run


def convert_network(flat: FlatNetwork):
    """Convert a network to an OpenVINO model with the lengths that may vary left open; its numbers stay float32."""
    import openvino

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that tracing is old, and of each length that is checked
        example = tuple(flat.example.values())
        # OpenVINO would have torch check its trace: that runs the network twice more and brings in sympy, 30 MB.
        traced = torch.jit.trace(flat.module, example, strict=False, check_trace=False)
        model = openvino.convert_model(traced, example_input=example)
    shapes = {}
    for number, (name, tensor) in enumerate(flat.example.items()):
        axis, _ = flat.varying[name]
        shapes[number] = [-1 if i == axis else length for i, length in enumerate(tensor.shape)]
    model.reshape(shapes)
    return model
