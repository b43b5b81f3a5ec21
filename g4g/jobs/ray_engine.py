"""The engine for many machines: workers are Ray's actors; only jobs and outcomes travel through Ray, never frames."""

from __future__ import annotations

import importlib.util
import os
import time

from g4g.errors import ConfigError, G4GError
from g4g.jobs.read import Job
from g4g.jobs.record import Outcome
from g4g.jobs.schedule import Event
from g4g.jobs.settings import Cluster, WorkerSettings
from g4g.options import BatchOptions

ADDRESS_VARIABLE = "RAY_ADDRESS"
"""Names a cluster where the options name none; Ray's own variable."""
_LOOPBACK = ("127.0.0.1", "::1")
"""Ray that is started here can be reached from this machine only."""


class RayEngine:
    """Actors of Ray, on this machine or on the cluster at an address.

    On a cluster every machine must see inputs, outputs and avatars under the same paths. Ray is stopped by `close`
    where it was started here.
    """

    def __init__(self, options: BatchOptions) -> None:
        """Start Ray or join a cluster. Raises ConfigError where Ray is not installed, or no cluster answers."""
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("the engine ray needs the package ray: pip install g4g[ray], or take the engine local")
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray would report its use to its makers
        address = options.address or os.environ.get(ADDRESS_VARIABLE)
        if address and options.pin:
            raise ConfigError("workers are pinned to cores of this machine only; leave `pin` out on a cluster")
        if not address:
            # Read when ray is imported: without clusters all of its ports are the loopback's.
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        import ray

        self._ray, self._is_ours = ray, not ray.is_initialized()
        if self._is_ours:
            try:
                ray.init(**_choose_start(address, options.dashboard))
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ConfigError(f"Ray cannot be started or joined: {error}") from error
            if not address and ray.util.get_node_ip_address() not in _LOOPBACK:
                ray.shutdown()
                raise ConfigError("Ray was imported before the batch and would be open to the network; import it later")
        gpus = 1 if options.device.startswith("cuda") else 0
        self.cluster = _measure_cluster(ray) if address or not self._is_ours else None
        self._needs = {"num_gpus": gpus, "max_restarts": 0}
        self._actors: dict[int, object] = {}
        self._asked: dict[object, int] = {}

    def start(self, settings: WorkerSettings) -> None:
        needs = {**self._needs, "num_cpus": settings.threads}
        if self.cluster is not None:  # Ray then puts no more workers on a machine than its memory holds
            needs["memory"] = settings.memory_bytes
        actor = self._ray.remote(**needs)(_Actor).remote(settings)
        self._actors[settings.number] = actor
        self._asked[actor.load.remote()] = settings.number

    def give(self, number: int, job: Job, shares_video: bool) -> None:
        self._asked[self._actors[number].run.remote(job, shares_video)] = number

    def wait(self, timeout_s: float) -> list[Event]:
        if not self._asked:
            time.sleep(timeout_s)
            return []
        answered, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=timeout_s)
        return [self._hear(answer) for answer in answered]

    def close(self, kill: bool) -> None:
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        if self._is_ours:
            self._ray.shutdown()

    def _hear(self, answer) -> Event:
        number = self._asked.pop(answer)
        try:
            content = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(self._actors.pop(number))
            return Event(number, "lost", f"{type(error).__name__}: {_shorten(str(error))}")
        if isinstance(content, Outcome):
            return Event(number, "ended", content)
        return Event(number, "ready" if content is None else "refused", content)


class _Actor:
    """A worker inside one of Ray's processes."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    def load(self) -> str | None:
        """Load the networks; say in a sentence why they can't be, or None."""
        from g4g.jobs.worker import Worker

        try:
            self._worker = Worker(self._settings)
        except G4GError as error:
            return str(error)
        return None

    def run(self, job: Job, shares_video: bool) -> Outcome:
        return self._worker.run(job, shares_video)


def _measure_cluster(ray) -> Cluster:
    """Measure what the machines have free at this moment."""
    free = ray.available_resources()
    return Cluster(*(int(free.get(name, 0)) for name in ("CPU", "memory", "GPU")))


def _choose_start(address: str | None, dashboard: bool) -> dict[str, object]:
    if address:
        return {"address": address, "log_to_driver": False}
    return {
        "address": "local", "include_dashboard": dashboard, "dashboard_host": _LOOPBACK[0],
        "log_to_driver": False, "configure_logging": False,
    }  # fmt: skip


def _shorten(words: str) -> str:
    """Keep the first sentence of Ray's long messages."""
    return next((line.strip() for line in words.splitlines() if line.strip()), "no reason given")
