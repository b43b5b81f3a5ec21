"""Options, messages and tables that the benchmarks of a weight file share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clips import DATA, GROUPS, Clip, load_clips, prepare_held_out

from g4g.metrics.report import Figure, format_table, write_report
from g4g.options import DEFAULT_WEIGHTS, JUDGE_WEIGHTS


class Report:
    """The figures of one run, written again as they come in; `failed` lists what went wrong and is part of it."""

    def __init__(self, path: Path, options: argparse.Namespace) -> None:
        self.path, self.figures, self.failed = path, [], []
        self._settings = {name: getattr(options, name) for name in ("weights", "judge", "limit")}
        self._started = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, figures: Sequence[Figure]) -> None:
        """Add figures and write the file."""
        self.figures += figures
        write_report(self.path, self.figures, {**self._settings, "minutes": self._minutes(), "failed": self.failed})

    def end(self) -> None:
        """Print the table, what failed, and where all lies."""
        print(format_table(self.figures))
        for line in self.failed:
            print(f"failed: {line}")
        print(f"{self._minutes()} min; figures in {self.path}, sheets in {self.path.parent}")

    def _minutes(self) -> float:
        return round((time.monotonic() - self._started) / 60, 1)


def make_parser(doc: str, out: str, groups: Sequence[str] = tuple(GROUPS)) -> argparse.ArgumentParser:
    """Make a parser of the options that all have; `groups` is the default choice of clips."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", default=DATA, help="the videos lie below here (default: %(default)s)")
    parser.add_argument(
        "--data", nargs="+", help="folders that g4g prepare wrote (default: the held-out videos are prepared)"
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--judge", default=JUDGE_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--speech", help="name of kept speech features (default: the weights' encoder makes them)")
    parser.add_argument("--out", default=out, help="folder for figures and sheets (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="at most this number of clips per group, for a quick look")
    parser.add_argument(
        "--groups", nargs="+", default=groups, choices=tuple(GROUPS), help="only these (default: %(default)s)"
    )
    return parser


def load_folders(options: argparse.Namespace) -> list[Path]:
    """Name the prepared folders of a run; without --data the held-out videos are prepared into OUT/data."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if options.data:
        return [Path(folder) for folder in options.data]
    return [prepare_held_out(out / "data", options.groups, options.limit, options.videos)]


def load_groups(options: argparse.Namespace) -> dict[str, list[Clip]]:
    """Load the held-out clips that the options name, by group."""
    clips = load_clips(load_folders(options), options.limit, options.groups)
    return {group: [c for c in clips if c.group == group] for group in dict.fromkeys(clip.group for clip in clips)}


def format_groups(figures: Sequence[Figure]) -> str:
    """Lay figures out as a Markdown table: a line per figure, a column per group, what a figure should reach at the
    end; "!" marks what it does not."""
    groups = list(dict.fromkeys(figure.group for figure in figures))
    cells = {(figure.name, figure.group): figure for figure in figures}
    counts = {figure.group: figure.count for figure in reversed(figures)}
    lines = [["", *(f"{group} ({counts[group]})" for group in groups), "goal"]]
    lines.append(["---"] + ["---:"] * (len(groups) + 1))
    for name in dict.fromkeys(figure.name for figure in figures):
        row = [cells.get((name, group)) for group in groups]
        lines.append([name, *map(_format_cell, row), next((_format_goal(f) for f in row if f), "")])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_table(figures: Sequence[Figure], options: argparse.Namespace, name: str) -> None:
    """Print figures by group as Markdown and write them as OUT/NAME.json."""
    path = Path(options.out) / f"{name}.json"
    settings = {key: getattr(options, key) for key in ("weights", "limit", "speech")}
    write_report(path, list(figures), settings)
    print(format_groups(figures), f"figures in {path}", sep="\n\n", flush=True)


def say(text: str, end: str = "\n") -> None:
    """Tell on stderr what is going on."""
    print(text.ljust(70), end=end, file=sys.stderr, flush=True)


def _format_cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.value:.3g}" + (" !" if figure.reached is False else "")


def _format_goal(figure: Figure) -> str:
    if figure.target is None:
        return ""
    if isinstance(figure.target, tuple):
        return "{:.3g} to {:.3g}".format(*figure.target)
    return f"{figure.wish} {figure.target:.3g}"
