"""The tables of the report page: units in each, and narrow enough for a phone."""

from __future__ import annotations

import html
from pathlib import Path

from g4g.metrics.clip import ClipScores
from g4g.metrics.evaluate import Evaluation
from g4g.metrics.kinds import KINDS, ROWS

KEY_FIGURES = ("offset_frames", "opening_correlation", "phoneme_closed_share", "articulation", "sharpness", "jitter")
"""What the table of all clips shows; the rest stands with each clip."""

_ARROWS = {"up": "\N{UPWARDS ARROW}", "down": "\N{DOWNWARDS ARROW}", "one": "\N{RIGHTWARDS ARROW} 1",
           "zero": "\N{RIGHTWARDS ARROW} 0", "": ""}  # fmt: skip
_IN_SYNC = ("up", "share", "judge: clips whose offset is within one frame")


def summary_table(evaluation: Evaluation) -> str:
    """Lay out the means, a line per figure, a column per row of ROWS."""
    summary = evaluation.summarise()
    names = [name for name in ["in_sync", *KINDS] if any(name in means for means in summary.values())]
    missing = "".join(f"<li>{escape(what)}</li>" for what in evaluation.missing)
    note = f"<p>Not measured:</p><ul>{missing}</ul>" if missing else ""
    legend = "; ".join(f"<b>{row}</b>: {escape(ROWS[row])}" for row in summary)
    return f"{_lay_out(names, summary)}<p>{legend}. The arrow shows which way is better.</p>{note}"


def clip_figures(clip: ClipScores) -> str:
    """Lay out all figures of one clip."""
    names = [name for name in KINDS if any(name in means for means in clip.rows.values())]
    return _lay_out(names, {row: figures for row, figures in clip.rows.items() if figures})


def clip_table(evaluation: Evaluation) -> str:
    """Lay out the key figures of all clips, a line per clip."""
    names = [n for n in KEY_FIGURES if any(n in clip.rows.get("dubbed", {}) for clip in evaluation.clips)]
    head = "".join(f"<th>{_name(name)}</th>" for name in names)
    lines = []
    for clip in evaluation.clips:
        cells = "".join(f"<td>{number(clip.rows.get('dubbed', {}).get(name))}</td>" for name in names)
        cells = f"<td class=failed colspan={max(len(names), 1)}>{escape(clip.error)}</td>" if clip.error else cells
        lines.append(f"<tr><td>{escape(Path(clip.output).name)}</td>{cells}</tr>")
    return f"<table class=clips><tr><th>clip</th>{head}</tr>{''.join(lines)}</table>"


def number(value: float | None) -> str:
    """Write a figure with three digits; nothing where it was not measured."""
    return "" if value is None else "equal" if value == float("inf") else f"{value:.3g}"


def escape(words: str) -> str:
    """Make words safe for HTML."""
    return html.escape(words)


def _lay_out(names: list[str], columns: dict[str, dict[str, float]]) -> str:
    head = "".join(f'<th title="{escape(ROWS[row])}">{row}</th>' for row in columns)
    lines = []
    for name in names:
        cells = "".join(f"<td>{number(means.get(name))}</td>" for means in columns.values())
        lines.append(f"<tr><td>{_name(name)}<small>{escape(_describe(name)[2])}</small></td>{cells}</tr>")
    return f"<table><tr><th>figure, unit</th>{head}</tr>{''.join(lines)}</table>"


def _describe(name: str) -> tuple[str, str, str]:
    if name == "in_sync":
        return _IN_SYNC
    return KINDS[name].better, KINDS[name].unit, KINDS[name].meaning


def _name(name: str) -> str:
    """Name a figure with its arrow and its unit; what has none is a plain number."""
    better, unit, _ = _describe(name)
    return f"{name.replace('_', ' ')} {_ARROWS[better]}<small>{escape(unit or 'plain number')}</small>"
