"""Plots and contact sheets of an evaluation, as bytes that a page can hold."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure

from g4g.config import AudioConfig, CropConfig
from g4g.faces import crop_face
from g4g.media import pick_frames, read_waveform
from g4g.media.sheet import paste_columns
from g4g.metrics.clip import ClipScores
from g4g.metrics.sync import MAX_OFFSET_FRAMES

_TILE_PX = 144
_DIFFERENCE_GAIN = 4
_COLOURS = {"dubbed": "#c2410c", "real": "#1d4ed8", "undubbed": "#737373"}


def plot_offsets(clips: list[ClipScores]) -> str:
    """Draw how many clips have which offset, dubbed beside real and undubbed, as SVG."""
    figure = Figure((7, 2.6), layout="constrained")
    axes = figure.subplots()
    bins = np.arange(-MAX_OFFSET_FRAMES - 0.5, MAX_OFFSET_FRAMES + 1)
    rows = {
        row: [c.rows[row]["offset_frames"] for c in clips if "offset_frames" in c.rows.get(row, {})] for row in _COLOURS
    }
    rows = {row: offsets for row, offsets in rows.items() if offsets}
    axes.hist(list(rows.values()), bins=bins, label=list(rows), color=[_COLOURS[row] for row in rows])
    axes.set(xlabel="offset, frames of 1/25 s", ylabel="clips", xlim=(bins[0], bins[-1]))
    axes.legend(frameon=False)
    return _to_svg(figure)


def plot_distances(clip: ClipScores) -> str:
    """Draw the distance of lips and sound at every shift, D(k), as SVG."""
    figure = Figure((7, 2.4), layout="constrained")
    axes = figure.subplots()
    for row, distances in clip.distances.items():
        shifts = MAX_OFFSET_FRAMES - np.arange(len(distances))
        axes.plot(shifts, distances, color=_COLOURS[row], label=row, marker=".", markersize=3)
    axes.axvline(0, color="#d4d4d4", zorder=0)
    axes.set(xlabel="shift, frames of 1/25 s", ylabel="distance D(k)")
    axes.legend(frameon=False)
    return _to_svg(figure)


def plot_openings(clip: ClipScores) -> str:
    """Draw the mouth's opening over time, dubbed and real, above the dub's waveform, as SVG."""
    figure = Figure((7, 3), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    for row, openings in clip.openings.items():
        upper.plot(clip.times_s, openings, color=_COLOURS[row], label=row)
    upper.set_ylabel("mouth opening")
    upper.legend(frameon=False)
    sound = read_waveform(clip.audio or clip.output)
    step = max(len(sound) // 1500, 1)
    peaks = np.abs(sound[: len(sound) // step * step]).reshape(-1, step).max(1)
    seconds = np.arange(len(peaks)) * step / AudioConfig().sample_rate
    lower.fill_between(seconds, -peaks, peaks, color="#737373", linewidth=0)
    lower.set(xlabel="s", yticks=[])
    return _to_svg(figure)


def draw_comparison(clip: ClipScores) -> bytes:
    """Draw columns over time: source frame, dub, both mouths enlarged, and their difference four times; PNG."""
    made = dict(pick_frames(clip.output, [column.number for column in clip.columns]))
    sources = dict(pick_frames(clip.reference, [column.source for column in clip.columns]))
    size, columns = CropConfig().size, []
    for column in clip.columns:
        tiles = [sources[column.source], made[column.number]]
        crops = [crop_face(frame, np.array(column.frame_to_crop), size) for frame in tiles]
        mouths = [crop[size * 7 // 16 : size * 15 // 16, size // 8 : size * 7 // 8] for crop in crops]
        apart = np.abs(mouths[0].astype(int) - mouths[1]) * _DIFFERENCE_GAIN
        columns.append([*tiles, *mouths, np.clip(apart, 0, 255).astype(np.uint8)])
    buffer = io.BytesIO()
    paste_columns(columns, _TILE_PX).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _to_svg(figure: Figure) -> str:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
