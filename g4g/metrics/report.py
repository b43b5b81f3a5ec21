"""Figures beside their baselines and targets, as a table and as JSON."""

from __future__ import annotations

import json
import math
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
        target: what it should reach; None where it is only reported.
        wish: ">=" or "<=": on which side of the target it should lie.
    """

    point: str
    group: str
    name: str
    value: float
    count: int
    baseline: float | None = None
    baseline_name: str = ""
    target: float | None = None
    wish: str = ">="

    def __post_init__(self) -> None:
        if self.wish not in _WISHES:
            raise ConfigError(f"wish must be one of {', '.join(_WISHES)}, got {self.wish!r}")

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without a target, False for NaN."""
        if self.target is None:
            return None
        return self.value >= self.target if self.wish == ">=" else self.value <= self.target


def format_table(figures: list[Figure]) -> str:
    """Lay figures out as lines of text, one figure per line, columns aligned."""
    head = ("point", "clips", "figure", "value", "n", "baseline", "target", "")
    rows = [head] + [_format_row(figure) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def write_report(path: str | Path, figures: list[Figure], info: dict) -> None:
    """Write figures and `info` (JSON values: weights, data, settings) as JSON; NaN and infinity become null."""
    rows = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    rows = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()} for row in rows]
    Path(path).write_text(json.dumps({"info": info, "figures": rows}, indent=1) + "\n")


def _format_row(figure: Figure) -> tuple[str, ...]:
    baseline = "" if figure.baseline is None else f"{figure.baseline:.4g} {figure.baseline_name}".strip()
    target = "" if figure.target is None else f"{figure.wish} {figure.target:.4g}"
    verdict = {None: "", True: "reached", False: "MISSED"}[figure.reached]
    return (
        figure.point, figure.group, figure.name, f"{figure.value:.4g}", str(figure.count), baseline, target, verdict
    )  # fmt: skip
