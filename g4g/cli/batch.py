"""g4g batch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.options import BatchOptions

_ABOUT = "Dub a list of videos, side by side; a job that fails is told and stops no other."
_EXAMPLE = """a list:
  video,audio,out,emphasis
  ann.mp4,ann.german.wav,german/ann.mp4,1.2
  ann.mp4,ann.french.wav,french/ann.mp4,
The same command again goes on where it was stopped, and tries again what failed."""


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "batch", help="dub many videos", description=_ABOUT, epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    parser.add_argument(
        "jobs",
        help="CSV or JSON lines (.jsonl) with video or avatar, audio, out and any option of a dub by its name; or a "
        "folder of videos, each with its sounds: ann.mp4 with ann.wav or ann.german.wav",
    )
    parser.add_argument("-o", "--out", required=True, help="folder for dubs, their reports and batch.jsonl")
    add_settings(parser, BatchOptions)
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Work off the list, print the table; the exit code is 1 when any job failed."""
    from g4g.jobs.batch import batch

    with _show_jobs() as progress:
        result = batch(options.jobs, options.out, progress=progress, **read_settings(options, BatchOptions))
    print(result)
    if result.state.failed:
        sys.exit(1)


@contextmanager
def _show_jobs() -> Iterator[Callable]:
    """Give a callback that draws one bar of jobs with frames per second and the time left on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("jobs", total=None, said="")

        def show(state) -> None:
            left = "" if state.left_s is None else f", {_format_time(state.left_s)} left"
            said = f"{state.failed} failed, {state.frames_per_s:.1f} frames/s{left}"
            bars.update(task, total=state.jobs, completed=state.done + state.failed + state.skipped, said=said)

        yield show


def _format_time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
