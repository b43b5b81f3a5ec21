"""Measure a weight file on the held-out clips and print the whole table.

python benchmarks/quality.py [--videos FOLDER | --data PREPARED] [--weights g4g-small] [--out DIR] [--limit N]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from alignment import measure_aligner
from clips import GROUPS, Clip, choose_foreign, load_clips, prepare_held_out
from dubs import Dub, dub_clip, write_silence
from judging import report_mask, report_motion, report_silence, report_sync
from pictures import generate_clip, mouth_errors, report_pictures
from sheets import draw_dub

from g4g.dubbing import Dubber
from g4g.errors import G4GError
from g4g.metrics import JUDGE_WEIGHTS, Judge, SyncScore, load_judge
from g4g.metrics.report import Figure, format_table, write_report
from g4g.zoo import DEFAULT_WEIGHTS, load

_VIDEOS = os.path.join(os.environ.get("G4G_DATA", "../shared/data"), "grid")
_SHEETS = {"s1": 3, "unseen": 2}
_SILENT_CLIPS = 20
"""So many clips of a group are dubbed with silence."""


class Bench:
    """One run over the groups of clips; `failed` lists what went wrong and is part of the report."""

    def __init__(self, weights: str, judge: str, out: Path) -> None:
        self.models, self.judge, self.out = load(weights), load_judge(judge), out
        self.dubber = Dubber(self.models)
        self.failed: list[str] = []

    def measure(self, group: str, clips: list[Clip]) -> list[Figure]:
        """Measure one group of clips."""
        say(f"{group}: aligner, {len(clips)} clips")
        figures = measure_aligner(self.models.aligner, clips, group)
        say(f"{group}: generator alone")
        errors = [mouth_errors(clip, generate_clip(self.models, clip)) for clip in clips]
        figures += report_pictures(errors, group, "generator")
        paired = self._dub("paired", [(clip, clip) for clip in clips])
        foreign = choose_foreign(clips)
        unpaired = self._dub("unpaired", foreign)
        still = clips[:_SILENT_CLIPS]
        silent = self._dub_silence(still)
        made = [(clip, dub) for clip, dub in zip(clips, paired, strict=True) if dub is not None]
        if made:
            figures += report_pictures([dub.errors for _, dub in made], group, "dub (after fusion)")
        figures += report_sync(self._score_all(clips, foreign, paired, unpaired), group)
        quiet = [(clip, dub) for clip, dub in zip(still, silent, strict=True) if dub is not None]
        everything = [dub for dub in [*paired, *unpaired, *silent] if dub is not None]
        figures.append(report_mask(everything, group))
        figures += report_silence([c for c, _ in quiet], [d for _, d in quiet], group) if quiet else []
        return figures + (report_motion([c for c, _ in made], [d for _, d in made], group) if made else [])

    def _dub(self, kind: str, pairs: list[tuple[Clip, Clip]]) -> list[Dub | None]:
        """Dub each clip with the sound of the other; draw the first few."""
        results = []
        for number, (clip, sound) in enumerate(pairs):
            say(f"{clip.group}: {kind} dub {number + 1} of {len(pairs)}", end="\r")
            dub = self._try_dub(f"{kind} {clip.name} with {sound.name}", clip, sound.source)
            if dub is not None and number < _SHEETS.get(clip.group, 0):
                draw_dub(dub, clip, sound, self.out / f"{kind}_{clip.name}_{sound.name}.png")
            if dub is not None:
                dub.samples.clear()
            results.append(dub)
        return results

    def _dub_silence(self, clips: list[Clip]) -> list[Dub | None]:
        with tempfile.TemporaryDirectory() as folder:
            silence = write_silence(Path(folder) / "silence.wav", 1.0)
            say(f"{clips[0].group}: silence")
            return [self._try_dub(f"silence {clip.name}", clip, silence) for clip in clips]

    def _try_dub(self, what: str, clip: Clip, audio: Path) -> Dub | None:
        try:
            return dub_clip(self.dubber, clip, audio)
        except G4GError as error:
            self.failed.append(f"{what}: {error}")
            return None

    def _score_all(self, clips, foreign, paired, unpaired) -> dict[str, list[SyncScore | None]]:
        own = [(clip.waveform, clip.shot.times_s) for clip in clips]
        other = [(sound.video_waveform, clip.video_times_s) for clip, sound in foreign]
        return {
            "real clips": [self.judge.score(clip.shot.crops, *sound) for clip, sound in zip(clips, own, strict=True)],
            "undubbed, foreign sound": [
                self.judge.score(clip.shot.crops, *sound) for (clip, _), sound in zip(foreign, other, strict=True)
            ],
            "paired dubs": [score_dub(self.judge, dub, sound) for dub, sound in zip(paired, own, strict=True)],
            "unpaired dubs": [score_dub(self.judge, dub, sound) for dub, sound in zip(unpaired, other, strict=True)],
        }


def score_dub(judge: Judge, dub: Dub | None, sound: tuple) -> SyncScore | None:
    """Score a dub against (waveform, times); a failed dub has no score."""
    return None if dub is None else judge.score(dub.crops, *sound)


def say(text: str, end: str = "\n") -> None:
    """Tell on stderr what is going on."""
    print(text.ljust(70), end=end, file=sys.stderr, flush=True)


def main() -> None:
    """Parse, measure group by group, print the table, write quality.json and the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", default=_VIDEOS, help="folders of GRID clips lie here (default: %(default)s)")
    parser.add_argument("--data", help="folder that g4g prepare wrote (default: the held-out videos are prepared)")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--judge", default=JUDGE_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--out", default="quality", help="folder for quality.json and sheets (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="at most so many clips per group, for a quick look")
    arguments = parser.parse_args()
    out, started = Path(arguments.out), time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    clips = load_clips(arguments.data or prepare_held_out(arguments.videos, out / "data"), arguments.limit)
    bench, figures = Bench(arguments.weights, arguments.judge, out), []
    info = {"weights": arguments.weights, "judge": arguments.judge, "limit": arguments.limit}
    for group in GROUPS.values():
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
