"""What each worker of a batch is told, and how many workers a machine gets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from g4g.errors import ConfigError
from g4g.options import LEAST_WORKER_MB, BatchOptions
from g4g.threads import count_threads

WORKER_BYTES = 3 * 1024**3
"""Memory of one worker for videos up to 1080p; measured are 1.9 GB with OpenVINO (docs/scale.md), 2.7 with torch."""
_KEPT_SHARE = 0.1
"""Share of the free memory that stays for everything else."""


@dataclass(frozen=True)
class Share:
    """What each of `workers` gets: threads, bytes of memory."""

    workers: int
    threads: int
    memory_bytes: int


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told when it starts.

    Attributes:
        number: from 0.
        out: the batch's folder. work: the worker's own folder for all that is unfinished, removed with it.
        avatars: folder of the avatars.
        base: weights' hash, face backend, device and version: what dubs depend on beside inputs and options.
        cores: that it is held to; empty: all.
    """

    number: int
    out: Path
    work: Path
    avatars: Path
    options: BatchOptions
    base: dict[str, str]
    threads: int
    memory_bytes: int
    cores: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """What the machines of a cluster have free together: cores, bytes of memory, GPUs."""

    cores: int
    memory_bytes: int
    gpus: int = 0


def choose_cluster_share(options: BatchOptions, jobs: int, cluster: Cluster) -> Share:
    """Choose workers, threads and memory on a cluster; numbers that are given in `options` stand.

    Args:
        options, jobs: as for `choose_share`.
        cluster: what its machines have together.
    Returns:
        One worker per core (or per `threads` cores), as far as each gets its memory (WORKER_BYTES, or what is given)
        and, on the device cuda, its GPU.
    Raises:
        ConfigError: the cluster does not hold the workers that were asked for.
    """
    memory = WORKER_BYTES if options.memory_mb is None else options.memory_mb * 1024**2
    threads = options.threads or 1
    room = min(cluster.cores // threads, cluster.memory_bytes // memory)
    if options.device.startswith("cuda"):
        room = min(room, cluster.gpus)
    if room < (options.workers or 1):
        raise ConfigError(
            f"{options.workers or 1} workers of {threads} threads and {memory >> 20} MB on {options.device} were asked "
            f"for; the cluster has {cluster.cores} cores, {cluster.memory_bytes >> 20} MB, {cluster.gpus} GPUs free, "
            f"which hold {room}; take fewer, or give each less"
        )
    return Share(min(options.workers or room, max(jobs, 1)), threads, memory)


def choose_share(options: BatchOptions, jobs: int, cores: int | None = None, free_bytes: int | None = None) -> Share:
    """Choose workers, threads and memory on this machine.

    Args:
        options: numbers that are given there stand.
        jobs: more workers than jobs are of no use.
        cores: that the workers share; None: as many threads as this process may use, see `count_threads`.
        free_bytes: of the machine; None measures it.
    Returns:
        One worker per core, as far as each gets WORKER_BYTES; on another device than the CPU one worker.
    Raises:
        ConfigError: the memory does not hold the workers that were asked for.
    """
    cores = count_threads() if cores is None else cores
    free = int((measure_free_bytes() if free_bytes is None else free_bytes) * (1 - _KEPT_SHARE))
    need = WORKER_BYTES if options.memory_mb is None else options.memory_mb * 1024**2
    usual = min(cores // (options.threads or 1), free // need) if options.device == "cpu" else 1
    workers = min(options.workers or max(usual, 1), max(jobs, 1))
    least = LEAST_WORKER_MB * 1024**2 if options.memory_mb is None else need
    if free // workers < least:
        raise ConfigError(
            f"{workers} workers need {workers * least >> 20} MB of memory, {free >> 20} MB are free; take fewer workers"
        )
    memory = free // workers if options.memory_mb is None else need
    return Share(workers, options.threads or max(cores // workers, 1), memory)


def list_cores() -> list[int]:
    """List the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def measure_free_bytes() -> int:
    """Measure the memory that is free: the machine's, or the control group's where that has less."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # not Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    group = Path("/sys/fs/cgroup")
    try:
        most, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no limit, or no such group
        return free
    return min(free, max(most - used, 0))


def share_cores(number: int, share: Share, cores: list[int]) -> tuple[int, ...]:
    """Give a worker its own cores; where there are fewer cores than workers ask for, they take turns."""
    first = number * share.threads
    return tuple(sorted({cores[i % len(cores)] for i in range(first, first + share.threads)}))
