"""What is heard in a dub: the new sound in its span, beside or instead of the video's own."""

from __future__ import annotations

from pathlib import Path

from g4g.media.decode import open_media
from g4g.media.read import FILL_GAPS, align_filter

MIXES = ("replace", "keep", "duck")
"""What becomes of the video's own sound while the new one is used: removed, left beneath it, lowered under speech."""

DUCK = "sidechaincompress=threshold=0.02:ratio=12:attack=20:release=400"
"""Lowers the first sound while the second is louder than -34 dB; attack and release in ms (our choice)."""

NO_CLIPPING = "alimiter=level=false"
"""Two sounds may add up to more than full scale."""


def sound_graph(
    audio: Path, old: Path | None, span_s: tuple[float, float], mix: str, duration_s: float, old_input: int
) -> str:
    """Write the filter graph of an output's first sound track, [heard].

    Args:
        audio: the new sound, input 1.
        old: the video, for its own sound; None where nothing of that is kept.
        span_s: from when to when the new sound is heard, in seconds of the output; cut, or followed by silence.
        mix: one of MIXES.
        duration_s: of the output.
        old_input: the video's number among ffmpeg's inputs, whose clock starts with its picture.
    Returns:
        for -filter_complex; it ends in [heard], which lasts exactly `duration_s`.
    Raises:
        MediaError: a file without sound.
    """
    start_s, end_s = span_s
    new = f"[1:a:0]{align_filter(audio)},{_fit(end_s - start_s)}"
    placed = f"adelay={start_s * 1000:.3f}:all=1,{_fit(duration_s)}"
    if old is None:
        return f"{new},{placed}[heard]"
    new += f",{_like_old(old)}"
    kept = f"[{old_input}:a:0]{FILL_GAPS},{_like_old(old)},{_fit(duration_s)}"
    if mix == "replace":
        return _splice(new, kept, start_s, end_s, duration_s)
    if mix == "keep":
        return f"{new},{placed}[new];{kept}[old];[old][new]amix=normalize=0,{NO_CLIPPING}[heard]"
    lower = f"[old][key]{DUCK}[low];[low][new]amix=normalize=0,{NO_CLIPPING}[heard]"
    return f"{new},{placed},asplit[new][key];{kept}[old];{lower}"


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
