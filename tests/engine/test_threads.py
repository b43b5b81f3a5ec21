"""Threads: as many as the system or G4G_THREADS gives, for every library, here and in worker processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from g4g.engine import count_painters, count_threads, share_stages, share_threads
from g4g.errors import ConfigError

_TELL = """
import threading, cv2, numba, threadpoolctl, torch, g4g.zoo
from g4g.engine import compile_network, limit_threads, use_threads, count_threads
from g4g.checkpoints import find_weights
told = [use_threads()]
limit_threads(3)
ask = lambda: told.append(numba.get_num_threads())
asking = threading.Thread(target=ask)
asking.start(), asking.join()
network = compile_network(find_weights("face-detection"))
told += {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
told += [torch.get_num_threads(), count_threads(), network.get_property("INFERENCE_NUM_THREADS"), cv2.getNumThreads()]
print(*told)
"""


def test_every_library_of_a_worker_process_uses_them(repo_root):
    done = subprocess.run(
        [sys.executable, "-c", _TELL], cwd=repo_root, capture_output=True, text=True,
        env={**os.environ, "G4G_THREADS": "4"},
    )  # fmt: skip
    told = [int(word) for word in done.stdout.split()]
    assert told[:5] == [4, 3, 3, 3, 3], done.stderr
    assert 1 <= told[5] <= 3, "OpenVINO itself takes no more than there are cores"
    assert told[6] == 1, "OpenCV's pictures are small"


def test_torch_that_is_imported_later_uses_them(repo_root):
    code = "from g4g.threads import use_threads; use_threads(); import torch; print(torch.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True,
        env={**os.environ, "G4G_THREADS": "1", "OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    assert done.stdout == "1\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system gives no affinity")
def test_the_cores_that_the_system_gives_count(monkeypatch):
    monkeypatch.delenv("G4G_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 4, 7, 8, 9})
    assert count_threads() == 5 and share_threads(2) == 2 and share_threads(8) == 1
    monkeypatch.setenv("G4G_THREADS", "12")
    assert count_threads() == 12 and share_threads(8) == 1


@pytest.mark.parametrize("named", ["0", "two", "-1", "1.5"])
def test_a_wrong_number_is_one_sentence(named, monkeypatch):
    monkeypatch.setenv("G4G_THREADS", named)
    with pytest.raises(ConfigError, match="G4G_THREADS must be a whole number"):
        count_threads()


@pytest.mark.parametrize(("threads", "stages", "painters"), [("1", 1, 1), ("2", 1, 2), ("5", 2, 2), ("16", 8, 2)])
def test_stages_share_the_threads(threads, stages, painters, monkeypatch):
    monkeypatch.setenv("G4G_THREADS", threads)
    assert (share_stages(), count_painters()) == (stages, painters)


_TOGETHER = """
import threading
import numpy as np
from g4g.checkpoints import find_weights
from g4g.engine import compile_network
compiled = [compile_network(find_weights("face-detection")) for _ in range(8)]
together, picture = threading.Barrier(8), np.zeros((1, 128, 128, 3), np.float32)
def infer(network):
    request = network.create_infer_request()
    together.wait()
    request.infer(picture, share_inputs=True)
threads = [threading.Thread(target=infer, args=[network]) for network in compiled]
[thread.start() for thread in threads], [thread.join() for thread in threads]
"""


@pytest.mark.parametrize("time", range(4))
def test_threads_may_be_the_first_to_use_openvino_at_once(time, repo_root):
    subprocess.run([sys.executable, "-c", _TOGETHER], cwd=repo_root, timeout=60, check=True)
