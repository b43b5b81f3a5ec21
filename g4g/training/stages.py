"""One call per training: build or load the networks, train a stage, save the whole bundle."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from g4g.audio import SpeechConfig, SpeechEncoder, encode_speech
from g4g.errors import ConfigError, DataError
from g4g.nn import channels_last, check_device
from g4g.training.aligner import AlignerStage
from g4g.training.changed_voices import change_voices
from g4g.training.data import Shot, describe_data, load_split
from g4g.training.fusion import FusionStage
from g4g.training.generator import GeneratorStage
from g4g.training.known_speech import Spoken
from g4g.training.loop import Plan, Stage, train
from g4g.training.motion import fit_motion, measure_motion
from g4g.training.perceptual import find_perceptual
from g4g.training.processes import first_process_first, launch
from g4g.training.speech import SpeechStage
from g4g.training.speech_data import SpeechFolder
from g4g.training.speech_features import add_speech, name_encoder
from g4g.training.spoken import gather_spoken
from g4g.zoo import Models, build_models, load, save_models

STAGES = ("speech", "aligner", "motion", "generator", "fusion")
"""In the order in which they are trained; "speech" only where Whisper's encoder is not taken."""
_RATES = {"speech": 1.2e-3, "aligner": 2e-3, "generator": 1e-3, "fusion": 1e-3}
_NEED_SPEECH = {"aligner", "motion", "generator"}


def train_stage(
    stage: str, data: str | Path, out: str | Path, plan: Plan, *, weights: str | Path | None = None,
    without: Collection[str] = (), speech: str | None = None, resume: bool = False,
) -> dict:  # fmt: skip
    """Train one network on prepared data and write the bundle of all.

    Args:
        stage: one of STAGES, best in their order.
        data: folder that `prepare` wrote; for "speech" the one that `g4g.training.speech_data` wrote.
        out: weight file; where it exists, training starts from its networks.
        plan: length, rate, seed and device; "motion" is fitted in two minutes and takes nothing but the seed.
        weights: start from these instead.
        without: speakers whose clips are left out, so that what is learnt can be measured on new people.
        speech: name of features in DATA/speech; None: the bundle's encoder computes those that are not there, and those
            of changed voices, from which motion learns too.
        resume: go on from OUT.state with its optimiser.
    Returns:
        Figures on held-out shots.
    Raises:
        DataError, CheckpointError, ConfigError: what is missing and what to do.
    """
    if stage not in STAGES:
        raise ConfigError(f"unknown stage {stage!r}; train one of {', '.join(STAGES)}")
    check_device(plan.device)
    if plan.starts_others:
        if stage == "motion":
            raise ConfigError("motion is fitted by one process; leave out devices and nodes")
        return launch(
            train_stage, plan, stage, data, out, weights=weights, without=without, speech=speech, resume=resume
        )
    out = Path(out)
    torch.manual_seed(plan.seed)
    models = _start(out, weights, stage in _NEED_SPEECH and speech is None)
    note = {"seed": plan.seed, "precision": plan.precision}
    if stage == "speech":
        job: Stage = SpeechStage(_student(models), SpeechFolder(data))
    else:
        shots, held = load_split(data)
        shots = [shot for shot in shots if shot.speaker not in without]
        note |= describe_data([shot.name for shot in shots])
        if stage in _NEED_SPEECH:
            note["speech"] = speech or name_encoder(models.speech)
            encode = None if speech else lambda waveform: encode_speech(models.speech, waveform)
            stills = [shot for shot in shots if shot.kind == "still"]
            with first_process_first(plan.fabric):
                shots, held = (_with_speech(part, data, note["speech"], encode) for part in (shots, held))
            models = _fit_width(models, stage, shots)
            shots += stills if stage == "generator" else []
        plan.log(f"{len(shots)} shots to train on, {len(held)} held out")
        if stage == "motion":
            spoken = gather_spoken(data, note["speech"], encode, {shot.name: shot.clip for shot in shots}, plan.log)
            changed = change_voices(shots, encode, plan.seed) if encode else []
            return _fit_motion(out, models, (shots, changed, spoken), held, note, plan.log)
        job = _make_stage(stage, models, shots, held, plan)
    channels_last(job.trained().train().requires_grad_(True))

    def keep(network: torch.nn.Module, figures: dict) -> None:
        _save(out, replace(models, **{stage: network}), stage, note | job.describe(), figures)

    return train(job, out, replace(plan, learning_rate=plan.learning_rate or _RATES[stage]), keep, resume)


def measure_shots(motion: torch.nn.Module, shots: list[Shot]) -> dict[str, float]:
    """Average `measure_motion` over shots; what a shot cannot tell is left out."""
    rows = [measure_motion(motion, shot) for shot in shots]
    return {k: float(np.nanmean([row[k] for row in rows])) for k in rows[0] if any(np.isfinite(r[k]) for r in rows)}


def _fit_motion(
    out: Path, models: Models, heard: tuple[list[Shot], list[Shot], list[Spoken]], held: list[Shot], note: dict,
    log: Callable,
) -> dict[str, float]:  # fmt: skip
    """Fit motion, without steps, and write the bundle; `heard`: shots, those with changed voices, spoken text."""
    shots, changed, spoken = heard
    motion, more = fit_motion(shots, models.motion.config, spoken, changed, log)
    figures = {"mean_offset_s": more["mean_offset_s"], **measure_shots(motion, held)}
    _save(out, replace(models, motion=motion), "motion", note | more, figures)
    return figures


def _start(out: Path, weights: str | Path | None, must_hear: bool) -> Models:
    """Load the networks from which training starts, or build fresh ones, which hear nothing."""
    start = weights or (out if out.is_file() else None)
    if start is not None:
        return load(start)
    if must_hear:
        raise ConfigError(
            f"{out} does not exist, and a fresh file hears nothing: name weights with a speech encoder "
            "(--weights g4g-small), or teach it one first (g4g train speech)"
        )
    return build_models(out.stem)


def _save(out: Path, models: Models, stage: str, note: dict, figures: dict) -> None:
    """Write the bundle, with what is to be known of this stage's training in its history."""
    notes = {**note, "figures": {name: float(value) for name, value in figures.items()}}
    history = {**models.info.get("history", {}), stage: notes}
    save_models(out, replace(models, info={**models.info, "history": history}))


def _student(models: Models) -> SpeechEncoder:
    """Give the causal encoder of the weights; where they hold Whisper's, a new one."""
    return models.speech if isinstance(models.speech, SpeechEncoder) else SpeechEncoder(SpeechConfig())


def _with_speech(shots: list[Shot], data: str | Path, name: str, encode: Callable | None) -> list[Shot]:
    """Keep the shots that have sound, with their speech features."""
    heard = add_speech([shot for shot in shots if shot.kind == "video"], data, name, encode)
    if not heard:
        raise DataError(f"no shot of {data} has a sound; prepare videos into it")
    return heard


def _fit_width(models: Models, stage: str, shots: list[Shot]) -> Models:
    """Make a network anew where the features have another width than those that it knows."""
    width, network = shots[0].speech.shape[1], getattr(models, stage)
    if network.config.speech == width:
        return models
    return replace(models, **{stage: type(network)(replace(network.config, speech=width))})


def _make_stage(stage: str, models: Models, shots: list[Shot], held: list[Shot], plan: Plan) -> Stage:
    if stage == "aligner":
        return AlignerStage(models.aligner, shots, held, plan.log)
    if stage == "generator":
        job = GeneratorStage(models.generator, models.motion.space, shots, held, find_perceptual(plan.log))
        job.workers, job.frames = plan.workers, plan.frames or job.frames
        return job
    return FusionStage(models.fusion, shots, held)
