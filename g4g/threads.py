"""How many threads this process may use: chosen once, for every library and for the processes that it starts."""

from __future__ import annotations

import os
import sys

from g4g.errors import ConfigError

THREADS_VARIABLE = "G4G_THREADS"
"""Environment variable: threads of this process and, shared out, of those that it starts; unset: one for each core."""

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Those of torch (the first two), numba and numpy."""
_OPENCV_VARIABLE, _OPENCV_THREADS = "OPENCV_FOR_THREADS_NUM", 1
"""OpenCV's pictures are small and several stages call it at a time: threads of its own cost more than they give."""

_MOST_PAINTERS = 2
"""More would wait for the frames to be decoded, drawn and encoded."""


def count_threads() -> int:
    """Tell how many threads this process may use: G4G_THREADS, else the cores that the system lets it run on.

    Raises:
        ConfigError: G4G_THREADS is not a whole number from 1 on.
    """
    named = os.environ.get(THREADS_VARIABLE, "")
    if not named:
        # The affinity and not the machine's cores: taskset, a job scheduler or a container may have given us fewer.
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not named.isdecimal() or int(named) < 1:
        raise ConfigError(f"{THREADS_VARIABLE} must be a whole number from 1 on, got {named!r}; set it so, or unset it")
    return int(named)


def use_threads() -> int:
    """Set torch, numba and numpy to `count_threads()`, which is returned; OpenVINO and ONNX Runtime ask for it.

    OpenCV is set to one thread.
    """
    count = count_threads()
    # A library that is imported later reads its variable, one that is there already is told.
    for name in _VARIABLES:
        os.environ[name] = str(count)
    os.environ[_OPENCV_VARIABLE] = str(_OPENCV_THREADS)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(_OPENCV_THREADS)
    if "numba" in sys.modules:
        _set_numba(count)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(count, "blas")
    return count


def share_threads(workers: int) -> int:
    """Tell how many threads each of some worker processes may use, at least 1; for `limit_threads`."""
    return max(count_threads() // workers, 1)


def share_stages() -> int:
    """Tell how many threads a network gets in a dub, whose stages run side by side: half of all, at least 1.

    Threads that work on one layer wait for each other by turning in circles: where other stages want the same cores, a
    network on all of them takes a third more processor time and no less time.
    """
    return max(count_threads() // 2, 1)


def count_painters() -> int:
    """Tell how many batches of frames are painted at a time."""
    return min(count_threads(), _MOST_PAINTERS)


def limit_threads(count: int) -> None:
    """Use `count` threads from here on, also in processes that this one starts: what a worker process calls first."""
    os.environ[THREADS_VARIABLE] = str(count)
    use_threads()


def _set_numba(count: int) -> None:
    """Set numba for all threads of this process, or, once its own threads run, for this one."""
    import numba
    from numba.np.ufunc import parallel

    # numba reads its variable when it is imported, has no public way to be told later, and none to ask this.
    if parallel._is_initialized:
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    else:
        parallel.NUM_THREADS = numba.config.NUMBA_NUM_THREADS = count
