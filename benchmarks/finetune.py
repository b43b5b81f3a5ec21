"""Fine-tune on clips of one person for several lengths of time, and draw what their held-out end gains.

python benchmarks/finetune.py CLIPS... [--weights g4g-small] [--minutes 2 5 10 20] [--data DIR] [--out DIR]

A figure says something of a new person only if the base never saw that person.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from g4g.options import DEFAULT_WEIGHTS
from g4g.training.finetune import finetune


def draw_curve(rows: dict[float, dict[str, float]], path: Path) -> None:
    """Plot each figure against minutes of training; 0 is the base."""
    names = list(next(iter(rows.values())))
    figure = Figure((7, 2.2 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), sharex=True), names, strict=True):
        axes.plot(list(rows), [row[name] for row in rows.values()], marker="o")
        axes.set_ylabel(name)
    axes.set_xlabel("minutes of fine-tuning")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Parse, fine-tune for each length, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", help="videos of one person, or folders of them")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="the base, name or file (default: %(default)s)")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10.0], help="of training (default: 10)")
    parser.add_argument("--data", help="prepared data of other people, replayed against forgetting")
    parser.add_argument("--precision", default="32-true", help="32-true or bf16-mixed (default: %(default)s)")
    parser.add_argument("--out", default="finetune", help="folder for weights and figures (default: %(default)s)")
    arguments = parser.parse_args()
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    rows: dict[float, dict[str, float]] = {}
    for minutes in arguments.minutes:
        report = finetune(
            arguments.clips, out / f"{minutes:g}.safetensors", weights=arguments.weights, minutes=minutes,
            report=out / f"{minutes:g}", precision=arguments.precision, data=arguments.data,
        )  # fmt: skip
        print(report)
        rows = {0.0: asdict(report.before), **rows, minutes: asdict(report.after)}
        (out / "figures.json").write_text(json.dumps({"clips": arguments.clips, "rows": rows}, indent=1))
        draw_curve(rows, out / "curve.png")
    for minutes, row in rows.items():
        print(f"{minutes:g} min", *(f"{name} {value:.3f}" for name, value in row.items()))


if __name__ == "__main__":
    main()
