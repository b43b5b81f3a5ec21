"""Write a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from g4g.errors import CheckpointError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, then rename it into place, so that no reader ever sees half a file.

    Args:
        path: the file to make or replace; its folder must exist.
        content: all bytes of the file.
    Raises:
        CheckpointError: the folder does not exist, or the disk refuses the file; the old file is untouched.
    """
    if not path.parent.is_dir():
        raise CheckpointError(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
