"""What a dub makes and tells: its frames, its report, its contact sheet."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from g4g.errors import MediaError
from g4g.faces import crop_face
from g4g.media.sheet import paste_columns

_SHEET_TILE_PX = 256


@dataclass(frozen=True)
class DubbedFrame:
    """One frame of a dub before encoding; where the source passed through, `taken` is None and `passed` says why.

    `source` and `frame` are RGB (H, W, 3); `alpha` is (H, W, 1) where the output holds the source's transparency,
    else (H, W, 0).
    """

    source: np.ndarray
    frame: np.ndarray
    alpha: np.ndarray
    crop: np.ndarray | None
    taken: np.ndarray | None
    frame_to_crop: np.ndarray | None
    passed: str | None = None


@dataclass(frozen=True)
class DubReport:
    """What a dub did, or after a dry run, would do.

    `frames_passed` are the source's own, `passed_why` counts them by reason; `seconds` per stage; `warnings` are
    sentences on what the output lacks or has otherwise. `offsets`, of the "source" with its own sound and of what is
    "dubbed", are frames of 1/25 s, > 0: the sound lies earlier than its lips; left out where the aligner cannot tell:
    below 3 s, in silence, where lips and sound do not belong together, and after a dry run.
    """

    output: Path
    frames: int
    frames_dubbed: int
    frames_passed: int
    passed_why: dict[str, int]
    fps: float
    duration_s: float
    offsets: dict[str, float]
    seconds: dict[str, float]
    sheet: Path | None
    warnings: tuple[str, ...]
    dry_run: bool

    def __str__(self) -> str:
        passed = "".join(f", {count} passed through ({why})" for why, count in self.passed_why.items())
        would = "not written; would have " if self.dry_run else ""
        done = f"{would}{self.frames_dubbed} of {self.frames} frames dubbed{passed}, {self.duration_s:.2f} s"
        return "\n".join([f"{self.output}: {done}", *(f"  note: {warning}" for warning in self.warnings)])

    def to_json(self) -> str:
        """Return all fields as JSON text."""
        return json.dumps(asdict(self), default=str, indent=2, ensure_ascii=False)


def draw_sheet(items: list[DubbedFrame], path: str | Path) -> None:
    """Draw a contact sheet: rows of source, dubbed, and both mouths enlarged. Raises MediaError if the disk refuses."""
    columns = []
    for item in items:
        tiles = [item.source, item.frame]
        if item.frame_to_crop is not None:
            tiles += [crop_face(picture, item.frame_to_crop, 128)[56:, 16:112] for picture in tiles]
        columns.append(tiles)
    try:
        paste_columns(columns, _SHEET_TILE_PX).save(path)
    except OSError as error:
        raise MediaError(
            f"the video is written, but the contact sheet {path} cannot be: {error.strerror or error}"
        ) from error
