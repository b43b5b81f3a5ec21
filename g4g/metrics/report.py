"""Figures beside their baselines and targets, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from g4g.errors import ConfigError

_WISHES = (">=", "<=")


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        point: which question it answers.
        group: which clips.
        name: what was measured, with its unit.
        value: the result; NaN where nothing could be measured.
        count: how many clips, dubs or frames it rests on.
        baseline: the same figure by chance or for a copy; None where there is none.
        baseline_name: what the baseline is.
        target: what it should reach, or (lowest, highest) between which it should lie; None where it is only reported.
        wish: ">=" or "<=": on which side of a single target it should lie.
    """

    point: str
    group: str
    name: str
    value: float
    count: int
    baseline: float | None = None
    baseline_name: str = ""
    target: float | tuple[float, float] | None = None
    wish: str = ">="

    def __post_init__(self) -> None:
        if self.wish not in _WISHES:
            raise ConfigError(f"wish must be one of {', '.join(_WISHES)}, got {self.wish!r}")

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without a target, False for NaN."""
        if self.target is None:
            return None
        if isinstance(self.target, tuple):
            return self.target[0] <= self.value <= self.target[1]
        return self.value >= self.target if self.wish == ">=" else self.value <= self.target


def format_table(figures: list[Figure]) -> str:
    """Lay figures out as lines of text, one figure per line, columns aligned."""
    head = ("point", "clips", "figure", "value", "n", "baseline", "target", "")
    rows = [head] + [_format_row(figure) for figure in figures]
    lines = align_columns(rows)
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Make a line of each row of cells, the columns aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def finite_json(value: object) -> object:
    """Turn what JSON cannot say (NaN, infinity) into null, in dictionaries and lists too."""
    if isinstance(value, dict):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_report(path: str | Path, figures: list[Figure], info: dict) -> None:
    """Write figures and `info` (JSON values: weights, data, settings) as JSON; NaN and infinity become null."""
    rows = [finite_json({**asdict(figure), "reached": figure.reached}) for figure in figures]
    Path(path).write_text(json.dumps({"info": info, "figures": rows}, indent=1) + "\n")


def _format_row(figure: Figure) -> tuple[str, ...]:
    baseline = "" if figure.baseline is None else f"{figure.baseline:.4g} {figure.baseline_name}".strip()
    if isinstance(figure.target, tuple):
        target = "{:.4g} to {:.4g}".format(*figure.target)
    else:
        target = "" if figure.target is None else f"{figure.wish} {figure.target:.4g}"
    verdict = {None: "", True: "reached", False: "MISSED"}[figure.reached]
    return (
        figure.point, figure.group, figure.name, f"{figure.value:.4g}", str(figure.count), baseline, target, verdict
    )  # fmt: skip
