"""g4g inspect."""

from __future__ import annotations

import argparse
import sys

from g4g.cli.flags import add_debug, name_flags

_ABOUT = (
    "Tell what a video says of its making (C2PA manifest, metadata tag), whether it is intact, and who signed it. "
    "Exits with 0 only where it is intact. Nothing is fetched from the network."
)


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("inspect", help="tell whether a video was dubbed, and by whom", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument("file", help="video; a .c2pa file of the same name beside it is read too")
    parser.add_argument(
        "--trust", nargs="+", default=[], metavar="PEM", help="certificates of authorities whose signers you trust"
    )
    parser.add_argument("--watermark", action="store_true", help="also look for the mark of g4g dub --watermark")
    parser.add_argument("--json", metavar="FILE", help="write all that was found")
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Print what the file carries."""
    from pathlib import Path

    from g4g.checkpoints.atomic import write_whole
    from g4g.provenance import INTACT, inspect

    found = inspect(options.file, options.trust, watermark=options.watermark)
    if options.json:
        write_whole(Path(options.json), (found.to_json() + "\n").encode())
    print(name_flags(str(found)))
    if found.state != INTACT:
        sys.exit(1)
