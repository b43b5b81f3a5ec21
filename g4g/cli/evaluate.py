"""g4g evaluate."""

from __future__ import annotations

import argparse
import shlex
import sys

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.cli.progress import show_progress
from g4g.errors import ConfigError, DataError
from g4g.options import EvaluateOptions

_ABOUT = (
    "Measure dubs against the videos that they were made from: sync by a judge that no training saw, picture, "
    "motion; baselines beside. A dub that fails stays in the table as out of sync."
)


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("evaluate", help="measure dubs", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument("outputs", nargs="*", help="dubbed videos, or folders of them")
    parser.add_argument(
        "--reference", nargs="+", default=[], metavar="VIDEO",
        help="their sources, or folders: single files in the same order, else matched by name",
    )  # fmt: skip
    parser.add_argument(
        "--audio", nargs="+", default=[], help="the new sounds; leave out where a dub carries its source's own sound"
    )
    parser.add_argument(
        "--phonemes", nargs="+", default=[], metavar="FILE",
        help="JSON with the times of the new sounds' phonemes, as docs/evaluation.md shows: do lips meet at p, b, m",
    )  # fmt: skip
    parser.add_argument("--list", metavar="FILE", help="instead: a text file with DUB, SOURCE on each line")
    parser.add_argument("--json", metavar="FILE", help="write all figures; a later run goes on from it")
    parser.add_argument("--report", metavar="DIR", help="write a page with plots, sheets and the clips themselves")
    add_settings(parser, EvaluateOptions)
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Measure the dubs and print the table."""
    from g4g.checkpoints import check_weights

    outputs, references = options.outputs, options.reference
    if options.list and (outputs or references):
        raise ConfigError("give either files or --list, not both")
    if not (options.list or outputs):
        raise DataError("no dubbed video given; name files, or folders that hold some")
    check_weights(options.judge)
    from g4g.metrics.evaluate import evaluate, format_evaluation, read_list  # torch
    from g4g.metrics.verdict import reach_verdict

    if options.list:
        outputs, references = map(list, zip(*read_list(options.list), strict=True))
    with show_progress() as report:
        result = evaluate(
            outputs, references, options.audio, phonemes=options.phonemes, json_file=options.json, progress=report,
            **read_settings(options, EvaluateOptions),
        )  # fmt: skip
    print("\n".join([*reach_verdict(result).lines(), "", format_evaluation(result)]))
    if options.report:
        from g4g.metrics.page import write_page

        print(write_page(options.report, result, shlex.join(["g4g", *sys.argv[1:]])))
