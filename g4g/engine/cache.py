"""The user's cache folder, and in it converted networks: converting takes seconds, reading does not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

CACHE_VARIABLE = "G4G_CACHE"
"""Environment variable: the folder to use instead of g4g in the user's cache folder; empty keeps nothing."""
MOST_BYTES = 512 * 1024 * 1024
"""The networks used longest ago go when all together are larger (those of g4g-small take 60 MB)."""

_SUMS = "sha256.json"
_BLOCK_BYTES = 1 << 20
"""How much of a file is held in memory while it is hashed."""


def find_user_folder() -> Path | None:
    """Name the folder that CACHE_VARIABLE names, else ~/.cache/g4g (or $XDG_CACHE_HOME/g4g); None: keep nothing."""
    named = os.environ.get(CACHE_VARIABLE)
    if named is None:
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        named = os.path.join(os.path.expanduser(home), "g4g")
    return Path(named) if named else None


class NetworkCache:
    """Keeps converted networks, each in a folder of its own; without a folder nothing is kept.

    A network's folder appears whole, with the hashes of its files; what does not fit them is not used.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of_user(cls) -> NetworkCache:
        """Use `networks` in the user's cache folder, or where nothing is kept there, a folder that ends with us."""
        folder = find_user_folder()
        return cls(folder / "networks" if folder else _make_own_folder())

    def find(self, key: str) -> Path | None:
        """Return the folder with a network's files; None: not kept, or damaged (it is removed then)."""
        if self._folder is None:
            return None
        kept = self._folder / key
        try:
            sums = json.loads((kept / _SUMS).read_text())
            if sums and all(_hash(kept / name) == wanted for name, wanted in sums.items()):
                os.utime(kept)
                return kept
        except (OSError, ValueError, AttributeError):
            pass
        shutil.rmtree(kept, ignore_errors=True)
        return None

    def keep(self, key: str, write: Callable[[Path], None]) -> Path | None:
        """Keep a network: `write` lays its files into an empty folder.

        Returns:
            The folder with its files. None: nothing is kept; where the disk refuses, a Python warning tells so:
            everything works, but the next run converts again.
        """
        if self._folder is None:
            return None
        beside = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(".part", dir=self._folder))  # for the owner only
            write(beside)
            sums = {file.name: _hash(file) for file in sorted(beside.iterdir())}
            (beside / _SUMS).write_text(json.dumps(sums))
            if not (self._folder / key).exists():  # another process may have been faster
                os.rename(beside, self._folder / key)
            self._drop_oldest()
            return self._folder / key
        except OSError as error:
            warnings.warn(f"the converted network could not be kept for a later run: {error}", stacklevel=2)
            return None
        finally:
            if beside is not None:
                shutil.rmtree(beside, ignore_errors=True)

    def _drop_oldest(self) -> None:
        """Keep the networks used last that fit; what a killed process left half written is as old as any other."""
        folders = [(folder, folder.stat().st_mtime_ns) for folder in self._folder.iterdir() if folder.is_dir()]
        total = 0
        for folder, _ in sorted(folders, key=lambda item: -item[1]):
            total += sum(file.stat().st_size for file in folder.iterdir())
            if total > MOST_BYTES:
                shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=1)
def _own_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="g4g-", ignore_cleanup_errors=True)


def _make_own_folder() -> Path | None:
    """Make a folder for the networks of this process, once; None where the disk refuses."""
    try:
        return Path(_own_folder().name) / "networks"
    except OSError:
        return None


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
