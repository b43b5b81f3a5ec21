"""Fine-tune on people for several lengths of time: what their held-out ends gain, as a table and a curve each.

python benchmarks/finetune.py ann=CLIP,CLIP ben=FOLDER [--minutes 1 2 5 10 20] [--one-run] [--data DIR] [--variants]

--one-run trains only for the longest time; the others' figures are the best look up to then, which is a little less
than a training of that length gives, since its rate is still high.
--variants instead tries that nothing is refused: each clip halved, at 15 and 60 frames/s, with music under the voice,
and with the sound 200 ms late. A figure says something of a new person only if the base never saw that person.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe
from matplotlib.figure import Figure

from g4g.errors import ConfigError, G4GError
from g4g.options import DEFAULT_WEIGHTS
from g4g.training.finetune import finetune
from g4g.training.finetune_report import FinetuneReport
from g4g.training.prepare import list_videos
from g4g.training.speaker import SpeakerFigures

_GOAL_DB, _GOAL_SHARE, _LONG_MINUTES = 1.5, 0.2, 10
"""In ten minutes the mouth's PSNR should rise, or the perceptual distance fall, by so much; half of it in two."""
_LOOK_LATE = 0.3
"""Looks come every three quarters of a minute: one that comes so little late still counts."""
_MUSIC = "sine=f=220:d=600,tremolo=f=3,volume=0.1[low];sine=f=330:d=600,tremolo=f=2,volume=0.1[high]"
_H264 = ("-c:v", "libx264", "-crf", "16", "-c:a", "pcm_s16le")
VARIANTS = {
    "as it is": (),
    "halved": ("-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", *_H264),
    "15 frames/s": ("-vf", "fps=15", *_H264),
    "60 frames/s": ("-vf", "fps=60", *_H264),
    "with music": (
        "-filter_complex", f"{_MUSIC};[0:a][low][high]amix=inputs=3:duration=first:normalize=0[out]",
        "-map", "0:v", "-map", "[out]", *_H264,
    ),
    "sound 200 ms late": ("-af", "adelay=200:all=1", *_H264),
}  # fmt: skip
"""What ffmpeg does to a clip."""


def draw_curve(rows: dict[float, dict[str, float]], path: Path) -> None:
    """Plot each figure against minutes of training; 0 is the base."""
    names = list(next(iter(rows.values())))
    figure = Figure((7, 2.2 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), sharex=True), names, strict=True):
        axes.plot(list(rows), [row[name] for row in rows.values()], marker="o")
        axes.set_ylabel(name)
    axes.set_xlabel("minutes of fine-tuning")
    figure.savefig(path, dpi=100)


def judge_gain(before: dict[str, float], after: dict[str, float], minutes: float) -> str:
    """Say what a person gained, and whether that is the goal for so many minutes."""
    rise_db = after["mouth_psnr_db"] - before["mouth_psnr_db"]
    change = after["perceptual"] / before["perceptual"] - 1 if before["perceptual"] else 0.0
    share = 1.0 if minutes >= _LONG_MINUTES else 0.5
    reached = rise_db >= share * _GOAL_DB or change <= -share * _GOAL_SHARE
    worse = [name for name in ("opening_r", "closures_met") if after[name] < before[name] - 0.005]
    words = "" if minutes < 2 else "reached" if reached and not worse else "missed"
    return f"{rise_db:+.2f} dB, perceptual {change:+.0%} {words} {' '.join(f'{name} fell' for name in worse)}".rstrip()


def pick_best(report: FinetuneReport, minutes: float) -> SpeakerFigures:
    """Pick what a run would have kept had it been stopped after so many minutes."""
    looks = [figures for when, figures in report.curve if when <= minutes + _LOOK_LATE]
    return max([report.before, *looks], key=lambda figures: figures.gain_over(report.before))


def measure_person(name: str, clips: list[Path], arguments: argparse.Namespace, out: Path) -> None:
    """Fine-tune on one person for each length, print a row each and draw the curve."""
    rows: dict[float, dict[str, float]] = {}
    for minutes in [max(arguments.minutes)] if arguments.one_run else arguments.minutes:
        report = finetune(
            clips, out / f"{name}-{minutes:g}.safetensors", weights=arguments.weights, minutes=minutes,
            report=out / f"{name}-{minutes:g}", precision=arguments.precision, data=arguments.data,
            log=lambda line: None,
        )  # fmt: skip
        found = {m: asdict(pick_best(report, m)) for m in arguments.minutes if arguments.one_run and m < minutes}
        found[minutes] = asdict(report.after)
        rows = {0.0: asdict(report.before), **rows, **found}
        for m, row in found.items():
            figures = ", ".join(f"{figure} {value:.3f}" for figure, value in row.items())
            print(f"{name}, {m:g} min: {judge_gain(rows[0.0], row, m)} | {figures}", flush=True)
        (out / f"{name}.json").write_text(json.dumps({"clips": [str(clip) for clip in clips], "rows": rows}, indent=1))
        draw_curve(rows, out / f"{name}.png")


def try_variants(name: str, clips: list[Path], weights: str) -> int:
    """Try every variant of each clip for one step; print those that are refused, and what is said of the others."""
    refused = 0
    for clip in clips:
        for variant, changes in VARIANTS.items():
            with tempfile.TemporaryDirectory() as folder:
                changed = clip
                if changes:
                    changed = Path(folder) / f"{clip.stem}.mkv"
                    subprocess.run([get_ffmpeg_exe(), "-v", "error", "-i", clip, *changes, changed], check=True)
                try:
                    report = finetune(
                        [changed], Path(folder) / "out.safetensors", weights=weights, steps=1, workers=1,
                        log=lambda line: None,
                    )  # fmt: skip
                    said = "; ".join(f"{'used' if v.used else 'NOT USED'} {v.note}" for v in report.verdicts)
                except G4GError as error:
                    refused, said = refused + 1, f"REFUSED: {error}"
            print(f"{name}, {clip.stem}, {variant}: {said}", flush=True)
    return refused


def main() -> None:
    """Parse, and measure each person."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", nargs="+", metavar="NAME=CLIPS", help="videos or folders, with commas between them")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="the base, name or file (default: %(default)s)")
    parser.add_argument("--minutes", nargs="+", type=float, default=[2.0, 10.0], help="of training (default: 2 10)")
    parser.add_argument("--one-run", action="store_true", help="train for the longest time only; look at it on the way")
    parser.add_argument("--data", help="prepared data of other people, replayed against forgetting")
    parser.add_argument("--precision", default="32-true", help="32-true or bf16-mixed (default: %(default)s)")
    parser.add_argument("--variants", action="store_true", help="try that changed clips are used, and train one step")
    parser.add_argument("--out", default="finetune", help="folder for weights and figures (default: %(default)s)")
    arguments = parser.parse_args()
    out, refused = Path(arguments.out), 0
    out.mkdir(parents=True, exist_ok=True)
    for person in arguments.people:
        name, is_pair, clips = person.partition("=")
        if not is_pair:
            raise ConfigError(f"people are NAME=CLIP,CLIP or NAME=FOLDER, got {person}")
        files = list_videos(clips.split(","))
        if arguments.variants:
            refused += try_variants(name, files, arguments.weights)
        else:
            measure_person(name, files, arguments, out)
    if arguments.variants:
        print(f"{refused} refused")
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"largest process: {kilobytes / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
