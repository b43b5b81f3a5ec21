"""Fine-tune on one speaker: ordinary videos in, that person's weights out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path

import torch
from matplotlib.figure import Figure

from g4g.aligner import Aligner
from g4g.checkpoints import find_weights, hash_file
from g4g.checkpoints.atomic import write_whole
from g4g.errors import ConfigError, DataError
from g4g.generator import make_gallery
from g4g.nn import channels_last
from g4g.training.data import Shot, load_shot, split_entries
from g4g.training.loop import Plan, train
from g4g.training.prepare import list_videos, prepare
from g4g.training.speaker import PRESETS, SpeakerFigures, SpeakerStage, draw_rows, measure_speaker
from g4g.training.vetting import Verdict, hold_out_tail, vet_shots
from g4g.zoo import DEFAULT_WEIGHTS, TINY_WEIGHTS, Models, load, save_models

_MIN_SECONDS = 3.0
_ENOUGH_FRAMES = 20_000
"""13 minutes at 25 frames/s, a gigabyte of crops: more teaches a short training nothing."""
_MOST_REPLAYED = 100
"""Shots of other people that are held in memory."""
_HELD_SHARE, _HELD_LEAST, _HELD_MOST = 0.15, 25, 300
_RATE = 3e-4
_LOOK_EVERY_S = 45.0
"""So often the held-out figures are taken and all is saved: a crash loses less than a minute."""
_MOST_NOTES = 20


@dataclass(frozen=True)
class FinetuneReport:
    """What fine-tuning did.

    Attributes:
        out: the weight file.
        improved: False: no checkpoint beat the base, whose networks the file holds then.
        before, after: held-out figures of the base, and of what the file holds with its gallery.
        curve: minutes of training and held-out figures at every look.
        verdicts: what became of each shot of the clips.
    """

    out: Path
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
            lines.append("  no checkpoint beat the base there, so the base's networks are kept")
        return "\n".join(lines) + list_notes(self.verdicts)

    def to_json(self) -> str:
        """Return all fields as JSON text."""
        return json.dumps(asdict(self), default=str, indent=1, ensure_ascii=False)


def finetune(
    clips: Iterable[str | Path], out: str | Path, *, weights: str | Path = DEFAULT_WEIGHTS, minutes: float = 10.0,
    steps: int = 10**9, preset: str = "all", data: str | Path | None = None, one_person: bool = False,
    face: str | int | tuple | None = None, faces: str = "mediapipe", workers: int = 2, seed: int = 1,
    device: str = "auto", resume: bool = False, report: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None, log: Callable[[str], None] = print,
) -> FinetuneReport:  # fmt: skip
    """Learn one speaker's teeth, lips and skin from a few minutes of video.

    The aligner stays frozen, so that sync does not drift. The end of the clips is held out, and the checkpoint that is
    best on it is kept. OUT.work holds the prepared clips and what `resume` needs; delete it when you are done.

    Args:
        clips: videos of the speaker, or folders of them.
        out: weight file to write; it stands alone, the base is not needed beside it.
        weights: the base, by name or file.
        minutes, steps: length of training, whichever ends first; the clips are prepared before.
        preset: "all", or "decoder", which trains half of the generator: for a few seconds of video.
        data: other people's prepared data (`g4g prepare`), replayed against forgetting.
        one_person: never set a shot aside because it looks like another person.
        face: whom to learn in videos of several people, as for `Dubber.dub`; None refuses such videos.
        faces: face backend.
        workers: processes that prepare clips side by side.
        resume: go on where the same command stopped.
        report: folder for report.json, curve.png and sheet.png.
        progress: called with (stage, done, total).
        log: told the held-out figures at every look.
    Raises:
        DataError: too little usable video, with each shot's reason, or nothing to resume.
        ConfigError: settings that do not fit each other or the run to resume.
        CheckpointError: no such base; a disk that refuses the file, whose last version stays.
    Source:
        Our choice.
    """
    out, work = Path(out), Path(f"{out}.work")
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}; take one of {', '.join(PRESETS)}")
    if not out.parent.is_dir():
        raise ConfigError(f"cannot write {out}: the folder {out.parent} does not exist; make it first")
    base, origin = load(weights), _describe_base(weights)
    judge = base.aligner if "aligner" in base.info.get("history", {}) else None
    if base.gallery is not None:
        raise ConfigError(f"{weights} is one speaker's already; start from its base, with all of the speaker's clips")
    _begin(work, {"base": origin, "preset": preset, "seed": seed, "face": str(face)}, resume)
    torch.manual_seed(seed)
    tell = progress or (lambda stage, done, total: None)
    shots, verdicts = _collect(clips, work, judge, face, faces, workers, one_person, tell)
    learnt, held = hold_out_tail(shots, _HELD_SHARE, _HELD_LEAST, _HELD_MOST)
    gallery = make_gallery([shot.crops for shot in learnt], [shot.landmarks for shot in learnt])
    before, _ = measure_speaker(base, held, learnt[0])
    log(f"base: {before}")
    note = {"base": origin, "preset": preset, "seed": seed, "clips": _describe_clips(verdicts)}
    keeper = _Keeper(out, work / "curve.json", replace(base, gallery=gallery), note, before, log)
    if resume:
        keeper.remember()
    models = replace(load(weights), gallery=gallery)
    stage = SpeakerStage(models, learnt, held, _load_replay(data) if data else [], preset)
    channels_last(stage.trained().train())
    plan = Plan(
        minutes, steps, _RATE, seed=seed, device=device, look_every_s=_LOOK_EVERY_S, log=lambda line: None,
        report=lambda done: tell("train", round(done * minutes * 60), round(minutes * 60)),
    )  # fmt: skip
    train(stage, work / "run", plan, keeper.look, resume and (work / "run.state").is_file())
    if not keeper.improved:
        keeper.save(base)
    result = FinetuneReport(out, keeper.improved, before, keeper.best, keeper.curve, verdicts)
    if report is not None:
        _write_report(Path(report), result, base, held, learnt[0])
    return result


class _Keeper:
    """Keeps the best networks so far in the weight file, and the curve beside the run's state."""

    def __init__(
        self, out: Path, curve_file: Path, models: Models, note: dict, before: SpeakerFigures, log: Callable
    ) -> None:
        self._out, self._curve_file, self._models, self._note, self._log = out, curve_file, models, note, log
        self.before, self.best, self.improved = before, before, False
        self.curve: list[tuple[float, SpeakerFigures]] = []

    def save(self, models: Models) -> None:
        """Write the weight file, with what was learnt and how well it is on held-out frames."""
        figures = {"before": asdict(self.before), "after": asdict(self.best), "improved": self.improved}
        save_models(self._out, replace(models, info={**models.info, "speaker": {**self._note, **figures}}))

    def remember(self) -> None:
        """Take up the curve of the run to resume, and what its file holds."""
        if self._curve_file.is_file():
            self.curve = [(minutes, SpeakerFigures(**row)) for minutes, row in json.loads(self._curve_file.read_text())]
        for _, figures in self.curve:
            self._judge(figures)
        if self.improved and not self._out.is_file():
            raise DataError(
                f"nothing to resume: {self._out}, which held the best so far, is gone; start without resume"
            )

    def look(self, networks: torch.nn.ModuleDict, figures: dict[str, float]) -> None:
        """Note the figures of a checkpoint, and save it if it is the best so far."""
        now = SpeakerFigures(*(figures[name] for name in asdict(self.before)))
        is_best = self._judge(now)
        if is_best:
            self.save(replace(self._models, **networks))
        self.curve.append((figures["minutes"], now))
        curve = json.dumps([(minutes, asdict(row)) for minutes, row in self.curve])
        write_whole(self._curve_file, curve.encode())
        self._log(f"{figures['minutes']:.1f} min  {now}{'  best so far' if is_best else ''}")

    def _judge(self, figures: SpeakerFigures) -> bool:
        better = figures.is_better_than(self.best, self.before)
        if better:
            self.best, self.improved = figures, True
        return better


def list_notes(verdicts: list[Verdict]) -> str:
    """List shots that were not used or were corrected, a line each."""
    rows = [verdict for verdict in verdicts if verdict.note]
    lines = [
        f"\n  {'used' if row.used else 'not used'}: {row.shot or Path(row.clip).name}: {row.note}"
        for row in sorted(rows, key=lambda row: row.used)
    ]
    more = f"\n  and {len(lines) - _MOST_NOTES} more" if len(lines) > _MOST_NOTES else ""
    return "".join(lines[:_MOST_NOTES]) + more


def _begin(work: Path, settings: dict, resume: bool) -> None:
    """Begin a run in its folder, or make sure that the one to resume was begun alike."""
    file = work / "run.json"
    if not resume:
        if file.is_file() and json.loads(file.read_text()).get("face") != settings["face"]:
            shutil.rmtree(work)  # its clips show somebody else
        work.mkdir(exist_ok=True)
        for old in ("run.state", "curve.json"):
            (work / old).unlink(missing_ok=True)
        write_whole(file, json.dumps(settings).encode())
        return
    if not file.is_file():
        raise DataError(f"nothing to resume: {file} does not exist; start without resume")
    begun = json.loads(file.read_text())
    for name, value in settings.items():
        if begun.get(name) != value:
            raise ConfigError(
                f"{work} was begun with another {name}: {_say(begun.get(name))}, not {_say(value)}; "
                "give the same, or start without resume"
            )


def _say(setting: object) -> str:
    return f"{setting['name']} ({setting['sha256'][:12]})" if isinstance(setting, dict) else str(setting)


def _collect(
    clips, work: Path, judge: Aligner | None, face, faces: str, workers: int, one_person: bool, tell
) -> tuple[list[Shot], list[Verdict]]:
    """Prepare the clips and choose the usable shots."""
    files = list_videos(clips)
    index = prepare(
        files, work, face=face, faces=faces, workers=workers, enough_frames=_ENOUGH_FRAMES,
        progress=lambda done, total, what: tell("prepare", done, total),
    )  # fmt: skip
    wanted = {str(file.resolve()) for file in files}
    entries = [entry for entry in index["shots"] if entry["source"] in wanted]
    shots, verdicts = vet_shots(
        work, entries, judge, one_person=one_person, progress=lambda done, total: tell("vet", done, total)
    )
    verdicts += [Verdict(failure["source"], "", 0.0, False, failure["reason"]) for failure in index["failed"]]
    seconds = sum(verdict.seconds for verdict in verdicts if verdict.used)
    if seconds < _MIN_SECONDS:
        raise DataError(
            f"{seconds:.1f} s of usable video, at least {_MIN_SECONDS:g} s are needed{list_notes(verdicts)}"
        )
    return shots, verdicts


def _load_replay(data: str | Path) -> list[Shot]:
    """Load other people's shots, from each speaker in turn, as many as the memory is to hold."""
    speakers: dict[str, list[dict]] = {}
    for entry in split_entries(data)[0]:
        speakers.setdefault(entry["speaker"], []).append(entry)
    turns = (entry for turn in zip_longest(*speakers.values()) for entry in turn if entry)
    return [load_shot(Path(data), entry) for entry in islice(turns, _MOST_REPLAYED)]


def _describe_base(weights: str | Path) -> dict:
    if str(weights) == TINY_WEIGHTS:
        return {"name": TINY_WEIGHTS, "sha256": "seeded"}
    return {"name": Path(weights).name, "sha256": hash_file(find_weights(weights))}


def _describe_clips(verdicts: list[Verdict]) -> list[dict]:
    """Say in the weight file which videos it learnt from."""
    used: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.used:
            used[verdict.clip] = used.get(verdict.clip, 0.0) + verdict.seconds
    return [
        {"file": Path(clip).name, "sha256": hash_file(Path(clip)), "seconds": round(seconds, 2)}
        for clip, seconds in used.items()
    ]


def _write_report(folder: Path, result: FinetuneReport, base: Models, held: list[Shot], voice: Shot) -> None:
    """Write report.json, curve.png and sheet.png: held-out frames, real, by the base and by the result."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(result.to_json())
    figure = Figure((7, 5), layout="constrained")
    minutes = [0.0, *(minute for minute, _ in result.curve)]
    rows = [result.before, *(figures for _, figures in result.curve)]
    for axes, name in zip(figure.subplots(2, sharex=True), ("mouth_psnr_db", "sync"), strict=True):
        axes.plot(minutes, [getattr(row, name) for row in rows], marker=".", label=name)
        if name == "sync":
            axes.plot(minutes, [row.foreign_sync for row in rows], marker=".", label="foreign_sync")
        axes.legend(frameon=False)
    axes.set_xlabel("minutes of training")
    figure.savefig(folder / "curve.png", dpi=100)
    pictures = [measure_speaker(models, held, voice)[1] for models in (base, load(result.out))]
    draw_rows(pictures, folder / "sheet.png")
