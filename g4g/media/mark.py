"""A mark that a video gets before it appears: a comment in its metadata, and a seal over the finished file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EMBEDDED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
"""Endings of containers that hold a C2PA manifest, and their media types."""


def sidecar_of(path: str | Path) -> Path | None:
    """Name the file beside an output that holds its manifest; None: the output holds it itself."""
    path = Path(path)
    return None if path.suffix.lower() in EMBEDDED else path.with_suffix(".c2pa")


@dataclass(frozen=True)
class Mark:
    """What `VideoWriter` puts on a file.

    Attributes:
        comment: for the metadata; a comment of the source's own stands before it.
        seal: called with the whole file before it appears; changes it in place, or returns what `sidecar` is to hold.
        sidecar: the file that appears beside the output; None: the output holds all.
    """

    comment: str
    seal: Callable[[Path], bytes | None]
    sidecar: Path | None = None

    def add_to(self, comment: str) -> str:
        """Put our comment behind the source's own, once however often a video is dubbed."""
        return comment if self.comment in comment else f"{comment}\n{self.comment}".strip()
