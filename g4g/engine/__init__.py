"""Run a network: torch on any device, OpenVINO or ONNX Runtime on the CPU; threads and the user's cache folder."""

from g4g.engine.cache import CACHE_VARIABLE, NetworkCache, find_user_folder
from g4g.engine.choose import choose_engine, open_network
from g4g.engine.flat import FlatNetwork, Run
from g4g.engine.on_openvino import compile_network, has_bfloat16, read_blocked
from g4g.threads import (
    THREADS_VARIABLE,
    count_painters,
    count_threads,
    limit_threads,
    share_stages,
    share_threads,
    use_threads,
)

__all__ = [
    "CACHE_VARIABLE", "FlatNetwork", "NetworkCache", "Run", "THREADS_VARIABLE", "choose_engine", "compile_network",
    "count_painters", "count_threads", "find_user_folder", "has_bfloat16", "limit_threads", "open_network",
    "read_blocked", "share_stages", "share_threads", "use_threads",
]  # fmt: skip
