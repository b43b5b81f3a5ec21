"""The commands of g4g and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from g4g import __version__

_EXAMPLE = """examples:
  g4g dub talk.mp4 --audio german.wav -o talk-german.mp4
  g4g dub portrait.png --audio voice.wav -o portrait.mp4 --sheet portrait.png
  g4g prepare clips/ -o data/ && g4g train generator data/ -o my.safetensors --minutes 60"""


def run(arguments: list[str]) -> None:
    """Parse the arguments and run one command."""
    options = make_parser().parse_args(arguments)
    options.run(options)


def make_parser() -> argparse.ArgumentParser:
    """Describe every command. argparse and not a config-driven parser: `g4g --help` must not import torch."""
    parser = argparse.ArgumentParser(
        "g4g", description="A video of a person and a new sound in; the same video with lips that say it out.",
        epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"g4g {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dub = commands.add_parser("dub", help="dub one video", description="Dub a video, or make a still picture speak.")
    dub.set_defaults(run=_dub)
    dub.add_argument("video", help="video or still picture of a person")
    dub.add_argument("--audio", required=True, help="the new sound: a sound file, or a video with sound")
    dub.add_argument("-o", "--out", required=True, help="mp4 to write; appears whole or not at all")
    dub.add_argument("--weights", default="g4g-small", help="name of shipped weights, or a file (%(default)s)")
    dub.add_argument("--faces", default="mediapipe", help="face backend: mediapipe or face-alignment (%(default)s)")
    dub.add_argument("--device", default="cpu", help="cpu, cuda, mps (%(default)s)")
    dub.add_argument("--length", choices=("audio", "video"), default="audio",
                     help="whose length the result has; a short video plays to and fro (%(default)s)")  # fmt: skip
    dub.add_argument("--force", action="store_true", help="replace an existing output")
    dub.add_argument("--sheet", metavar="PNG", help="draw a contact sheet: source above dubbed, mouths enlarged")
    dub.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = "Cut videos into shots of face crops with landmarks and sound; resumable; a video that fails is listed."
    prepare = commands.add_parser("prepare", help="cut videos into training data", description=about)
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("videos", nargs="+", help="videos, or folders of videos")
    prepare.add_argument("-o", "--out", required=True, help="folder for index.json and shots/")
    prepare.add_argument("--faces", default="mediapipe", help="face backend (%(default)s)")
    prepare.add_argument("--workers", type=int, default=2, help="processes side by side (%(default)s)")
    prepare.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = "Train one stage on prepared data. Ctrl-C stops cleanly; OUT.state holds what --resume needs."
    train = commands.add_parser("train", help="train a network", description=about)
    train.set_defaults(run=_train)
    train.add_argument("stage", choices=("aligner", "generator", "fusion"), help="in this order")
    train.add_argument("data", help="folder that g4g prepare wrote")
    train.add_argument("-o", "--out", required=True, help="weight file; the three stages may share one")
    train.add_argument("--weights", help="start from these (default: OUT where it exists, else fresh networks)")
    train.add_argument("--minutes", type=float, default=15.0, help="training time (%(default)s)")
    train.add_argument("--steps", type=int, default=10**9, help="or so many steps, whichever ends first")
    train.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    train.add_argument("--resume", action="store_true", help="go on from OUT.state")
    train.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _dub(options: argparse.Namespace) -> None:
    from g4g.dubbing import Dubber

    with _progress() as report:
        dubber = Dubber.from_pretrained(options.weights, faces=options.faces, device=options.device)
        result = dubber.dub(
            options.video, options.audio, options.out, overwrite=options.force, length=options.length,
            sheet=options.sheet, progress=report,
        )  # fmt: skip
    print(result)


def _prepare(options: argparse.Namespace) -> None:
    from g4g.training.prepare import prepare

    with _progress() as report:
        index = prepare(
            options.videos, options.out, faces=options.faces, workers=options.workers,
            progress=lambda done, total, what: report("prepare", done, total),
        )  # fmt: skip
    print(f"{len(index['shots'])} shots in {options.out}, {len(index['failed'])} videos failed")
    for failure in index["failed"]:
        print(f"  {failure['source']}: {failure['reason']}")


def _train(options: argparse.Namespace) -> None:
    from g4g.training.stages import train_stage

    figures = train_stage(
        options.stage, options.data, options.out, weights=options.weights, minutes=options.minutes,
        steps=options.steps, seed=options.seed, device=options.device, resume=options.resume,
    )  # fmt: skip
    print(f"{options.out}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))


class _progress:  # noqa: N801 - used as a function
    """A rich progress bar per stage on stderr, made when the first report comes."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._tasks: dict[str, int] = {}
        self._bars.start()
        return self._report

    def _report(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
