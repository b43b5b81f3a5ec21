"""Train once without each part of G4G, all for as many steps, and measure what is lost.

python benchmarks/ablation.py DATA [--weights g4g-small] [--steps 600] [--limit 4] [--out DIR] [--only NAME ...]

The aligner is trained from scratch by the diagonal-matrix loss and by plain pairwise contrast; the generator from
scratch on the given weights' aligner, and measured with their fusion. DATA is what g4g prepare wrote, training and
held-out clips. A variant that DIR has with as many steps is not trained anew.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from alignment import measure_aligner
from clips import Clip, load_clips
from quality import Bench

from g4g.faces.landmarks import JAW, MOUTH
from g4g.fusion import Fusion
from g4g.generator import Generator, loss
from g4g.generator.model import Moved, References
from g4g.metrics import JUDGE_WEIGHTS
from g4g.metrics.report import Figure, format_table
from g4g.training import aligner as aligner_stage
from g4g.training import generator as generator_stage
from g4g.training.stages import train_stage
from g4g.zoo import DEFAULT_WEIGHTS, Models, build_models, load, save_models

ALIGNERS = ("diagonal loss", "without the diagonal loss")
GENERATORS = (
    "whole", "without fusion", "without sync", "without multi-scale supervision", "without landmarks",
    "without deformation",
)  # fmt: skip
_NO_END = 1e6
"""Minutes: steps end the training, so that other work on the machine favours no variant."""
_SHOWN = ("mouth PSNR, dB", "above copying", "offset", "LSE-C over", "sharpness", "articulation", "mask's edge")


@contextlib.contextmanager
def leave_out(name: str) -> Iterator[None]:
    """Leave out what a variant's name says, in training and in use."""
    weights = generator_stage._WEIGHTS
    patches = {
        # As many windows, but each of another clip.
        "without the diagonal loss": [
            mock.patch.multiple(aligner_stage, _CLIPS=aligner_stage._CLIPS * aligner_stage._WINDOWS, _WINDOWS=1),
            mock.patch.dict(aligner_stage._WEIGHTS, margin=0.0),
        ],
        "without fusion": [mock.patch.object(Fusion, "forward", lambda self, made, real, mask: (made, mask))],
        "without sync": [mock.patch.dict(weights, sync=0.0, foreign_sync=0.0)],
        "without multi-scale supervision": [mock.patch.object(loss, "_COARSER", 0.0)],
        "without landmarks": [
            mock.patch.dict(weights, landmarks=0.0),
            mock.patch.object(Generator, "move_mouth", _stay),
        ],
        "without deformation": [mock.patch.object(Generator, "_deform", _paint_only)],
    }
    with contextlib.ExitStack() as stack:
        for patch in patches.get(name, []):
            stack.enter_context(patch)
        yield


def _stay(self: Generator, landmarks, sound: torch.Tensor, reference_landmarks: torch.Tensor) -> Moved:
    """As `move_mouth`, with a mouth that stays where it mostly is and no geometry told."""
    middle = reference_landmarks.mean(1)
    still = torch.cat([middle[:, JAW], middle[:, MOUTH]], 1)
    return Moved(still, sound.new_zeros(len(sound), self.config.style))


def _paint_only(
    self: Generator, maps: torch.Tensor, references: References, reduction: int, deform=Generator._deform
) -> torch.Tensor:
    """As `_deform`, with no reference visible anywhere."""
    k = self.config.references
    hidden = torch.full_like(maps[:, 2 * k : 3 * k], -1e4)
    return deform(self, torch.cat([maps[:, : 2 * k], hidden, maps[:, 3 * k :]], 1), references, reduction)


def train_variant(name: str, base: Models, data: str, out: Path, steps: int, precision: str) -> Path:
    """Train a variant from scratch, unless `out` has it with as many steps, and return its weight file."""
    # Without fusion only the use differs.
    file = out / f"{'whole' if name == 'without fusion' else name.replace(' ', '_')}.safetensors"
    stage, steps = ("aligner", 3 * steps) if name in ALIGNERS else ("generator", steps)
    if file.is_file() and load(file).info["history"].get(stage, {}).get("figures", {}).get("steps") == steps:
        return file
    file.unlink(missing_ok=True)  # training goes on from a file that is there
    if stage == "generator":
        torch.manual_seed(1)
        history = {"aligner": base.info["history"]["aligner"]}
        fresh = build_models(name).generator
        save_models(file, replace(base, generator=fresh, info={**base.info, "history": history}))
    train_stage(stage, data, file, minutes=_NO_END, steps=steps, precision=precision)
    return file


def measure_dubs(weights: str | Path, out: Path, group: str, clips: list[Clip]) -> list[Figure]:
    """Measure what a table of variants shows, of dubs of these clips. Raises RuntimeError where a dub fails."""
    out.mkdir(exist_ok=True)
    failed: list[str] = []
    figures = Bench(weights, JUDGE_WEIGHTS, out, failed).measure(group, clips)
    if failed:
        raise RuntimeError(f"dubs of {weights} failed: {', '.join(failed)}")
    return [figure for figure in figures if any(word in figure.name for word in _SHOWN)]


def main() -> None:
    """Parse, train and measure each variant, print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder that g4g prepare wrote")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="whose aligner and fusion serve (%(default)s)")
    parser.add_argument("--steps", type=int, default=600, help="of each generator; aligners take 3 times (%(default)s)")
    parser.add_argument("--precision", default="32-true", help="32-true or bf16-mixed (%(default)s)")
    parser.add_argument("--limit", type=int, default=4, help="clips of each group (%(default)s)")
    parser.add_argument("--groups", nargs="+", default=["s1", "unseen"], help="(%(default)s)")
    parser.add_argument("--out", default="ablation", help="folder for weights, sheets and ablation.json (%(default)s)")
    parser.add_argument("--only", nargs="+", default=[*ALIGNERS, *GENERATORS], help="variants (default: all)")
    arguments = parser.parse_args()
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    base, clips, rows = load(arguments.weights), load_clips(arguments.data, arguments.limit), []
    for name in arguments.only:
        with leave_out(name):
            file = train_variant(name, base, arguments.data, out, arguments.steps, arguments.precision)
            for group in arguments.groups:
                members = [clip for clip in clips if clip.group == group]
                if name in ALIGNERS:
                    figures = measure_aligner(load(file).aligner, members, group)
                else:
                    figures = measure_dubs(file, out / name.replace(" ", "_"), group, members)
                rows += [replace(figure, point=name, target=None) for figure in figures]
        (out / "ablation.json").write_text(json.dumps([vars(row) for row in rows], indent=1))
    print(format_table(rows))


if __name__ == "__main__":
    main()
