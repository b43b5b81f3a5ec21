"""g4g faces."""

from __future__ import annotations

import argparse

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.cli.progress import show_progress
from g4g.options import DubOptions, LoadOptions

_ABOUT = "List the faces of a video: number, place, size, how much each speaks, and when it is seen."


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("faces", help="show who is in a video", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument("video", help="video, still picture or folder of pictures")
    parser.add_argument("-o", "--out", metavar="PNG", help="draw a picture of each face with its number")
    parser.add_argument("--json", metavar="FILE", help="write the list")
    add_settings(parser, LoadOptions)
    add_settings(parser, DubOptions, ("tolerant",))
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Print who is in a video."""
    import json
    from dataclasses import asdict
    from pathlib import Path

    from g4g.checkpoints import check_weights
    from g4g.checkpoints.atomic import write_whole
    from g4g.media.check import check_video

    check_weights(LoadOptions(**read_settings(options, LoadOptions)).weights)
    check_video(options.video)
    from g4g.adapting import Dubber

    with show_progress() as report:
        report("load", 0, 1)
        dubber = Dubber.from_pretrained(**read_settings(options, LoadOptions))
        report("load", 1, 1)
        found = dubber.list_faces(options.video, sheet=options.out, tolerant=options.tolerant, progress=report)
    if options.json:
        write_whole(Path(options.json), (json.dumps([asdict(face) for face in found], indent=2) + "\n").encode())
    print("\n".join(map(str, found)) or "no face found")
