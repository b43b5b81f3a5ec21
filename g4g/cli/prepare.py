"""g4g prepare."""

from __future__ import annotations

import argparse

from g4g.cli.flags import add_debug
from g4g.cli.progress import show_progress
from g4g.options import CROP_PX, FACES, WORKERS
from g4g.settings import as_paths, check_exists

_ABOUT = "Cut videos into shots of face crops with mesh and sound; resumable; a video that fails is listed."


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("prepare", help="cut videos into training data", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument("videos", nargs="+", help="videos and stills, or folders of them")
    parser.add_argument("-o", "--out", required=True, help="folder for index.json and shots/")
    parser.add_argument("--faces", default=FACES, help="face backend (%(default)s)")
    parser.add_argument("--crop-px", type=int, default=CROP_PX, help="side of the stored face crops (%(default)s)")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes side by side (%(default)s)")
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Prepare the videos and print what failed."""
    check_exists(as_paths(options.videos, "videos"))
    from g4g.training.prepare import prepare

    with show_progress() as report:
        index = prepare(
            options.videos, options.out, faces=options.faces, workers=options.workers, crop_px=options.crop_px,
            progress=report,
        )  # fmt: skip
    print(f"{len(index['shots'])} shots in {options.out}, {len(index['failed'])} videos failed")
    for failure in index["failed"]:
        print(f"  {failure['source']}: {failure['reason']}")
