"""Measure a weight file on the held-out clips and print the whole table.

python benchmarks/quality.py [--videos FOLDER | --data PREPARED ...] [--weights g4g-small] [--out DIR] [--limit N]
    [--groups s1 unseen ...] [--report]

renderer.py and motion.py measure these two alone.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from alignment import measure_aligner
from clips import Clip, choose_foreign
from command import Report, load_groups, make_parser, say
from dubs import Dubbed, Job, dub_all, write_silence
from judging import report_copy, report_mask, report_rest, report_silence, report_sync
from sheets import draw_dub

from g4g.dubbing import Dubber
from g4g.metrics.evaluate import Evaluation, evaluate
from g4g.metrics.page import write_page
from g4g.metrics.report import Figure
from g4g.zoo import load

_SHEETS = 5
"""Dubs of each group and kind that are drawn."""
_SILENT_CLIPS = 10
"""Clips of each group that are dubbed with silence."""


class Bench:
    """One run over the groups of clips; what goes wrong is added to `failed`."""

    def __init__(self, weights: str | Path, judge: str, out: Path, failed: list[str], pages: bool = False) -> None:
        self.models, self.judge = load(weights), judge
        self.out, self.pages, self.failed = out, pages, failed
        self.dubber = Dubber(self.models)
        self.silence = write_silence(self.out / "silence.wav", 1.0)

    def measure(self, group: str, clips: list[Clip]) -> list[Figure]:
        """Measure one group of clips: the aligner alone, then dubs by `g4g evaluate`."""
        say(f"{group}: aligner alone, {len(clips)} clips")
        figures = measure_aligner(self.models, clips, group)
        foreign = choose_foreign(clips)
        own, own_scores = self._dub(f"own_{group}", [(clip, None) for clip in clips], clips)
        other, other_scores = Dubbed([], []), None
        if foreign:
            pairs = [(clip, sound.source) for clip, sound in foreign]
            other, other_scores = self._dub(f"foreign_{group}", pairs, [sound for _, sound in foreign])
        silent, still = self._dub(f"silent_{group}", [(clip, self.silence) for clip in clips[:_SILENT_CLIPS]], [])
        figures += report_copy(own_scores, group) + report_sync(own_scores, other_scores, group)
        figures.append(report_mask([own, other, silent], group))
        return figures + report_silence(still, group) + report_rest(own_scores, group)

    def _dub(self, kind: str, pairs: list[tuple[Clip, Path | None]], voices: list[Clip]) -> tuple[Dubbed, Evaluation]:
        """Dub each clip with a sound (None: its own), evaluate the files, draw the first few, write the page."""
        folder = self.out / kind
        folder.mkdir(exist_ok=True)
        jobs = [Job(clip, audio, folder / f"{clip.name}-{audio.stem if audio else 'own'}.mp4") for clip, audio in pairs]
        dubbed = dub_all(self.dubber, jobs, lambda text: say(f"{kind}: {text}", end="\r"))
        self.failed += dubbed.failed
        result = evaluate(
            [job.out for job in jobs], [clip.source for clip, _ in pairs], [audio for _, audio in pairs if audio],
            judge=self.judge,
            progress=lambda stage, done, total: say(f"{kind}: evaluated {done} of {total}", end="\r"),
        )  # fmt: skip
        for job, voice in list(zip(jobs, voices, strict=False))[:_SHEETS]:
            if job.out.is_file():
                draw_dub(job, voice, self.out / f"{kind}_{job.out.stem}.png")
        if self.pages:
            write_page(self.out / f"{kind}_report", result, shlex.join(["python", *sys.argv]))
        return dubbed, result


def main() -> None:
    """Parse, measure group by group, print the table, write quality.json and the sheets."""
    parser = make_parser(__doc__, "quality")
    parser.add_argument(
        "--report", action="store_true", help="also write the page of g4g evaluate for each kind of dub"
    )
    options = parser.parse_args()
    report = Report(Path(options.out) / "quality.json", options)
    bench = Bench(options.weights, options.judge, Path(options.out), report.failed, options.report)
    for group, clips in load_groups(options).items():
        report.add(bench.measure(group, clips))
    report.end()


if __name__ == "__main__":
    main()
