"""g4g serve."""

from __future__ import annotations

import argparse

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.options import DubOptions, LoadOptions, ServeOptions

_ABOUT = (
    "Show a page in the browser: video or portrait and sound in, dub out. One job at a time; uploads are removed "
    "at the end; every dub carries its provenance. Nothing is sent anywhere. Needs the extra serve, --live the extra "
    "live."
)
_LIKE_DUB = ("sign",)


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("serve", help="dub in the browser", description=_ABOUT)
    parser.set_defaults(run=run)
    add_settings(parser, ServeOptions)
    add_settings(parser, LoadOptions)
    add_settings(parser, DubOptions, _LIKE_DUB)
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    from g4g.serve.server import serve

    load = LoadOptions(**read_settings(options, LoadOptions))
    limits = ServeOptions(**read_settings(options, ServeOptions))
    serve(load, limits, **read_settings(options, DubOptions, _LIKE_DUB))
