"""g4g finetune."""

from __future__ import annotations

import argparse
import sys

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.cli.progress import show_progress
from g4g.options import FinetuneOptions
from g4g.settings import as_paths, check_exists

_ABOUT = (
    "Learn one speaker from a few minutes of video: g4g dub takes the result as --weights. What is left out or "
    "put right is listed. Ctrl-C keeps the best so far."
)


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("finetune", help="learn one speaker", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument(
        "clips", nargs="+", help="videos of the speaker, or folders of them; 10 s will do, minutes are better"
    )
    parser.add_argument("-o", "--out", required=True, help="weight file to write; OUT.work holds what --resume needs")
    add_settings(parser, FinetuneOptions)
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Learn the speaker and print how well."""
    from g4g.checkpoints import check_weights

    settings = read_settings(options, FinetuneOptions)
    check_weights(FinetuneOptions(**settings).weights)
    check_exists(as_paths(options.clips, "clips"))
    from g4g.training.finetune import finetune  # torch: what is wrong so far was told in half a second

    with show_progress() as report:
        log = lambda line: print(line, file=sys.stderr)  # noqa: E731
        result = finetune(options.clips, options.out, progress=report, log=log, **settings)
    print(result)
