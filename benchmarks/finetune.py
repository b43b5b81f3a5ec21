"""Fine-tune on a speaker's training clips for several lengths of time, and measure on the held-out clips.

python benchmarks/finetune.py SPEAKER [--videos FOLDER] [--weights g4g-small] [--minutes 2 5 10 20] [--seconds S]
    [--out DIR]

A figure says something of a new speaker only if the base never saw that speaker.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from clips import GROUPS, VIDEOS, Clip, choose_foreign, load_clips
from dubs import Job, dub_all
from matplotlib.figure import Figure

from g4g.dubbing import Dubber
from g4g.metrics.evaluate import evaluate
from g4g.training.data import read_split
from g4g.training.finetune import finetune
from g4g.training.prepare import clip_of, prepare
from g4g.training.speaker import measure_speaker
from g4g.zoo import DEFAULT_WEIGHTS, load

_CLIP_S = 3.0


def measure(weights: str, clips: list[Clip], folder: Path) -> dict[str, float]:
    """Measure weights on held-out clips: mouth PSNR of the crops, and the judge's opinion of the dubbed files."""
    folder.mkdir(exist_ok=True)
    models = load(weights)
    figures, _ = measure_speaker(models, [clip.shot for clip in clips], clips[0].shot)
    result = {"mouth_psnr_db": figures.mouth_psnr_db}
    for kind, pairs in (("own", [(clip, clip) for clip in clips]), ("foreign", choose_foreign(clips))):
        jobs = [Job(clip, voice.source, folder / f"{clip.name}-{voice.name}.mp4") for clip, voice in pairs]
        dub_all(Dubber(models), jobs, lambda text: print(text, end="\r", file=sys.stderr))
        sounds = [] if kind == "own" else [job.audio for job in jobs]
        means = evaluate([job.out for job in jobs], [clip.source for clip, _ in pairs], sounds).summarise()
        result |= {f"{kind}_in_sync": means["dubbed"]["in_sync"], f"{kind}_lse_c": means["dubbed"]["lse_c"]}
        result |= {"real_lse_c": means["real"]["lse_c"]} if kind == "own" else {}
    return result


def draw_curve(rows: dict[float, dict[str, float]], path: Path) -> None:
    """Plot mouth PSNR and LSE-C against minutes of training; 0 is the base."""
    figure = Figure((7, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    upper.plot(list(rows), [row["mouth_psnr_db"] for row in rows.values()], marker="o")
    upper.set_ylabel("mouth PSNR, dB")
    for kind in ("own", "foreign"):
        shares = [row[f"{kind}_lse_c"] / row["real_lse_c"] for row in rows.values()]
        lower.plot(list(rows), shares, marker="o", label=f"{kind} sound")
    lower.set(xlabel="minutes of fine-tuning", ylabel="LSE-C over real")
    lower.legend(frameon=False)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Parse, fine-tune for each length, measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speaker", help="s1, s26 or s31, as the split names them")
    parser.add_argument("--videos", default=VIDEOS, help="folders of GRID clips lie here (default: %(default)s)")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="the base, name or file (default: %(default)s)")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10.0], help="of training (default: 10)")
    parser.add_argument("--seconds", type=float, help="learn from so much video (default: all training clips)")
    parser.add_argument("--data", help="prepared data of other people, replayed against forgetting")
    parser.add_argument("--precision", default="32-true", help="32-true or bf16-mixed (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=8, help="measure on so many clips (default: %(default)s)")
    parser.add_argument(
        "--out", default="finetune", help="folder for weights, figures and sheets (default: %(default)s)"
    )
    arguments = parser.parse_args()
    out, split = Path(arguments.out), read_split()
    out.mkdir(parents=True, exist_ok=True)
    files = {clip_of(file): file for file in sorted((Path(arguments.videos) / arguments.speaker).iterdir())}
    wanted = int(arguments.seconds / _CLIP_S) if arguments.seconds else None
    learnt = list(islice((files[name] for name in split["train"] if name in files), wanted))
    held = [file for name, file in files.items() if any(name in split[key] for key in GROUPS)]
    prepare(held[: arguments.limit], out / "held")
    clips = load_clips(out / "held", None)
    rows = {0.0: measure(arguments.weights, clips, out / "base")}
    for minutes in arguments.minutes:
        name = f"{arguments.speaker}-{minutes:g}"
        report = finetune(
            learnt, out / f"{name}.safetensors", weights=arguments.weights, minutes=minutes, report=out / name,
            precision=arguments.precision, data=arguments.data,
        )  # fmt: skip
        print(report)
        rows[minutes] = {**measure(str(report.out), clips, out / f"{name}-dubs"), "held_out": asdict(report.after)}
        (out / "figures.json").write_text(
            json.dumps({"learnt": len(learnt), "clips": len(clips), "rows": rows}, indent=1)
        )
        draw_curve(rows, out / "curve.png")
    for minutes, row in rows.items():
        print(f"{minutes:g} min", *(f"{name} {value:.3f}" for name, value in row.items() if name != "held_out"))


if __name__ == "__main__":
    main()
