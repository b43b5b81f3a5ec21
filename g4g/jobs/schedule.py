"""Who does what next: one queue for all engines, further tries with back-off, lost workers replaced."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from g4g.errors import ConfigError, ResourceError
from g4g.jobs.read import Job
from g4g.jobs.record import DONE, FAILED, Outcome
from g4g.jobs.settings import Cluster, WorkerSettings

_LOOK_S = 0.5
"""The engine is asked for news at least so often."""
_MOST_FAILED_STARTS = 3
"""So many workers in a row that die before they are ready end the batch."""


class Event(NamedTuple):
    """News of a worker: "ready", "ended" with its Outcome, "refused" or "lost" with a sentence."""

    number: int
    kind: str
    content: object


class Engine(Protocol):
    """Starts workers somewhere, gives them jobs, and tells what they say; `cluster` is None on this machine alone."""

    cluster: Cluster | None

    def start(self, settings: WorkerSettings) -> None:
        """Start a worker; "ready" or "refused" comes when its networks are loaded."""

    def give(self, number: int, job: Job, shares_video: bool) -> None:
        """Give a ready worker a job; "ended" comes afterwards."""

    def wait(self, timeout_s: float) -> list[Event]:
        """Wait for news; a worker that died is told once, as "lost"."""

    def close(self, kill: bool) -> None:
        """End all workers, at once with `kill`."""


@dataclass
class _Waiting:
    """A job in the queue, or with a worker."""

    job: Job
    shares_video: bool
    due_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    started_s: float = 0.0


class Scheduler:
    """Works off jobs.

    Args:
        engine: where the workers are.
        workers: their settings.
        retries, wait_s: as in `BatchOptions`.
        tell: called with each job and its last outcome.
    """

    def __init__(
        self, engine: Engine, workers: list[WorkerSettings], retries: int, wait_s: float,
        tell: Callable[[Job, Outcome], None],
    ) -> None:  # fmt: skip
        self._engine, self._workers = engine, {worker.number: worker for worker in workers}
        self._retries, self._wait_s, self._tell = retries, wait_s, tell
        self._queue: list[_Waiting] = []
        self._idle: set[int] = set()
        self._running: dict[int, _Waiting] = {}
        self._failed_starts = 0
        self._seen_videos: set[tuple] = set()

    def run(self, jobs: list[Job]) -> None:
        """Work off all jobs.

        Raises:
            ConfigError: the workers cannot start with these settings. ResourceError: they die as they start.
        """
        counts = Counter(job.video_key for job in jobs)
        self._queue = [_Waiting(job, counts[job.video_key] > 1) for job in jobs]
        is_whole = False
        try:
            for settings in self._workers.values():
                self._engine.start(settings)
            while self._queue or self._running:
                self._hand_out()
                for event in self._engine.wait(_LOOK_S):
                    self._hear(event)
            is_whole = True
        finally:
            self._engine.close(kill=not is_whole)
            for settings in self._workers.values():
                shutil.rmtree(settings.work, ignore_errors=True)

    def _hand_out(self) -> None:
        for number in sorted(self._idle):
            waiting = self._choose()
            if waiting is None:
                return
            self._queue.remove(waiting)
            self._idle.discard(number)
            self._running[number] = waiting
            waiting.started_s = time.monotonic()
            self._engine.give(number, waiting.job, waiting.shares_video)

    def _choose(self) -> _Waiting | None:
        """Choose the next job that is due, rather none whose avatar another worker is making at this moment."""
        now = time.monotonic()
        due = [waiting for waiting in self._queue if waiting.due_s <= now]
        made = {w.job.video_key for w in self._running.values() if w.shares_video} - self._seen_videos
        free = [waiting for waiting in due if waiting.job.video_key not in made]
        return next(iter(free or due), None)

    def _hear(self, event: Event) -> None:
        if event.kind == "refused":
            raise ConfigError(f"no worker can start: {event.content}")
        if event.kind == "ready":
            self._failed_starts = 0
            self._idle.add(event.number)
        elif event.kind == "ended":
            self._idle.add(event.number)
            self._end(self._running.pop(event.number), event.content)
        else:
            self._lose(event.number, str(event.content))

    def _lose(self, number: int, how: str) -> None:
        """Put a lost worker's job back, remove what it left unfinished, and start another one."""
        waiting = self._running.pop(number, None)
        if waiting is None and number not in self._idle:
            self._failed_starts += 1
        self._idle.discard(number)
        if self._failed_starts >= _MOST_FAILED_STARTS:
            raise ResourceError(
                f"{self._failed_starts} workers in a row died before they were ready, the last one {how}; take fewer "
                "workers, or give each more memory"
            )
        shutil.rmtree(self._workers[number].work, ignore_errors=True)
        if waiting is not None:
            said = f"its worker was lost ({how}), perhaps for want of memory"
            self._end(waiting, Outcome(FAILED, said, True, seconds=round(time.monotonic() - waiting.started_s, 3)))
        if self._queue or self._running:
            self._engine.start(self._workers[number])

    def _end(self, waiting: _Waiting, outcome: Outcome) -> None:
        """Tell a job's outcome, or queue it for a further try."""
        outcome.tries, outcome.faults = len(waiting.faults) + 1, waiting.faults
        if outcome.state == FAILED and outcome.may_pass and len(waiting.faults) < self._retries:
            waiting.due_s = time.monotonic() + self._wait_s * 2 ** len(waiting.faults)
            waiting.faults.append(outcome.sentence)
            self._queue.append(waiting)
            return
        if outcome.state == DONE:
            self._seen_videos.add(waiting.job.video_key)
        self._tell(waiting.job, outcome)
        if outcome.state == FAILED and outcome.about_video and not outcome.may_pass:
            self._fail_others(waiting.job, outcome.sentence)

    def _fail_others(self, failed: Job, sentence: str) -> None:
        """End the other jobs of a video that cannot be dubbed with any sound."""
        others = [waiting for waiting in self._queue if waiting.job.video_key == failed.video_key]
        self._queue = [waiting for waiting in self._queue if waiting.job.video_key != failed.video_key]
        for waiting in others:
            self._tell(waiting.job, Outcome(FAILED, sentence, tries=0))
