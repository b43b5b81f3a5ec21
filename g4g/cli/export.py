"""g4g export."""

from __future__ import annotations

import argparse

from g4g.cli.flags import add_debug, add_settings
from g4g.options import DubOptions

_ABOUT = (
    "Write speech.onnx, generator.onnx and fusion.onnx, each checked against torch in ONNX Runtime. "
    "Needs the extra onnx: pip install 'g4g[onnx]'."
)


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("export", help="write the networks as ONNX files", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument("weights", help="a shipped name such as g4g-small, or a file")
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="folder to write into")
    add_settings(parser, DubOptions, ("overwrite",))
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Export the networks and print each file with its largest error."""
    from g4g.export import export_onnx
    from g4g.zoo import load

    print(*export_onnx(load(options.weights), options.out, overwrite=options.overwrite), sep="\n")
