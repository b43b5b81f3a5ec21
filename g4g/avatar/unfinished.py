"""Learning that was cut short: a folder in which the same learning goes on later."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from g4g.engine import find_user_folder

_KEPT_S = 7 * 24 * 3600.0
"""Folders that nobody touched for a week are removed: whoever stopped them has forgotten them."""
_LOCK = "lock"


@dataclass
class RunFolder:
    """A folder of one learning; it is removed at the end where `is_finished` was set, else kept for the next time."""

    path: Path
    is_finished: bool = False


@contextmanager
def open_run(key: str) -> Iterator[RunFolder]:
    """Open the folder of a learning; what a stopped process left in it is still there.

    Args:
        key: tells what is learnt, and from what.
    Yields:
        The folder. It is a temporary one where the user keeps nothing, or another process learns the same just now.
    """
    with ExitStack() as stack:
        run = _open_kept(key, stack)
        if run is None:
            yield RunFolder(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="g4g-"))))
            return
        yield run
        if run.is_finished:
            shutil.rmtree(run.path, ignore_errors=True)


def _open_kept(key: str, stack: ExitStack) -> RunFolder | None:
    """Open the folder in the user's own, locked till the stack ends; None where that cannot be."""
    user = find_user_folder()
    if user is None:
        return None
    path = user / "learning" / hashlib.sha256(key.encode()).hexdigest()[:32]
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.enter_context(FileLock(path / _LOCK, timeout=0, mode=0o600))
    except (OSError, Timeout, NotImplementedError):
        return None
    _remove_old(path)
    return RunFolder(path)


def _remove_old(own: Path) -> None:
    """Remove the folders beside our own that are a week old."""
    for folder in own.parent.iterdir():
        with suppress(OSError):
            age_s = time.time() - max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
            if folder != own and age_s > _KEPT_S:
                shutil.rmtree(folder)
