"""g4g avatar."""

from __future__ import annotations

import argparse
from pathlib import Path

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.cli.progress import show_progress
from g4g.options import DubOptions, LoadOptions

_ABOUT = (
    "Look at a video once and keep what every dub of it needs: the video, its faces, pictures of each mouth. "
    "g4g dub takes the file instead of the video, and begins at once."
)
_LIKE_DUB = ("tolerant", "overwrite", "adapt_minutes", "adapt_data")


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("avatar", help="prepare a video for many dubs", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument("video", help="video, still picture or folder of pictures of a person")
    parser.add_argument("-o", "--out", required=True, help="file to write, such as ann.avatar; holds the video whole")
    add_settings(parser, LoadOptions)
    add_settings(parser, DubOptions, _LIKE_DUB)
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Prepare a video and print who is in it."""
    from g4g.checkpoints import check_weights
    from g4g.media.check import check_video
    from g4g.media.write import check_output

    check_weights(LoadOptions(**read_settings(options, LoadOptions)).weights)
    check_output(Path(options.out), options.overwrite, [options.video])
    check_video(options.video)
    settings = read_settings(options, DubOptions, _LIKE_DUB)
    DubOptions(**settings)
    from g4g.adapting import Dubber  # torch: what is wrong so far was told in half a second

    with show_progress() as report:
        report("load", 0, 1)
        dubber = Dubber.from_pretrained(**read_settings(options, LoadOptions))
        report("load", 1, 1)
        avatar = dubber.make_avatar(options.video, options.out, progress=report, **settings)
    for note in (*avatar.faults, *avatar.warnings):
        print(f"note: {note}")
    for number, person in sorted(avatar.persons.items()):
        print(f"{options.out}: face {number}, seen in {len(person.head.frames)} frames, {len(person.library)} pictures")
