"""What is kept of a job: its report beside the output, a line in the batch's log, and whether an output still holds."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from g4g.checkpoints import hash_file
from g4g.errors import MediaError
from g4g.jobs.read import Job
from g4g.stamp import list_files, stamp_file

DONE, FAILED, SKIPPED = "done", "failed", "skipped"
LOG_NAME = "batch.jsonl"
REPORT_ENDING = ".json"
"""Added to an output's name."""


@dataclass
class Outcome:
    """What became of a job, or of one try.

    Attributes:
        state: DONE, FAILED or SKIPPED.
        sentence: why it failed, or what else is to be said.
        may_pass: a further try may succeed.
        about_video: it failed before any sound was looked at, so every sound of this video will.
        seconds: from the last try's start to its end.
        peak_mb: the worker's highest memory so far.
        tries, faults: how often it was tried, and what went wrong in the tries before.
    """

    state: str
    sentence: str = ""
    may_pass: bool = False
    about_video: bool = False
    frames: int = 0
    frames_dubbed: int = 0
    duration_s: float = 0.0
    seconds: float = 0.0
    peak_mb: int = 0
    warnings: list[str] = field(default_factory=list)
    tries: int = 1
    faults: list[str] = field(default_factory=list)


def report_path(out: Path) -> Path:
    """Name the report of an output."""
    return out.with_name(out.name + REPORT_ENDING)


def read_report(out: Path) -> dict | None:
    """Read what a batch noted beside an output: {"settings", "inputs", "output", "before"}, or None."""
    try:
        noted = json.loads(report_path(out).read_text())["batch"]
        return noted if {"settings", "inputs", "output"} <= noted.keys() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def list_settings(job: Job, base: dict[str, str]) -> dict[str, object]:
    """List all that a dub depends on beside the files it reads, as JSON stores it."""
    options = {k: v for k, v in job.options.items() if k not in ("overwrite", "voice", "speakers")}
    settings = {"base": base, "options": options, "sheet": str(job.sheet) if job.sheet else None}
    return json.loads(json.dumps(settings, sort_keys=True, default=str))


def describe_input(path: Path) -> dict[str, object]:
    """Note a file, or a folder's files: path, stamp (size and time of change) and sha256 of the content."""
    return {"path": str(path), "stamp": stamp_file(path), "sha256": hash_content(path)}


def is_unchanged(job: Job, out: Path, base: dict[str, str]) -> bool:
    """Tell by sizes and times alone that an output is there and is what its job would make; False: look closer."""
    noted = read_report(out)
    if noted is None or noted["settings"] != list_settings(job, base):
        return False
    files = {**job.inputs(), "output": out}
    notes = {**noted["inputs"], "output": noted["output"]}
    try:
        return files.keys() == notes.keys() and all(stamp_file(files[k]) == notes[k]["stamp"] for k in files)
    except (OSError, KeyError, TypeError):
        return False


def is_same(noted: dict | None, settings: dict, inputs: dict[str, dict], out: Path) -> bool:
    """Tell by content that an output is there and is what its job would make."""
    if noted is None or noted["settings"] != settings or not out.is_file():
        return False
    hashes = [{name: about.get("sha256") for name, about in part.items()} for part in (noted["inputs"], inputs)]
    return hashes[0] == hashes[1] and hash_content(out) == noted["output"].get("sha256")


def check_replaceable(noted: dict | None, out: Path) -> None:
    """Let an output be replaced that a batch wrote and nobody changed since. Raises MediaError for any other."""
    if not out.exists():
        return
    ours = {noted["output"].get("sha256"), noted.get("before")} if noted else set()
    if out.is_dir() or hash_content(out) not in ours:
        raise MediaError(f"the output {out} exists and no batch wrote it as it is; give another name, or overwrite")


def hash_content(path: Path) -> str:
    """Return the sha256 of a file, or of a folder's files with their names, in hex."""
    if not path.is_dir():
        return hash_file(path)
    named = [f"{file.name}\0{hash_file(file)}" for file in list_files(path)]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


def append_line(log: Path, job: Job, outcome: Outcome) -> None:
    """Append a job's line to the log in one write. Raises MediaError where the disk refuses it."""
    line = {"row": job.row, "out": str(job.out), "video": str(job.source or ""), "audio": str(job.audio or "")}
    line |= {name: value for name, value in asdict(outcome).items() if name not in ("may_pass", "about_video")}
    content = (json.dumps(line, ensure_ascii=False) + "\n").encode()
    try:
        handle = os.open(log, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            end = os.lseek(handle, 0, os.SEEK_END)
            if end and os.pread(handle, 1, end - 1) != b"\n":  # a killed batch left half a line
                content = b"\n" + content
            if os.write(handle, content) < len(content):
                raise OSError("the disk took half of it")
        finally:
            os.close(handle)
    except OSError as error:
        raise MediaError(
            f"cannot write {log}: {error.strerror or error}; make room, and give the same command again"
        ) from error
