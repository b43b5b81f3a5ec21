"""One worker: networks loaded once, then job after job; every unfinished file lies in a folder of its own."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from g4g.checkpoints.atomic import write_whole
from g4g.errors import G4GError, MediaError, ResourceError
from g4g.jobs.read import Job
from g4g.jobs.record import (
    DONE,
    FAILED,
    SKIPPED,
    Outcome,
    check_replaceable,
    describe_input,
    hash_content,
    is_same,
    list_settings,
    read_report,
    report_path,
)
from g4g.jobs.settings import WorkerSettings
from g4g.stamp import stamp_file
from g4g.threads import limit_threads

_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN)
"""Faults of the machine, not of the job."""
_PASSING_WORDS = tuple(os.strerror(number) for number in _PASSING)


class Worker:
    """Dubs jobs one after another in this process, which it takes over: threads, cores, memory, temporary files."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Load the networks. Raises what `Dubber.from_pretrained` does."""
        self._settings = settings
        _take_over(settings)
        from g4g.adapting import Dubber

        options = settings.options
        self._dubber = Dubber.from_pretrained(
            options.weights, faces=options.faces, device=options.device, engine=options.networks
        )
        self._hashes: dict[Path, dict] = {}

    def run(self, job: Job, shares_video: bool) -> Outcome:
        """Try a job once.

        Args:
            job: without a problem.
            shares_video: other jobs dub the same video: what does not depend on the sound is made once, and kept.
        Returns:
            DONE, SKIPPED, or FAILED with its sentence.
        """
        started = time.monotonic()
        trial = _Trial(self._settings, self._dubber, job)
        try:
            outcome = trial.run(self._describe, shares_video)
        except G4GError as error:
            outcome = Outcome(FAILED, str(error), may_pass(error), trial.is_at_video)
        except Exception as error:  # the machine's fault, or a defect of ours: told as what it is, in one job of many
            passes, kind = may_pass(error), type(error).__name__
            said = f"{kind}: {error}" if passes or isinstance(error, OSError) else f"unexpected {kind}: {error}"
            outcome = Outcome(FAILED, said, passes)
        finally:
            _empty(self._settings.work / "job")
        outcome.seconds = round(time.monotonic() - started, 3)
        outcome.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return outcome

    def _describe(self, path: Path) -> dict:
        """Note an input; what did not change since an earlier job is not read again."""
        known = self._hashes.get(path)
        if known is None or known["stamp"] != stamp_file(path):
            known = self._hashes[path] = describe_input(path)
        return known


def may_pass(error: BaseException) -> bool:
    """Tell whether a fault is the machine's (memory, a full disk), so that a later try may succeed."""
    causes = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__
    return any(map(_is_the_machines, causes))


def _is_the_machines(error: BaseException) -> bool:
    words = str(error)
    if isinstance(error, RuntimeError) and "alloc" in words:  # torch's and OpenVINO's way to tell that memory ran out
        return "memory" in words or "bad_alloc" in words
    is_known = isinstance(error, (MemoryError, ResourceError)) or getattr(error, "errno", None) in _PASSING
    return is_known or any(passing in words for passing in _PASSING_WORDS)


class _Trial:
    """One try at one job."""

    def __init__(self, settings: WorkerSettings, dubber, job: Job) -> None:
        self._settings, self._dubber, self._job = settings, dubber, job
        self._out, self._work = settings.out / job.out, settings.work / "job"
        self.is_at_video = False

    def run(self, describe, shares_video: bool) -> Outcome:
        _empty(self._work)
        self._work.mkdir(parents=True)
        job, noted = self._job, read_report(self._out)
        settings = list_settings(job, self._settings.base)
        inputs = {name: describe(_check(file)) for name, file in job.inputs().items()}
        if is_same(noted, settings, inputs, self._out):
            return Outcome(SKIPPED, "its output is there, made of the same files with the same options")
        for place in filter(None, (self._out, job.sheet and self._settings.out / job.sheet)):
            if any(place.exists() and place.samefile(file) for file in job.inputs().values()):
                raise MediaError(f"the output {place} is also an input; give another name")
        overwrite = bool(job.options.get("overwrite")) or self._settings.options.overwrite
        if not overwrite:
            check_replaceable(noted, self._out)
            self._check_sidecar()
        self.is_at_video = shares_video
        source = self._share_avatar(inputs["source"]["sha256"]) if shares_video else job.source
        self.is_at_video = False
        return self._dub(source, settings, inputs)

    def _check_sidecar(self) -> None:
        """Raise MediaError where another file's provenance stands in the place of this output's."""
        from g4g.media.mark import sidecar_of

        sidecar = sidecar_of(self._out)
        if sidecar is not None and sidecar.exists() and not self._out.exists():
            raise MediaError(f"{sidecar} exists and belongs to another file; give another name, or overwrite")

    def _share_avatar(self, source_hash: str) -> Path:
        """Give the avatar of the job's video; the first to ask makes it, whoever asks meanwhile waits."""
        from g4g.avatar.store import is_avatar

        job, folder = self._job, self._settings.avatars
        if is_avatar(job.source):
            return job.source
        tolerant = bool(job.options.get("tolerant"))
        about = json.dumps([source_hash, job.source.name, tolerant, self._settings.base], sort_keys=True)
        key = hashlib.sha256(about.encode()).hexdigest()[:32]
        avatar = folder / f"{key}.avatar"
        with FileLock(folder / f"{key}.lock"):
            if not avatar.is_file():
                made = self._work / avatar.name
                self._dubber.make_avatar(job.source, made, tolerant=tolerant)
                os.replace(made, avatar)
        return avatar

    def _dub(self, source: Path, settings: dict, inputs: dict[str, dict]) -> Outcome:
        job, made = self._job, self._work / self._out.name
        sheet = self._work / f"sheet{job.sheet.suffix}" if job.sheet else None
        options = {**job.options, "overwrite": False} | ({"sheet": sheet} if sheet else {})
        report = self._dubber.dub(source, job.audio, made, **options)
        outcome = Outcome(
            DONE, "", frames=report.frames, frames_dubbed=report.frames_dubbed, duration_s=report.duration_s,
            warnings=list(report.warnings),
        )  # fmt: skip
        if report.dry_run:
            outcome.sentence = str(report)
            return outcome
        place = self._settings.out / job.sheet if job.sheet else None
        note = {"settings": settings, "inputs": inputs, "output": describe_input(made)}
        note["before"] = hash_content(self._out) if self._out.is_file() else None
        content = json.loads(replace(report, output=self._out, sheet=place).to_json()) | {"batch": note}
        self._put_in_place(made, sheet, place, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
        return outcome

    def _put_in_place(self, made: Path, sheet: Path | None, place: Path | None, report: bytes) -> None:
        """Move all to their names; the report first: a video without one would be taken for somebody else's."""
        from g4g.media.mark import place_with_sidecar, sidecar_of

        self._out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(report_path(self._out), report)
        if sheet is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(sheet, place)
        sidecar = sidecar_of(made)
        if sidecar is not None and sidecar.is_file():
            place_with_sidecar(made, sidecar, self._out)
        else:
            os.replace(made, self._out)


def _check(path: Path) -> Path:
    """Raise MediaError for an input that is not there, before it is hashed."""
    if not path.exists():
        raise MediaError(f"no such file: {path}")
    if not path.is_file() and not path.is_dir():
        raise MediaError(f"{path} is not a plain file; copy what it gives into a file first")
    return path


def _take_over(settings: WorkerSettings) -> None:
    """Fit this process to its share of the machine, before the networks' libraries are loaded."""
    limit_threads(settings.threads)
    if settings.cores:
        for thread in os.listdir("/proc/self/task"):  # a script that imported numpy has some already
            os.sched_setaffinity(int(thread), settings.cores)
    # Private memory, not address space: libraries map far more than they touch.
    resource.setrlimit(resource.RLIMIT_DATA, (settings.memory_bytes, settings.memory_bytes))
    temporary = settings.work / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
