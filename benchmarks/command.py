"""Options, messages and the last words that the benchmarks of a weight file share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clips import GROUPS, VIDEOS, Clip, load_clips, prepare_held_out

from g4g.metrics import JUDGE_WEIGHTS
from g4g.metrics.report import Figure, format_table, write_report
from g4g.zoo import DEFAULT_WEIGHTS


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


def make_parser(doc: str, out: str, groups: Sequence[str] = tuple(GROUPS.values())) -> argparse.ArgumentParser:
    """Make a parser of the options that all have; `groups` is the default choice of clips."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", default=VIDEOS, help="folders of GRID clips lie here (default: %(default)s)")
    parser.add_argument("--data", help="folder that g4g prepare wrote (default: the held-out videos are prepared)")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--judge", default=JUDGE_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--out", default=out, help="folder for figures and sheets (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="at most so many clips per group, for a quick look")
    parser.add_argument(
        "--groups", nargs="+", default=groups, choices=tuple(GROUPS.values()), help="only these (default: %(default)s)"
    )
    return parser


def load_groups(options: argparse.Namespace) -> dict[str, list[Clip]]:
    """Load the held-out clips that the options name, by group."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    data = options.data or prepare_held_out(options.videos, out / "data", options.groups, options.limit)
    clips = load_clips(data, options.limit, options.groups)
    return {group: [c for c in clips if c.group == group] for group in dict.fromkeys(clip.group for clip in clips)}


def say(text: str, end: str = "\n") -> None:
    """Tell on stderr what is going on."""
    print(text.ljust(70), end=end, file=sys.stderr, flush=True)
