"""One call per training: build or load the networks, train a stage, save the whole bundle."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import torch

from g4g.errors import ConfigError, DataError
from g4g.nn import channels_last, check_device
from g4g.training.aligner import AlignerStage
from g4g.training.data import Shot, describe_data, load_split
from g4g.training.fusion import FusionStage
from g4g.training.generator import GeneratorStage
from g4g.training.loop import Plan, Stage, train
from g4g.training.motion import fit_motion
from g4g.training.speech_features import add_speech, find_features
from g4g.zoo import Models, build_models, load, save_models

STAGES = ("aligner", "motion", "generator", "fusion")
_RATES = {"aligner": 2e-3, "generator": 1e-3, "fusion": 1e-3}
_NEED_SPEECH = {"aligner", "motion", "generator"}


def train_stage(
    stage: str, data: str | Path, out: str | Path, plan: Plan, *, weights: str | Path | None = None,
    without: Collection[str] = (), speech: str | None = None, resume: bool = False,
) -> dict:  # fmt: skip
    """Train one network on prepared data and write the bundle of all.

    Args:
        stage: one of STAGES, best in their order.
        data: folder that `prepare` wrote.
        out: weight file; where it exists, training starts from its networks.
        plan: length, rate, seed and device.
        weights: start from these instead.
        without: speakers whose clips are left out, so that what is learnt can be measured on new people.
        speech: name of the speech features in DATA/speech; None: the only ones there.
        resume: go on from OUT.state with its optimiser.
    Returns:
        Figures on held-out shots.
    Raises:
        DataError, CheckpointError, ConfigError: what is missing and what to do.
    """
    if stage not in STAGES:
        raise ConfigError(f"unknown stage {stage!r}; train one of {', '.join(STAGES)}")
    check_device(plan.device)
    out = Path(out)
    torch.manual_seed(plan.seed)
    start = weights or (out if out.is_file() else None)
    models = build_models(out.stem) if start is None else load(start)
    history = models.info.get("history", {})
    shots, held = load_split(data)
    shots = [shot for shot in shots if shot.speaker not in without]
    note = {"seed": plan.seed, "precision": plan.precision, **describe_data([shot.name for shot in shots])}
    if stage in _NEED_SPEECH:
        note["speech"] = speech or find_features(data)
        shots, held = (_with_speech(part, data, note["speech"]) for part in (shots, held))
        models = _fit_speech(models, stage, shots)
    plan.log(f"{len(shots)} shots to train on, {len(held)} held out")

    def save(network: torch.nn.Module, figures: dict, more: dict) -> None:
        notes = {**note, **more, "figures": {k: float(v) for k, v in figures.items()}}
        info = {**models.info, "history": {**history, stage: notes}}
        save_models(out, replace(models, info=info, **{stage: network}))

    if stage == "motion":  # solved in closed form, whatever the plan says
        motion, more = fit_motion(shots, models.motion.config, plan.log)
        figures = {"mean_offset_s": more["mean_offset_s"]}
        save(motion, figures, more)
        return figures
    job = _make_stage(stage, models, shots, held, plan)
    channels_last(job.trained().train().requires_grad_(True))

    def keep(network: torch.nn.Module, figures: dict) -> None:
        save(network, figures, job.describe())

    return train(job, out, replace(plan, learning_rate=plan.learning_rate or _RATES[stage]), keep, resume)


def _with_speech(shots: list[Shot], data: str | Path, features: str) -> list[Shot]:
    """Keep the shots that have sound, with their speech features."""
    heard = add_speech([shot for shot in shots if shot.kind == "video"], data, features)
    if not heard:
        raise DataError(f"no shot of {data} has a sound; prepare videos into it")
    return heard


def _fit_speech(models: Models, stage: str, shots: list[Shot]) -> Models:
    """Make a network anew where the features have another width than those that it knows."""
    width, network = shots[0].speech.shape[1], getattr(models, stage)
    if network.config.speech == width:
        return models
    return replace(models, **{stage: type(network)(replace(network.config, speech=width))})


def _make_stage(stage: str, models: Models, shots: list[Shot], held: list[Shot], plan: Plan) -> Stage:
    if stage == "aligner":
        return AlignerStage(models.aligner, shots, held, plan.log)
    if stage == "generator":
        return GeneratorStage(models.generator, models.motion.space, shots, held)
    return FusionStage(models.fusion, shots, held)
