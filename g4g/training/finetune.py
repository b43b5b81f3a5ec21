"""Fine-tune on one speaker: ordinary videos in, that person's weights out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch

from g4g.audio import encode_speech
from g4g.avatar import Learnt
from g4g.checkpoints import find_weights, hash_file
from g4g.checkpoints.atomic import write_whole
from g4g.errors import ConfigError, DataError
from g4g.nn import check_device
from g4g.options import CROP_PX, FinetuneOptions, make_options
from g4g.settings import as_path
from g4g.training.base_teacher import make_foreign
from g4g.training.best_checkpoint import BestCheckpoint
from g4g.training.data import Shot, load_shot, read_crop_px, split_entries
from g4g.training.finetune_report import FinetuneReport, list_notes, write_report
from g4g.training.loop import Plan
from g4g.training.prepare import list_videos, prepare
from g4g.training.select_clips import SyncCheck, Verdict, select_shots
from g4g.training.speaker_avatar import find_best_clip, write_avatar
from g4g.training.speaker_run import SPEAKER_RATE, Lessons, SpeakerRun
from g4g.training.speech_features import add_speech, name_encoder
from g4g.zoo import TINY_WEIGHTS, Models, load

_MIN_SECONDS = 1.4
_ENOUGH_FRAMES = 20_000
"""13 minutes at 25 frames/s, 2 GB of crops on disk: more teaches a short training nothing."""
_SOUNDS = 20
"""Shots whose sound is turned into foreign voices."""
_MOST_REPLAYED = 5_000
"""Frames of other people."""


def finetune(
    clips: str | Path | Iterable[str | Path], out: str | Path, *,
    progress: Callable[[str, int, int], None] | None = None, log: Callable[[str], None] = print, **settings,
) -> FinetuneReport:  # fmt: skip
    """Learn one speaker's movements, teeth, lips and skin from a few minutes of video.

    Motion is refitted in closed form, then the generator is trained; speech encoder, aligner and fusion stay. The end
    of the clips is held out: motion is kept if mouths open there as truly as by the base's, the generator's best
    checkpoint if its picture is better. OUT.work holds the prepared clips and what `resume` needs. New processes
    prepare clips, so a script needs `if __name__ == "__main__":`.

    Args:
        clips: videos of the speaker, or folders of them; a single path is a list of one.
        out: weight file to write; it stands alone, the base is not needed beside it.
        progress: called with (stage, done, total).
        log: told the held-out figures at every look.
        settings: as `g4g.options.FinetuneOptions` names them.
    Raises:
        DataError: no usable video, with each shot's reason, or nothing to resume.
        ConfigError: settings that do not fit each other or the run to resume.
        CheckpointError: no such base; a disk that refuses the file, whose last version stays.
    Source:
        Our choice.
    """
    options, out, work = make_options(FinetuneOptions, settings), as_path(out, "out"), Path(f"{out}.work")
    check_device(options.device)
    clips = _check_files(clips, [out, *([Path(options.avatar)] if options.avatar else [])])
    base, origin = load(options.weights), _describe_base(options.weights)
    if "speaker" in base.info:
        raise ConfigError(
            f"{options.weights} is one speaker's already; start from its base, with all of the speaker's clips"
        )
    crop_px = read_crop_px(options.data) if options.data else CROP_PX
    _begin(work, options.describe_run(origin) | {"crop_px": crop_px}, options.resume)
    if options.report is not None:
        _make_folder(Path(options.report))
    torch.manual_seed(options.seed)
    tell = progress or (lambda stage, done, total: None)
    replay = load_replay(options.data, base) if options.data else []
    shots, verdicts = _collect(clips, work, base, options, crop_px, tell)
    waveform = np.concatenate([shot.waveform for shot in shots[:_SOUNDS]]) / np.float32(32767)
    foreign = [] if replay else make_foreign(base, waveform)
    run = SpeakerRun(base, Lessons.split(shots, replay, foreign), log)
    note = {"base": origin, "settings": _describe(options, replay), "clips": _describe_clips(verdicts)}
    best = BestCheckpoint(out, work / "curve.json", run.adapted, note, run.before, log)
    if options.resume:
        best.remember()
    finished = run.train(work / "run", _make_plan(options, tell), best, options.resume)
    if options.avatar is not None:
        learnt = Learnt.of(base, load(out), best.curve[-1][0], f"was learnt by g4g finetune: {best.best}")
        write_avatar(find_best_clip(verdicts), base, learnt, options, progress)
    result = FinetuneReport(out, finished, best.improved, run.before, best.best, best.curve, verdicts)
    if options.report is not None:
        write_report(Path(options.report), result, [base.generator, load(out).generator], run.measured)
    return result


def _make_plan(options: FinetuneOptions, tell: Callable[[str, int, int], None]) -> Plan:
    """Say how long to train, and on what; `tell` is called with ("train", seconds done, seconds in all)."""
    total = round(options.minutes * 60)
    return Plan(
        options.minutes, options.steps, seed=options.seed, device=options.device, precision=options.precision,
        report=lambda done: tell("train", round(done * total), total),
    )  # fmt: skip


def _check_files(clips: str | Path | Iterable[str | Path], outputs: list[Path]) -> list[Path]:
    """List the videos, and make sure that the outputs can be written, before anything is loaded."""
    for out in outputs:
        if not out.parent.is_dir():
            raise ConfigError(f"cannot write {out}: the folder {out.parent} does not exist; make it first")
        if out.is_dir():
            raise ConfigError(f"cannot write {out}: it is a folder; name a file")
    return list_videos(clips)


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
        if any(before.get(name, settings[name]) != settings[name] for name in ("face", "faces", "crop_px")):
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
        if begun.get(name) != value:
            raise ConfigError(
                f"{work} was begun with another {name}: {_say(begun.get(name))}, not {_say(value)}; "
                "give the same, or start without resume"
            )


def _say(setting: object) -> str:
    return f"{setting['name']} ({setting['sha256'][:12]})" if isinstance(setting, dict) else str(setting)


def _collect(
    files: list[Path], work: Path, base: Models, options: FinetuneOptions, crop_px: int, tell: Callable
) -> tuple[list[Shot], list[Verdict]]:
    """Prepare the clips and choose the usable shots."""
    index = prepare(
        files, work, face=options.face, faces=options.faces, workers=options.workers, enough_frames=_ENOUGH_FRAMES,
        crop_px=crop_px, progress=tell,
    )  # fmt: skip
    wanted = {str(file.resolve()) for file in files}
    entries = [entry for entry in index["shots"] if entry["source"] in wanted]
    history = base.info.get("history")
    aligner = None if history and "aligner" not in history else base.aligner
    sync = SyncCheck(aligner, name_encoder(base.speech), lambda waveform: encode_speech(base.speech, waveform))
    shots, verdicts = select_shots(work, entries, sync, one_person=options.one_person, progress=tell)
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


def load_replay(data: str | Path, base: Models) -> list[Shot]:
    """Load other people's shots with their features, from each speaker in turn, up to _MOST_REPLAYED frames."""
    speakers: dict[str, list[dict]] = {}
    for entry in split_entries(data)[0]:
        if entry["kind"] == "video":
            speakers.setdefault(entry["speaker"], []).append(entry)
    turns = (entry for turn in zip_longest(*speakers.values()) for entry in turn if entry)
    chosen: list[dict] = []
    for entry in turns:
        if sum(other["frames"] for other in chosen) + entry["frames"] > _MOST_REPLAYED:
            break
        chosen.append(entry)
    shots = [load_shot(Path(data), entry) for entry in chosen]
    return add_speech(shots, data, name_encoder(base.speech), lambda waveform: encode_speech(base.speech, waveform))


def _describe_base(weights: str | Path) -> dict:
    if str(weights) == TINY_WEIGHTS:
        return {"name": TINY_WEIGHTS, "sha256": "seeded"}
    return {"name": Path(weights).name, "sha256": hash_file(find_weights(weights))}


def _describe(options: FinetuneOptions, replay: list[Shot]) -> dict:
    kept = {name: asdict(options)[name] for name in ("seed", "minutes", "precision", "one_person")}
    return {**kept, "learning_rate": SPEAKER_RATE, "replayed": len(replay)}


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
