"""Fine-tune on one speaker: ordinary videos in, that person's weights out."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path

import torch

from g4g.audio import encode_speech
from g4g.checkpoints import find_weights, hash_file
from g4g.checkpoints.atomic import write_whole
from g4g.errors import ConfigError, DataError
from g4g.nn import channels_last, check_device
from g4g.options import CROP_PX, FinetuneOptions
from g4g.settings import as_path
from g4g.training.best_checkpoint import BestCheckpoint
from g4g.training.data import Shot, load_shot, read_crop_px, split_entries
from g4g.training.finetune_report import FinetuneReport, list_notes, write_report
from g4g.training.loop import Plan, train, warn_of_slow_precision
from g4g.training.motion import adapt_motion
from g4g.training.perceptual import find_perceptual
from g4g.training.prepare import list_videos, prepare
from g4g.training.select_clips import SyncCheck, Verdict, hold_out_tail, select_shots
from g4g.training.speaker import HeldOut, SpeakerFigures, SpeakerStage, measure_mouths
from g4g.training.speech_features import add_speech, name_encoder
from g4g.zoo import TINY_WEIGHTS, Models, load

_MIN_SECONDS = 1.4
_ENOUGH_FRAMES = 20_000
"""13 minutes at 25 frames/s, 2 GB of crops on disk: more teaches a short training nothing."""
_MOST_REPLAYED = 5_000
"""Frames of other people."""
_HELD_SHARE, _HELD_MOST = 0.15, 300
_HELD_LEAST, _HELD_OF_LITTLE, _LITTLE = 25, 10, 75
"""Frames that are held out at least, and where there are fewer than `_LITTLE` in all."""
_RATE = 1e-4
_STRENGTHS_S, _CLOSURES_MAY_FALL = (60.0, 300.0), 0.02
"""Motion trusts its base as much as this many seconds of the person's speech: 60 are best for most people that we
tried (opening correlation up by 0.02 to 0.12); where that fails on the held-out end, 300."""
_LOOK_EVERY_S = 45.0
"""So often all is saved and the held-out figures are taken: a crash loses less than a minute."""


def finetune(
    clips: str | Path | Iterable[str | Path], out: str | Path, *,
    progress: Callable[[str, int, int], None] | None = None, log: Callable[[str], None] = print, **settings,
) -> FinetuneReport:  # fmt: skip
    """Learn one speaker's movements, teeth, lips and skin from a few minutes of video.

    Motion is refitted in closed form, then the generator is trained; speech encoder, aligner and fusion stay. The end
    of the clips is held out: motion is kept if mouths open there as truly as by the base's, the generator's best
    checkpoint if its picture is better. OUT.work holds the prepared clips and what `resume` needs.

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
    options, out, work = FinetuneOptions(**settings), as_path(out, "out"), Path(f"{out}.work")
    check_device(options.device)
    clips = _check_files(clips, out)
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
    replay = _load_replay(options.data, base) if options.data else []
    shots, verdicts = _collect(clips, work, base, options, crop_px, tell)
    least = _HELD_LEAST if sum(map(len, shots)) >= _LITTLE else _HELD_OF_LITTLE
    learnt, held = hold_out_tail(shots, _HELD_SHARE, least, _HELD_MOST)
    if not learnt:
        raise DataError("nothing is left to learn from beside the end that is held out; give a longer clip")
    adapted, mouths = _adapt(base, learnt, held, log)
    measured = HeldOut(base.generator, held, learnt, find_perceptual(log))
    before = SpeakerFigures(*measured.measure(base.generator)[:2], *measure_mouths(base.motion, held))
    log(f"base: {before}")
    note = {"base": origin, "settings": _describe(options, replay), "clips": _describe_clips(verdicts)}
    best = BestCheckpoint(out, work / "curve.json", adapted, note, before, log)
    if options.resume:
        best.remember()
    models = replace(adapted, generator=copy.deepcopy(base.generator).requires_grad_(True))
    stage = SpeakerStage(models, learnt, replay, measured, mouths)
    finished = _train(stage, work / "run", options, best, tell, log)
    if not best.improved:
        best.save(adapted, SpeakerFigures(before.mouth_psnr_db, before.perceptual, *mouths))
    result = FinetuneReport(out, finished, best.improved, before, best.best, best.curve, verdicts)
    if options.report is not None:
        write_report(Path(options.report), result, [base.generator, load(out).generator], measured)
    return result


def _adapt(base: Models, learnt: list[Shot], held: list[Shot], log: Callable) -> tuple[Models, tuple[float, float]]:
    """Refit motion; keep it if held-out mouths open and close no worse: (models, their `measure_mouths`)."""
    before = measure_mouths(base.motion, held)
    for strength_s in _STRENGTHS_S:
        motion = adapt_motion(base.motion, learnt, strength_s)
        after = measure_mouths(motion, held)
        if after[0] >= before[0] and after[1] >= before[1] - _CLOSURES_MAY_FALL:
            log(f"motion: the correlation of openings was {before[0]:.3f}, is {after[0]:.3f}")
            return replace(base, motion=motion), after
    log(f"motion: the base's is kept, its openings correlate by {before[0]:.3f}")
    return base, before


def _train(stage, run: Path, options: FinetuneOptions, best: BestCheckpoint, tell: Callable, log: Callable) -> bool:
    """Train, and tell whether to the end: Ctrl-C stops it before."""
    share = 0.0

    def report(done: float) -> None:
        nonlocal share
        share = done
        tell("train", round(done * options.minutes * 60), round(options.minutes * 60))

    channels_last(stage.trained().train())
    plan = Plan(
        options.minutes, options.steps, _RATE, seed=options.seed, device=options.device, precision=options.precision,
        look_every_s=_LOOK_EVERY_S, log=lambda line: None, report=report,
    )  # fmt: skip
    warn_of_slow_precision(options.precision, "cpu" if options.device == "cpu" else "", log)
    train(stage, run, plan, best.look, options.resume and run.with_suffix(".state").is_file())
    return share >= 1


def _check_files(clips: str | Path | Iterable[str | Path], out: Path) -> list[Path]:
    """List the videos, and make sure that the output can be written, before anything is loaded."""
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


def _load_replay(data: str | Path, base: Models) -> list[Shot]:
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
    return {**kept, "learning_rate": _RATE, "replayed": len(replay)}


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
