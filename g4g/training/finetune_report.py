"""What fine-tuning did: in words, as JSON, as a curve and as a contact sheet."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from g4g.checkpoints.atomic import write_whole
from g4g.training.data import Shot
from g4g.training.select_clips import Verdict
from g4g.training.speaker import SpeakerFigures, draw_rows, measure_speaker
from g4g.zoo import Models, load

_MOST_NOTES = 20


@dataclass(frozen=True)
class FinetuneReport:
    """What fine-tuning did.

    Attributes:
        out: the weight file.
        finished: False: Ctrl-C stopped it; `resume` goes on.
        improved: False: no checkpoint beat the base, whose networks the file holds then.
        before, after: held-out figures of the base, and of what the file holds with its gallery.
        curve: minutes of training and held-out figures at every look.
        verdicts: what became of each shot of the clips.
    """

    out: Path
    finished: bool
    improved: bool
    before: SpeakerFigures
    after: SpeakerFigures
    curve: list[tuple[float, SpeakerFigures]]
    verdicts: list[Verdict]

    def __str__(self) -> str:
        seconds = sum(verdict.seconds for verdict in self.verdicts if verdict.used)
        lines = [f"{self.out}: learnt from {seconds:.0f} s of video; on its held-out end:"]
        for name, before in asdict(self.before).items():
            lines.append(f"  {name} {before:.3f} -> {getattr(self.after, name):.3f}")
        if not self.improved:
            lines.append("  fine-tuning did not help: no checkpoint beat the base there, whose networks are kept")
        if not self.finished:
            lines.append("  stopped before its time was over; the same command with --resume goes on")
        return "\n".join(lines) + list_notes(self.verdicts)

    def to_json(self) -> str:
        """Return all fields as JSON text."""
        return json.dumps(asdict(self), default=str, indent=1, ensure_ascii=False)


def list_notes(verdicts: list[Verdict]) -> str:
    """List shots that were not used or were corrected, a line each."""
    rows = [verdict for verdict in verdicts if verdict.note]
    lines = [
        f"\n  {'used' if row.used else 'not used'}: {row.shot or Path(row.clip).name}: {row.note}"
        for row in sorted(rows, key=lambda row: row.used)
    ]
    more = f"\n  and {len(lines) - _MOST_NOTES} more" if len(lines) > _MOST_NOTES else ""
    return "".join(lines[:_MOST_NOTES]) + more


def write_report(folder: Path, result: FinetuneReport, base: Models, held: list[Shot], voice: Shot) -> None:
    """Write report.json, curve.png and sheet.png: held-out frames, real, by the base and by the result."""
    write_whole(folder / "report.json", result.to_json().encode())
    figure = Figure((7, 5), layout="constrained")
    minutes = [0.0, *(minute for minute, _ in result.curve)]
    rows = [result.before, *(figures for _, figures in result.curve)]
    for axes, name in zip(figure.subplots(2, sharex=True), ("mouth_psnr_db", "sync"), strict=True):
        axes.plot(minutes, [getattr(row, name) for row in rows], marker=".", label=name)
        if name == "sync":
            axes.plot(minutes, [row.foreign_sync for row in rows], marker=".", label="foreign_sync")
        axes.legend(frameon=False)
    axes.set_xlabel("minutes of training")
    content = BytesIO()
    figure.savefig(content, dpi=100, format="png")
    write_whole(folder / "curve.png", content.getvalue())
    pictures = [measure_speaker(models, held, voice)[1] for models in (base, load(result.out))]
    draw_rows(pictures, folder / "sheet.png")
