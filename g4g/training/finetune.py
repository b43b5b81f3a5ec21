"""Fine-tune on one speaker: ordinary videos in, that person's weights out."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import torch

from g4g.aligner import Aligner
from g4g.checkpoints import find_weights, hash_file
from g4g.checkpoints.atomic import write_whole
from g4g.errors import ConfigError, DataError
from g4g.generator import make_gallery
from g4g.nn import channels_last, check_device
from g4g.training.best_checkpoint import BestCheckpoint
from g4g.training.data import Shot, load_shot, split_entries
from g4g.training.finetune_report import FinetuneReport, list_notes, write_report
from g4g.training.loop import Plan, train
from g4g.training.prepare import list_videos, prepare
from g4g.training.select_clips import Verdict, hold_out_tail, select_shots
from g4g.training.speaker import PRESETS, SpeakerStage, measure_speaker
from g4g.zoo import DEFAULT_WEIGHTS, TINY_WEIGHTS, grow, load

_MIN_SECONDS = 3.0
_ENOUGH_FRAMES = 20_000
"""13 minutes at 25 frames/s, a gigabyte of crops: more teaches a short training nothing. A quarter of 256 px ones."""
_MOST_REPLAYED = 5_000
"""Frames of other people that are held in memory."""
_HELD_SHARE, _HELD_LEAST, _HELD_MOST = 0.15, 25, 300
_RATE = 3e-4
_LOOK_EVERY_S = 45.0
"""So often all is saved and the held-out figures are taken: a crash loses less than a minute."""


def finetune(
    clips: Iterable[str | Path], out: str | Path, *, weights: str | Path = DEFAULT_WEIGHTS, minutes: float = 10.0,
    steps: int = 10**9, preset: str = "all", finer: int | None = None, data: str | Path | None = None,
    one_person: bool = False, face: str | int | tuple | None = None, faces: str = "mediapipe", workers: int = 2,
    seed: int = 1, device: str = "auto", precision: str = "32-true", resume: bool = False,
    report: str | Path | None = None, progress: Callable[[str, int, int], None] | None = None,
    log: Callable[[str], None] = print,
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
        finer: 2 paints crops of 256 px instead of 128, for sharp video whose faces are as large; None: as the base.
        data: other people's prepared data (`g4g prepare`), replayed against forgetting.
        one_person: never set a shot aside because it looks like another person.
        face: whom to learn in videos of several people, as for `Dubber.dub`; None leaves out where two are seen.
        faces: face backend.
        workers: processes that prepare clips side by side.
        precision: "32-true" or "bf16-mixed", which is half as fast again where the processor has bfloat16.
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
    check_device(device)
    _check(out, minutes, steps, preset)
    base, origin = load(weights), _describe_base(weights)
    finer = finer or base.generator.config.finer
    judge = base.aligner if "aligner" in base.info.get("history", {}) else None
    if base.gallery is not None:
        raise ConfigError(f"{weights} is one speaker's already; start from its base, with all of the speaker's clips")
    base = grow(base, finer)
    replay = _load_replay(data, finer) if data else []
    begun = {"base": origin, "preset": preset, "seed": seed, "face": str(face), "faces": faces, "finer": finer}
    _begin(work, begun, resume)
    if report is not None:
        _make_folder(Path(report))
    torch.manual_seed(seed)
    tell = progress or (lambda stage, done, total: None)
    shots, verdicts = _collect(clips, work, judge, face, faces, finer, workers, one_person, tell)
    learnt, held = hold_out_tail(shots, _HELD_SHARE, _HELD_LEAST, _HELD_MOST)
    if not learnt:
        raise DataError("nothing is left to learn from beside the second that is held out; give a longer clip")
    gallery = make_gallery([shot.pictures for shot in learnt], [shot.landmarks for shot in learnt])
    before, _ = measure_speaker(base, held, learnt[0])
    log(f"base: {before}")
    settings = {"preset": preset, "seed": seed, "minutes": minutes, "precision": precision, "learning_rate": _RATE}
    settings |= {"replayed": len(replay), "finer": finer}
    note = {"base": origin, "settings": settings, "clips": _describe_clips(verdicts)}
    best = BestCheckpoint(out, work / "curve.json", replace(base, gallery=gallery), note, before, log)
    if resume:
        best.remember()
    # The base stays as it is, to be measured and kept.
    models = replace(base, gallery=gallery, **copy.deepcopy(base.parts()))
    stage = SpeakerStage(models, learnt, held, replay, preset)
    channels_last(stage.trained().train())
    plan = Plan(
        minutes, steps, _RATE, seed=seed, device=device, precision=precision, look_every_s=_LOOK_EVERY_S,
        log=lambda line: None,
    )  # fmt: skip
    finished = _train(stage, work / "run", plan, best, resume, tell)
    if not best.improved:
        best.save(base)
    result = FinetuneReport(out, finished, best.improved, before, best.best, best.curve, verdicts)
    if report is not None:
        write_report(Path(report), result, base, held, learnt[0])
    return result


def _check(out: Path, minutes: float, steps: int, preset: str) -> None:
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}; take one of {', '.join(PRESETS)}")
    if not minutes > 0 or steps < 1:
        raise ConfigError(f"training needs more than 0 minutes and at least one step, got {minutes:g} and {steps}")
    if not out.parent.is_dir():
        raise ConfigError(f"cannot write {out}: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise ConfigError(f"cannot write {out}: it is a folder; name a file")


def _train(stage: SpeakerStage, run: Path, plan: Plan, best: BestCheckpoint, resume: bool, tell: Callable) -> bool:
    """Train, and tell whether to the end: Ctrl-C stops it before."""
    share = 0.0

    def report(done: float) -> None:
        nonlocal share
        share = done
        tell("train", round(done * plan.minutes * 60), round(plan.minutes * 60))

    state = run.with_suffix(".state")
    train(stage, run, replace(plan, report=report), best.look, resume and state.is_file())
    return share >= 1


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}; name another place") from error


def _begin(work: Path, settings: dict, resume: bool) -> None:
    """Begin a run in its folder, or make sure that the one to resume was begun alike."""
    file = work / "run.json"
    if not resume:
        before = json.loads(file.read_text()) if file.is_file() else {}
        if any(before.get(name, settings[name]) != settings[name] for name in ("face", "faces", "finer")):
            shutil.rmtree(work)  # its crops show somebody else, or are other ones
        _make_folder(work)
        for old in ("run.state", "curve.json"):
            (work / old).unlink(missing_ok=True)
        write_whole(file, json.dumps(settings).encode())
        return
    if not file.is_file():
        raise DataError(f"nothing to resume: {file} does not exist; start without resume")
    begun = json.loads(file.read_text())
    for name, value in settings.items():
        if begun.get(name, value) != value:  # runs of older versions do not name all
            raise ConfigError(
                f"{work} was begun with another {name}: {_say(begun[name])}, not {_say(value)}; "
                "give the same, or start without resume"
            )


def _say(setting: object) -> str:
    return f"{setting['name']} ({setting['sha256'][:12]})" if isinstance(setting, dict) else str(setting)


def _collect(
    clips, work: Path, judge: Aligner | None, face, faces: str, finer: int, workers: int, one_person: bool, tell
) -> tuple[list[Shot], list[Verdict]]:
    """Prepare the clips and choose the usable shots."""
    files = list_videos(clips)
    index = prepare(
        files, work, face=face, faces=faces, workers=workers, enough_frames=_ENOUGH_FRAMES // finer**2,
        finer=finer, progress=lambda done, total, what: tell("prepare", done, total),
    )  # fmt: skip
    wanted = {str(file.resolve()) for file in files}
    entries = [entry for entry in index["shots"] if entry["source"] in wanted]
    shots, verdicts = select_shots(
        work,
        entries,
        judge,
        one_person=one_person,
        finer=finer,
        progress=lambda done, total: tell("vet", done, total),
    )
    verdicts += [
        Verdict(row["source"], "", row["seconds"], False, f"{row['reason']}, for {row['seconds']:.1f} s")
        for row in index["left_out"]
        if row["source"] in wanted
    ]
    verdicts += [Verdict(failure["source"], "", 0.0, False, failure["reason"]) for failure in index["failed"]]
    seconds = sum(verdict.seconds for verdict in verdicts if verdict.used)
    if seconds < _MIN_SECONDS:
        raise DataError(
            f"{seconds:.1f} s of usable video, at least {_MIN_SECONDS:g} s are needed{list_notes(verdicts)}"
        )
    return shots, verdicts


def _load_replay(data: str | Path, finer: int) -> list[Shot]:
    """Load other people's shots, from each speaker in turn, as many as the memory is to hold."""
    speakers: dict[str, list[dict]] = {}
    for entry in split_entries(data)[0]:
        speakers.setdefault(entry["speaker"], []).append(entry)
    turns = (entry for turn in zip_longest(*speakers.values()) for entry in turn if entry)
    shots: list[Shot] = []
    for entry in turns:
        if sum(map(len, shots)) + entry["frames"] > _MOST_REPLAYED // finer**2:
            break
        shots.append(load_shot(Path(data), entry, finer))
    return shots


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
