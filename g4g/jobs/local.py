"""The engine for this machine: worker processes, each at the end of a pipe."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from g4g.errors import G4GError
from g4g.jobs.read import Job
from g4g.jobs.schedule import Event
from g4g.jobs.settings import Cluster, WorkerSettings

_END_S = 10.0
"""A worker that is told to end does so within this time, or is killed."""


@dataclass
class _Process:
    process: BaseProcess
    pipe: Connection


class LocalEngine:
    """Processes on this machine. They are spawned: a fork of a process with threads may hang."""

    cluster: Cluster | None = None

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, _Process] = {}

    def start(self, settings: WorkerSettings) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, settings), daemon=False)
        process.start()
        theirs.close()
        self._workers[settings.number] = _Process(process, ours)

    def give(self, number: int, job: Job, shares_video: bool) -> None:
        try:
            self._workers[number].pipe.send((job, shares_video))
        except OSError:  # it just died: `wait` tells so
            pass

    def wait(self, timeout_s: float) -> list[Event]:
        pipes = {worker.pipe: number for number, worker in self._workers.items()}
        events = []
        for pipe in wait(list(pipes), timeout_s):
            number = pipes[pipe]
            try:
                events.append(Event(number, *pipe.recv()))
            except (EOFError, OSError):
                events.append(Event(number, "lost", self._bury(number)))
        return events

    def close(self, kill: bool) -> None:
        for worker in self._workers.values():
            if kill:
                worker.process.kill()
            worker.pipe.close()  # what a worker reads as its end
        for worker in self._workers.values():
            worker.process.join(_END_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def _bury(self, number: int) -> str:
        """Take a dead worker away, and say how it ended."""
        worker = self._workers.pop(number)
        worker.pipe.close()
        worker.process.join(_END_S)
        code = worker.process.exitcode
        if code is None:
            worker.process.kill()
            return "it closed its pipe"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _serve(pipe: Connection, settings: WorkerSettings) -> None:
    """Work in a process of its own until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, args=(settings,), daemon=True).start()
    from g4g.jobs.worker import Worker

    try:
        worker = Worker(settings)
    except G4GError as error:
        _tell(pipe, "refused", str(error))
        return
    is_wanted = _tell(pipe, "ready", None)
    while is_wanted:
        try:
            job, shares_video = pipe.recv()
        except (EOFError, OSError):
            return
        is_wanted = _tell(pipe, "ended", worker.run(job, shares_video))


def _tell(pipe: Connection, kind: str, content: object) -> bool:
    """Tell the batch something; False: it has ended meanwhile, and nobody listens."""
    try:
        pipe.send((kind, content))
    except OSError:
        return False
    return True


def _end_with_parent(settings: WorkerSettings) -> None:
    """End this process, and remove its unfinished files, as soon as the batch that started it is gone."""
    wait([multiprocessing.parent_process().sentinel])
    shutil.rmtree(settings.work, ignore_errors=True)
    os._exit(1)
