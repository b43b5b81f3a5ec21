"""Train all networks from one packed file in a few minutes, on a GPU or a CPU; weights and figures in one folder.

python benchmarks/train_all.py packed.zip -o OUT --minutes 9 --device cuda [--weights g4g-small] [--fresh]
    [--workers 6 --frames 64]

The speech encoder is taken from the weights; `pack_data.py` makes the packed file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pack_data import unpack_data

from g4g.options import DEFAULT_WEIGHTS
from g4g.training.loop import Plan
from g4g.training.speech_features import name_encoder
from g4g.training.stages import train_stage
from g4g.zoo import build_models, load, save_models

SHARES = {"aligner": 0.25, "motion": 0.0, "generator": 0.85, "fusion": 1.0}
"""Of the time that is left when each begins; motion is fitted and takes what it takes."""
_LEAST_MINUTES = 0.01


def train_all(
    packed: str | Path, out: str | Path, plan: Plan, weights: str = DEFAULT_WEIGHTS, fresh: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, dict]:  # fmt: skip
    """Train aligner, motion, generator and fusion.

    Args:
        packed: what `pack_data` wrote; its features must be those of the weights' speech encoder.
        out: folder for g4g.safetensors, figures.json and a sheet of each training.
        plan: `minutes` in all; the rest holds for each training.
        weights: with the speech encoder; their other networks are trained on.
        fresh: the other networks start from nothing.
    Returns:
        Figures on held-out shots by stage, with the minutes that each took.
    """
    out, started, figures = Path(out), time.monotonic(), {}
    out.mkdir(parents=True, exist_ok=True)
    file = out / "g4g.safetensors"
    models = load(weights)
    if fresh:
        models = replace(build_models("g4g"), speech=models.speech)
    save_models(file, models)
    with tempfile.TemporaryDirectory() as folder:
        features, encoder = unpack_data(packed, folder), name_encoder(models.speech)
        if features != encoder:
            log(f"the features are called {features}, the encoder of {weights} {encoder}: make sure that they fit")
        for stage, share in SHARES.items():
            begun = time.monotonic()
            left = plan.minutes - (begun - started) / 60
            stage_plan = replace(plan, minutes=max(share * left, _LEAST_MINUTES), log=log)
            figures[stage] = train_stage(stage, folder, file, stage_plan, speech=features)
            if (sheet := file.with_suffix(".png")).is_file():
                sheet.rename(out / f"{stage}.png")
            figures[stage]["took_minutes"] = (time.monotonic() - begun) / 60
            (out / "figures.json").write_text(json.dumps(figures, indent=1, default=float))
    file.with_suffix(".safetensors.state").unlink(missing_ok=True)
    return figures


def main() -> None:
    """Parse, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", help="what pack_data.py wrote")
    parser.add_argument("-o", "--out", default="trained", help="folder (%(default)s)")
    parser.add_argument("--minutes", type=float, default=9.0, help="in all (%(default)s)")
    parser.add_argument("--steps", type=int, default=10**9, help="or this many of each training")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (%(default)s)")
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"), help="(%(default)s)")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="with the speech encoder (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="all other networks start from nothing")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw the generator's examples")
    parser.add_argument("--frames", type=int, help="that the generator learns from at a step")
    given = parser.parse_args()
    plan = Plan(
        given.minutes, given.steps, device=given.device, precision=given.precision, workers=given.workers,
        frames=given.frames,
    )  # fmt: skip
    figures = train_all(given.packed, given.out, plan, given.weights, given.fresh)
    for stage, row in figures.items():
        print(f"{stage}: " + ", ".join(f"{name} {value:.4g}" for name, value in row.items()))


if __name__ == "__main__":
    main()
