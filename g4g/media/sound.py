"""What is heard in a dub: the new sound in its span, beside or instead of the video's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from g4g.errors import ConfigError, MediaError
from g4g.media.decode import check_input, open_media
from g4g.media.read import FILL_GAPS, align_filter
from g4g.settings import as_path

MIXES = ("replace", "keep", "duck")
"""What becomes of the video's own sound while the new one is used: removed, left beneath it, lowered under speech."""

DUCK = "sidechaincompress=threshold=0.02:ratio=12:attack=20:release=400"
"""Lowers the first sound while the second is louder than -34 dB; attack and release in ms (our choice)."""

NO_CLIPPING = "alimiter=level=false"
"""Two sounds may add up to more than full scale."""


TIME_SLACK_S = 1e-3
"""A span that ends so near to the output's end reaches it."""


@dataclass(frozen=True)
class NewSound:
    """The sound that an output is given.

    Raises:
        ConfigError: `mix` is none of MIXES.
    """

    file: Path
    """A sound file, or a video whose sound is taken on its own video's clock."""
    span_s: tuple[float, float] | None = None
    """From when to when it is heard, in seconds of the output; cut, or followed by silence. None: all the time."""
    mix: str = "replace"
    """What becomes of the old sound within the span, one of MIXES; outside it stays."""

    def __post_init__(self) -> None:
        if self.mix not in MIXES:
            raise ConfigError(f"`mix` must be one of {', '.join(MIXES)}, got {self.mix!r}")


def sound_graph(new: NewSound, old: Path | None, duration_s: float, inputs: tuple[int, int]) -> str:
    """Write the filter graph of an output's first sound track, [heard].

    Args:
        new: what is heard.
        old: the video whose own sound may stay; None: there is none.
        duration_s: of the output.
        inputs: numbers of the new sound and of the video, whose clock starts with its picture, among ffmpeg's inputs.
    Returns:
        for -filter_complex; it ends in [heard], which lasts exactly `duration_s`.
    Raises:
        MediaError: a file without sound.
    """
    start_s, end_s = new.span_s or (0.0, duration_s)
    end_s = duration_s if end_s > duration_s - TIME_SLACK_S else end_s
    is_whole = start_s <= 0 and end_s >= duration_s
    heard = f"[{inputs[0]}:a:0]{align_filter(new.file)},{_fit(end_s - start_s)}"
    placed = f"adelay={start_s * 1000:.3f}:all=1,{_fit(duration_s)}"
    if old is None or not has_sound(old) or (is_whole and new.mix == "replace"):
        return f"{heard},{placed}[heard]"
    heard += f",{_like_old(old)}"
    kept = f"[{inputs[1]}:a:0]{FILL_GAPS},{_like_old(old)},{_fit(duration_s)}"
    if new.mix == "replace":
        return _splice(heard, kept, start_s, end_s, duration_s)
    if new.mix == "keep":
        return f"{heard},{placed}[new];{kept}[old];[old][new]amix=normalize=0,{NO_CLIPPING}[heard]"
    lower = f"[old][key]{DUCK}[low];[low][new]amix=normalize=0,{NO_CLIPPING}[heard]"
    return f"{heard},{placed},asplit[new][key];{kept}[old];{lower}"


def check_sound(sound: str | os.PathLike) -> Path:
    """Check that a file has a sound track, and give its path. Raises MediaError where it has none."""
    path = check_input(as_path(sound, "audio"))
    if not has_sound(path):
        raise MediaError(f"{path} has no audio stream; give a file with sound")
    return path


def has_sound(path: Path) -> bool:
    """Tell whether a file has a sound track."""
    with open_media(path) as container:
        return bool(container.streams.audio)


def _splice(new: str, kept: str, start_s: float, end_s: float, duration_s: float) -> str:
    """Put the new sound in the place of a piece of the old one, to the sample."""
    before, after = start_s > 0, end_s < duration_s
    labels = ["[before]"] * before + ["[after]"] * after
    graph = [f"{new}[new]", f"{kept},asplit={len(labels)}{''.join(label.replace(']', '_whole]') for label in labels)}"]
    graph += [f"[before_whole]atrim=end={start_s:.6f}[before]"] * before
    graph += [f"[after_whole]atrim=start={end_s:.6f},asetpts=PTS-STARTPTS[after]"] * after
    pieces = ["[before]"] * before + ["[new]"] + ["[after]"] * after
    return ";".join([*graph, f"{''.join(pieces)}concat=n={len(pieces)}:v=0:a=1[heard]"])


def _fit(duration_s: float) -> str:
    """Cut a sound, or follow it with silence, so that it lasts exactly so long."""
    return f"apad=whole_dur={duration_s:.6f},atrim=end={duration_s:.6f}"


def _like_old(old: Path) -> str:
    """Give a sound the rate and the channels of the video's own."""
    with open_media(old) as container:
        track = container.streams.audio[0]
        return f"aformat=sample_rates={track.rate}:channel_layouts={track.channels}c"
