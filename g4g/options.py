"""Settings of a dub: one home for the API's arguments, the command line's flags and their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from g4g.config import EMPHASIS, MOST_EMPHASIS
from g4g.errors import ConfigError


@dataclass(frozen=True)
class DubOptions:
    """What can be asked of a dub beside video, sound and output; `Dubber.dub` says what each means."""

    voice: str | Path | None = None
    face: str | int | tuple[float, float] | None = None
    speakers: dict[int, str | Path] = field(default_factory=dict)
    emphasis: float = EMPHASIS
    overwrite: bool = False
    length: str = "audio"
    start_s: float | None = None
    end_s: float | None = None
    mix: str = "replace"
    codec: str | None = None
    crf: int | None = None
    tolerant: bool = False
    dry_run: bool = False
    sheet: str | Path | None = None
    apart_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.emphasis <= MOST_EMPHASIS:
            raise ConfigError(f"emphasis must lie between 0 (at rest) and {MOST_EMPHASIS:g}, got {self.emphasis:g}")
        if self.speakers and (self.voice is not None or self.face is not None):
            raise ConfigError("speakers name faces and their sounds; leave out face and voice")
