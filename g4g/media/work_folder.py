"""Hidden work folders beside an output, and what killed processes left of theirs."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = ".g4g-"
_LOCK = "lock"


class WorkFolder:
    """A private folder, removed by `close`, at the latest with the process, or when a later one starts beside it."""

    def __init__(self, parent: Path) -> None:
        """Make the folder. Raises OSError where `parent` cannot be written to."""
        while True:
            self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True)
            self.path = Path(self._folder.name)
            # The system lets go of a lock when its process ends, however it ends.
            self._lock = FileLock(self.path / _LOCK, mode=0o600, thread_local=False)
            with suppress(NotImplementedError, FileNotFoundError):  # no locks here; or already cleared away, see below
                self._lock.acquire()
            # Another process may have taken a folder for stale that was made, but not yet locked: make another.
            if (self.path / _LOCK).exists():
                break
            self._lock.release()
        _remove_stale(self.path)

    def close(self) -> None:
        self._lock.release()
        self._folder.cleanup()


def _remove_stale(own: Path) -> None:
    """Remove the work folders beside our own that no process holds; other people's stay."""
    for folder in own.parent.glob(_PREFIX + "*"):
        lock = folder / _LOCK
        try:
            ours = folder.lstat().st_uid == own.lstat().st_uid and not folder.is_symlink() and not lock.is_symlink()
            if folder == own or not ours or not lock.exists():
                continue
            with FileLock(lock, timeout=0):
                shutil.rmtree(folder)
        except (Timeout, OSError, NotImplementedError):  # in use, not a work folder, or gone meanwhile
            continue
