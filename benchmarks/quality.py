"""Measure a weight file on the held-out clips and print the whole table.

python benchmarks/quality.py [--videos FOLDER | --data PREPARED] [--weights g4g-small] [--out DIR] [--limit N]
    [--groups s1 unseen s26+s31] [--report]
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from alignment import measure_aligner
from clips import GROUPS, VIDEOS, Clip, choose_foreign, load_clips, prepare_held_out
from dubs import Dubbed, Job, dub_all, write_silence
from judging import report_mask, report_rest, report_silence, report_sync
from pictures import generate_clip, mouth_errors, report_pictures
from sheets import draw_dub

from g4g.dubbing import Dubber
from g4g.metrics import JUDGE_WEIGHTS
from g4g.metrics.evaluate import Evaluation, evaluate
from g4g.metrics.page import write_page
from g4g.metrics.report import Figure, format_table, write_report
from g4g.zoo import DEFAULT_WEIGHTS, load

_SHEETS = 5
"""So many paired and unpaired dubs of each group are drawn."""
_SILENT_CLIPS = 10
"""So many clips of a group are dubbed with silence."""


class Bench:
    """One run over the groups of clips; `failed` lists what went wrong and is part of the report."""

    def __init__(self, weights: str, judge: str, out: Path, pages: bool) -> None:
        self.models, self.judge, self.out, self.pages = load(weights), judge, out, pages
        self.dubber = Dubber(self.models)
        self.silence = write_silence(out / "silence.wav", 1.0)
        self.failed: list[str] = []

    def measure(self, group: str, clips: list[Clip]) -> list[Figure]:
        """Measure one group of clips: networks alone, then dubs by `g4g evaluate`."""
        say(f"{group}: aligner and generator alone, {len(clips)} clips")
        figures = measure_aligner(self.models.aligner, clips, group)
        errors = [mouth_errors(clip, generate_clip(self.models, clip)) for clip in clips]
        figures += report_pictures(errors, group, "generator")

        foreign = choose_foreign(clips)
        paired, own = self._dub(f"paired_{group}", [(clip, None) for clip in clips], clips)
        sounds = [sound for _, sound in foreign]
        unpaired, other = Dubbed([], []), None
        if foreign:
            unpaired, other = self._dub(f"unpaired_{group}", [(clip, sound.source) for clip, sound in foreign], sounds)
        silent, still = self._dub(f"silent_{group}", [(clip, self.silence) for clip in clips[:_SILENT_CLIPS]], [])
        figures += report_sync(own, other, group)
        figures.append(report_mask([paired, unpaired, silent], group))
        return figures + report_silence(still, group) + report_rest(own, group)

    def _dub(self, kind: str, pairs: list[tuple[Clip, Path | None]], voices: list[Clip]) -> tuple[Dubbed, Evaluation]:
        """Dub each clip with a sound (None: its own), evaluate the files, draw the first few, write the page."""
        folder = self.out / kind
        folder.mkdir(exist_ok=True)
        jobs = [
            Job(clip, audio or clip.source, folder / f"{clip.name}-{audio.stem if audio else 'own'}.mp4")
            for clip, audio in pairs
        ]
        dubbed = dub_all(self.dubber, jobs, lambda text: say(f"{kind}: {text}", end="\r"))
        self.failed += dubbed.failed
        result = evaluate(
            [job.out for job in jobs], [clip.source for clip, _ in pairs], [audio for _, audio in pairs if audio],
            judge=self.judge,
            progress=lambda done, total, name: say(f"{kind}: evaluated {done} of {total}", end="\r"),
        )  # fmt: skip
        for job, voice in list(zip(jobs, voices, strict=False))[:_SHEETS]:
            if job.out.is_file():
                draw_dub(job, voice, self.out / f"{kind}_{job.out.stem}.png")
        if self.pages:
            write_page(self.out / f"{kind}_report", result, shlex.join(["python", *sys.argv]))
        return dubbed, result


def say(text: str, end: str = "\n") -> None:
    """Tell on stderr what is going on."""
    print(text.ljust(70), end=end, file=sys.stderr, flush=True)


def main() -> None:
    """Parse, measure group by group, print the table, write quality.json and the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", default=VIDEOS, help="folders of GRID clips lie here (default: %(default)s)")
    parser.add_argument("--data", help="folder that g4g prepare wrote (default: the held-out videos are prepared)")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--judge", default=JUDGE_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--out", default="quality", help="folder for quality.json and sheets (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="at most so many clips per group, for a quick look")
    names = tuple(GROUPS.values())
    parser.add_argument("--groups", nargs="+", default=names, choices=names, help="only these (default: all)")
    parser.add_argument(
        "--report", action="store_true", help="also write the page of g4g evaluate for each kind of dub"
    )
    arguments = parser.parse_args()
    out, started = Path(arguments.out), time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    clips = load_clips(arguments.data or prepare_held_out(arguments.videos, out / "data"), arguments.limit)
    bench, figures = Bench(arguments.weights, arguments.judge, out, arguments.report), []
    info = {"weights": arguments.weights, "judge": arguments.judge, "limit": arguments.limit}
    for group in arguments.groups:
        members = [clip for clip in clips if clip.group == group]
        figures += bench.measure(group, members) if members else []
        info |= {"minutes": round((time.monotonic() - started) / 60, 1), "failed": bench.failed}
        write_report(out / "quality.json", figures, info)
    print(format_table(figures))
    for line in bench.failed:
        print(f"failed: {line}")
    print(f"{info['minutes']} min; figures in {out / 'quality.json'}, sheets in {out}")


if __name__ == "__main__":
    main()
