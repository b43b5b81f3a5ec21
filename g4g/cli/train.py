"""g4g train."""

from __future__ import annotations

import argparse

from g4g.cli.flags import add_debug, add_settings, read_settings
from g4g.errors import ConfigError
from g4g.options import TrainOptions

_ABOUT = "Train one stage on prepared data. Ctrl-C stops cleanly; OUT.state holds what --resume needs."
_STAGES = ("speech", "aligner", "motion", "generator", "fusion", "judge")


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("train", help="train a network", description=_ABOUT)
    parser.set_defaults(run=run)
    parser.add_argument(
        "stage", choices=_STAGES,
        help="in this order; speech only where Whisper's encoder shall be replaced by a causal one; motion is fitted "
        "in a minute; the judge only scores sync and stands apart",
    )  # fmt: skip
    parser.add_argument("data", help="folder that g4g prepare wrote; for speech: g4g.training.speech_data")
    parser.add_argument("-o", "--out", required=True, help="weight file; all but the judge share one")
    parser.add_argument("--weights", help="start from these (default: OUT where it exists, else fresh networks)")
    add_settings(parser, TrainOptions)
    parser.add_argument("--seed", type=int, help="(1)")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="SPEAKER", help="leave out these speakers, to measure on them"
    )
    parser.add_argument(
        "--speech", metavar="NAME", help="take the features in DATA/speech/NAME; else the weights' encoder makes them"
    )
    parser.add_argument("--resume", action="store_true", help="go on from OUT.state")
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Train one stage and print its held-out figures."""
    settings = read_settings(options, TrainOptions)
    TrainOptions(**settings)
    from g4g.training.loop import Plan  # torch: what is wrong so far was told in half a second

    if options.stage == "judge":
        if options.weights or options.seed is not None:
            raise ConfigError("the judge starts from nothing and has its own seed; leave out --weights and --seed")
        from g4g.training.judge import SEED, train_judge

        figures = train_judge(options.data, options.out, Plan(seed=SEED, **settings), resume=options.resume)
    else:
        from g4g.training.stages import train_stage

        plan = Plan(seed=1 if options.seed is None else options.seed, **settings)
        figures = train_stage(
            options.stage, options.data, options.out, plan, weights=options.weights, without=options.without,
            speech=options.speech, resume=options.resume,
        )  # fmt: skip
    print(f"{options.out}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
