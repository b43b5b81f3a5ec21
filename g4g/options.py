"""Settings of a dub: one home for the API's arguments, the command line's flags and their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from g4g.config import EMPHASIS, MOST_EMPHASIS
from g4g.errors import ConfigError


@dataclass(frozen=True)
class DubOptions:
    """What can be asked of a dub beside video, sound and output."""

    voice: str | Path | None = None
    """What the lips say, where the sound that is heard has more than it (music, noise). They start together; where they
    do not last equally long, what is heard counts: the lips rest after a shorter voice, a longer one is cut."""
    face: str | int | tuple[float, float] | None = None
    """Who is dubbed. "speaker", which None takes: in each scene (from one cut to the next) whose mouth is largest,
    moves most and fits the video's own sound best; a face that is alone, always. "left", "right" (of the picture),
    "largest": also chosen anew in each scene. A number, as `Dubber.list_faces` gives them, or a pixel (x, y) inside
    the face: this person wherever seen, and nobody else."""
    speakers: dict[int, str | Path] = field(default_factory=dict)
    """Number of a face -> its own sound, all starting together; instead of `face` and `voice`."""
    emphasis: float = EMPHASIS
    """How far the mouth moves, times how far it goes in the video with its own sound: 0 to MOST_EMPHASIS."""
    overwrite: bool = False
    """Replace an existing output."""
    length: str = "audio"
    """With "audio" the video is cut to the sound, or plays to and fro until the sound ends; with "video" the sound is
    cut, or followed by silence."""
    start_s: float | None = None
    """Where in the video the sound starts; before it all stays as it is, and the length is "video"."""
    end_s: float | None = None
    """Where the sound is cut; after it all stays as it is. None, with a start: where the sound ends."""
    mix: str = "replace"
    """What becomes of the video's own sound meanwhile: "replace" removes it, "keep" leaves it beneath the new one,
    "duck" lowers it while the new one speaks."""
    codec: str | None = None
    """h264, hevc, vp9, av1 or prores, as the container allows; None takes its first."""
    crf: int | None = None
    """Quality on the codec's own scale, 0 is best; None takes our choice."""
    tolerant: bool = False
    """Use what can be read of a damaged video, and say so; otherwise a fault is an error."""
    dry_run: bool = False
    """Look for the face and report what would be done, but write nothing."""
    sheet: str | Path | None = None
    """Picture to draw (.png or the like), source above dubbed; an old one is replaced."""
    apart_s: float = 0.0
    """Pictures of the video nearer than this to the frame that is shown are not used: to measure how good dubs are with
    the video's own sound."""

    def __post_init__(self) -> None:
        if not 0 <= self.emphasis <= MOST_EMPHASIS:
            raise ConfigError(f"emphasis must lie between 0 (at rest) and {MOST_EMPHASIS:g}, got {self.emphasis:g}")
        if self.speakers and (self.voice is not None or self.face is not None):
            raise ConfigError("speakers name faces and their sounds; leave out face and voice")
