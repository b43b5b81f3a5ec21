"""A mark that a video gets before it appears: a comment in its metadata, and a seal over the finished file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EMBEDDED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
"""Endings of containers that hold a C2PA manifest, and their media types."""


def sidecar_of(path: str | Path) -> Path | None:
    """Name the file beside an output that holds its manifest; None: the output holds it itself."""
    path = Path(path)
    return None if path.suffix.lower() in EMBEDDED else path.with_suffix(".c2pa")


def place_with_sidecar(video: Path, sidecar: Path, target: Path) -> None:
    """Move a finished video and its sidecar to their names, the sidecar first: no video appears without its mark.

    Args:
        video: replaces `target`, in whose file system it lies.
        sidecar: the file for beside it.
        target: the output; where it cannot be replaced, the sidecar that stood there before comes back.
    Raises:
        OSError: nothing changed.
    """
    place, kept = sidecar_of(target), sidecar.with_name(sidecar.name + ".before")
    if place.exists():
        shutil.copy2(place, kept)
    os.replace(sidecar, place)
    try:
        os.replace(video, target)
    except OSError:
        if kept.exists():
            os.replace(kept, place)
        else:
            place.unlink()
        raise
    kept.unlink(missing_ok=True)


@dataclass(frozen=True)
class Mark:
    """What `VideoWriter` puts on a file and its frames.

    Attributes:
        comment: for the metadata; a comment of the source's own stands before it.
        seal: called with the whole file before it appears; changes it in place, or returns what `sidecar` is to hold.
        sidecar: the file that appears beside the output; None: the output holds all.
        draw: takes each frame, RGB or RGBA, returns it with a mark in its pixels; None: frames stay as they are.
    """

    comment: str
    seal: Callable[[Path], bytes | None]
    sidecar: Path | None = None
    draw: Callable[[np.ndarray], np.ndarray] | None = None

    def add_to(self, comment: str) -> str:
        """Put our comment behind the source's own, once however often a video is dubbed."""
        return comment if self.comment in comment else f"{comment}\n{self.comment}".strip()
