"""Many dubs in one call: read the list, skip what is there, start the workers, write a line per job."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from g4g import __version__
from g4g.checkpoints import find_weights
from g4g.checkpoints.manifest import hash_file, read_manifest
from g4g.errors import MediaError, ResourceError
from g4g.jobs.read import Job, read_jobs
from g4g.jobs.record import DONE, FAILED, LOG_NAME, SKIPPED, Outcome, append_line, is_unchanged
from g4g.jobs.schedule import Engine, Scheduler
from g4g.jobs.settings import (
    Share,
    WorkerSettings,
    choose_cluster_share,
    choose_share,
    list_cores,
    share_cores,
)
from g4g.options import TINY_WEIGHTS, BatchOptions, make_options

_HIDDEN = ".batch"
"""Folder below the output folder: avatars, and while a batch runs, all that is unfinished."""
_MOST_FAILURES_SHOWN = 50
_CELL = 34


@dataclass
class BatchState:
    """Where a batch stands: numbers of jobs, frames made, seconds since the workers were started."""

    jobs: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    frames: int = 0
    seconds: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end if jobs go on as so far; None before the first one ended."""
        tried = self.done + self.failed
        return self.seconds / tried * (self.jobs - tried - self.skipped) if tried else None

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0


@dataclass
class BatchResult:
    """What became of a batch.

    Attributes:
        rows: each job with its outcome, in the order of the list.
        state: the sums.
        share: workers, threads and memory of each; None where no worker was needed.
        log: file of one JSON line per job.
    """

    rows: list[tuple[Job, Outcome]]
    state: BatchState
    log: Path
    share: Share | None = None
    peak_mb: int = field(default=0)

    def __str__(self) -> str:
        lines = [f"{'job':>5}  {'output':<{_CELL}}  {'state':<7}  {'frames':>7}  {'seconds':>8}  tries"]
        for job, outcome in self.rows:
            lines.append(
                f"{job.row:>5}  {_shorten(str(job.out)):<{_CELL}}  {outcome.state:<7}  {outcome.frames:>7}  "
                f"{outcome.seconds:>8.1f}  {outcome.tries:>5}"
            )
        failed = [(job, outcome) for job, outcome in self.rows if outcome.state == FAILED]
        lines += [f"job {job.row} ({job.out}): {outcome.sentence}" for job, outcome in failed[:_MOST_FAILURES_SHOWN]]
        if len(failed) > _MOST_FAILURES_SHOWN:
            lines.append(f"and {len(failed) - _MOST_FAILURES_SHOWN} more failures: see {self.log}")
        state = self.state
        lines.append(
            f"{state.done} done, {state.failed} failed, {state.skipped} skipped of {state.jobs}; log in {self.log}"
        )
        if self.share is not None:
            share = self.share
            lines.append(
                f"{state.seconds:.1f} s, {state.frames_per_s:.1f} frames/s with {share.workers} workers of "
                f"{share.threads} threads; a worker used at most {self.peak_mb} MB, was allowed "
                f"{share.memory_bytes >> 20} MB"
            )
        return "\n".join(lines)


def batch(
    jobs: str | Path | Iterable[dict], out: str | Path, *, progress: Callable[[BatchState], None] | None = None,
    **options: object,
) -> BatchResult:  # fmt: skip
    """Dub many videos; called again it goes on where it was stopped, and skips what is done.

    A script that calls it needs `if __name__ == "__main__":`, for workers are started as new processes.

    Args:
        jobs: as for `read_jobs`: a CSV file, JSON lines, a folder of pairs, or dictionaries.
        out: folder for the dubs, made where it does not exist. Beside each dub lies its report (NAME.json);
            batch.jsonl gets a line per job; a hidden folder holds the avatars.
        progress: called whenever a job ended.
        options: more settings by name; `BatchOptions` lists and explains them.
    Returns:
        What became of each job: done, failed with a sentence, or skipped, since its output is there and was made of
        the same files with the same options.
    Raises:
        DataError: a list that is none. ConfigError: settings that do not work here. CheckpointError: no such weights.
        ResourceError: workers die as they start, or another batch writes into `out`. MediaError: `out` cannot be
            written to. A fault of one job is no error: it stands in the result.
    Source:
        Our choice.
    """
    settings, found, out = make_options(BatchOptions, options), read_jobs(jobs), Path(out).absolute()
    if str(settings.weights) not in (TINY_WEIGHTS, *read_manifest()):
        settings = replace(settings, weights=find_weights(settings.weights).absolute())
    if settings.device == "auto":
        from g4g.nn import find_device  # loads torch

        settings = replace(settings, device=find_device("auto"))
    hidden = out / _HIDDEN
    avatars = Path(settings.avatars).absolute() if settings.avatars else hidden / "avatars"
    base = {
        "version": __version__, "weights": _hash_weights(settings.weights), "faces": settings.faces,
        "device": settings.device, "networks": settings.networks,
    }  # fmt: skip
    _make_folders(out, hidden, avatars)
    with _only_one(hidden, out):
        # What a killed batch left; one that ended did so itself.
        shutil.rmtree(hidden / "work", ignore_errors=True)
        try:
            return _Run(found, out, base, progress).work(settings, hidden / "work", avatars)
        finally:
            shutil.rmtree(hidden / "work", ignore_errors=True)


class _Run:
    """One call of `batch`."""

    def __init__(self, jobs: list[Job], out: Path, base: dict[str, str], progress) -> None:
        self._jobs, self._out, self._base, self._progress = jobs, out, base, progress
        self._outcomes: dict[int, Outcome] = {}
        self._state, self._log = BatchState(len(jobs)), out / LOG_NAME
        self._started = time.monotonic()

    def work(self, options: BatchOptions, work: Path, avatars: Path) -> BatchResult:
        todo = []
        for job in self._jobs:
            if job.problem is not None:
                self._tell(job, Outcome(FAILED, job.problem, tries=0))
            elif is_unchanged(job, self._out / job.out, self._base):
                said = "its output is there, made of the same files with the same options"
                self._tell(job, Outcome(SKIPPED, said, tries=0))
            else:
                todo.append(job)
        share = None
        if todo:
            engine = _make_engine(options)
            try:
                share = _choose_share(options, len(todo), engine)
            except BaseException:
                engine.close(kill=True)
                raise
            cores = list_cores()
            workers = [
                WorkerSettings(
                    number, self._out, work / str(number), avatars, options, self._base, share.threads,
                    share.memory_bytes, share_cores(number, share, cores) if options.pin else (),
                )
                for number in range(share.workers)
            ]  # fmt: skip
            self._started = time.monotonic()
            Scheduler(engine, workers, options.retries, options.wait_s, self._tell).run(todo)
            self._state.seconds = time.monotonic() - self._started
        rows = [(job, self._outcomes[job.row]) for job in self._jobs]
        peak = max((outcome.peak_mb for _, outcome in rows), default=0)
        return BatchResult(rows, self._state, self._log, share, peak)

    def _tell(self, job: Job, outcome: Outcome) -> None:
        append_line(self._log, job, outcome)
        self._outcomes[job.row] = outcome
        state = self._state
        state.done += outcome.state == DONE
        state.failed += outcome.state == FAILED
        state.skipped += outcome.state == SKIPPED
        state.frames += outcome.frames
        state.seconds = time.monotonic() - self._started
        if self._progress:
            self._progress(state)


def _choose_share(options: BatchOptions, jobs: int, engine: Engine) -> Share:
    if engine.cluster is None:
        return choose_share(options, jobs)
    return choose_cluster_share(options, jobs, engine.cluster)


def _make_engine(options: BatchOptions) -> Engine:
    if options.engine == "ray":
        from g4g.jobs.ray_engine import RayEngine

        return RayEngine(options)
    from g4g.jobs.local import LocalEngine

    return LocalEngine()


def _hash_weights(weights: str | Path) -> str:
    """Name weights by their content."""
    return TINY_WEIGHTS if str(weights) == TINY_WEIGHTS else hash_file(find_weights(weights))


def _make_folders(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"cannot make the folder {folder}: {error.strerror}; give another") from error
        if not os.access(folder, os.W_OK):
            raise MediaError(f"the folder {folder} cannot be written to; give another, or change its rights")


@contextmanager
def _only_one(hidden: Path, out: Path) -> Iterator[None]:
    """Lock an output folder; the system lets go of the lock when a batch is killed."""
    lock = FileLock(hidden / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ResourceError(f"another batch writes into {out}; wait for its end, or give another folder") from error
    try:
        yield
    finally:
        lock.release()


def _shorten(name: str) -> str:
    return name if len(name) <= _CELL else f"...{name[3 - _CELL :]}"
