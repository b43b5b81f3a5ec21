"""One call per training: build or load the networks, train a stage, save the whole bundle."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import torch

from g4g.checkpoints import read_header
from g4g.errors import ConfigError
from g4g.nn import channels_last, check_device
from g4g.training.aligner import AlignerStage
from g4g.training.data import Shot, describe_data, load_split
from g4g.training.ear import EarStage
from g4g.training.fusion import FusionStage
from g4g.training.generator import GeneratorStage
from g4g.training.loop import Plan, Stage, train
from g4g.training.offsets import correct_offsets
from g4g.zoo import Models, build_models, grow, load, save_models

STAGES = ("aligner", "generator", "fusion", "ear")
_RATES = {"aligner": 1e-3, "generator": 6e-4, "fusion": 1e-3, "ear": 5e-4}


def train_stage(
    stage: str, data: str | Path, out: str | Path, *, weights: str | Path | None = None, minutes: float = 15.0,
    steps: int = 10**9, seed: int = 1, device: str = "auto", precision: str = "32-true",
    learning_rate: float | None = None, train_sound: bool = False, without: Collection[str] = (),
    finer: int | None = None, picture_first: bool = False, resume: bool = False, log: Callable[[str], None] = print,
) -> dict:  # fmt: skip
    """Train one network on prepared data and write the bundle of all three.

    Args:
        stage: "aligner", "generator" or "fusion", best in this order; "ear" teaches a trained aligner other voices.
        data: folder that `prepare` wrote.
        out: weight file; where it exists, training starts from its networks.
        weights: start from these instead.
        minutes, steps: length, whichever ends first.
        precision: "32-true" or "bf16-mixed".
        learning_rate: the highest; None: the stage's own.
        train_sound: stage "aligner" trains its sound encoder although the file's generator learnt to hear by it; train
            the generator again afterwards.
        without: speakers whose clips are left out, so that what is learnt can be measured on new people.
        finer: stage "generator" learns to paint so many times 128 pixels each way, from data prepared so; None: as the
            weights do.
        picture_first: stage "generator" goes on without sync for a third of the run, as a first training begins.
        resume: go on from OUT.state with its optimiser.
    Returns:
        Figures on held-out shots.
    Raises:
        DataError, CheckpointError, ConfigError: what is missing and what to do.
    """
    if stage not in STAGES:
        raise ConfigError(f"unknown stage {stage!r}; train one of {', '.join(STAGES)}")
    check_device(device)
    out = Path(out)
    torch.manual_seed(seed)
    start = weights or (out if out.is_file() else None)
    models = build_models(out.stem) if start is None else load(start)
    if finer is not None and stage != "generator":
        raise ConfigError(f"only the generator paints: leave out finer for the {stage}")
    if picture_first and stage != "generator":
        raise ConfigError(f"only the generator can begin with the picture: leave out picture_first for the {stage}")
    models = grow(models, finer or models.generator.config.finer)
    history = models.info.get("history", {})
    shots, held = load_split(data, models.generator.config.finer if stage == "generator" else 1)
    shots = [shot for shot in shots if shot.speaker not in without]
    log(f"{len(shots)} shots to train on, {len(held)} held out")
    if stage == "ear" and "aligner" not in history:
        raise ConfigError(f"{start or 'the network'} has no trained aligner; train the aligner first")
    if "aligner" in history and stage in ("aligner", "generator"):
        shots = correct_offsets(models.aligner, shots, log)
    continued = stage in history and not picture_first
    if resume and out.is_file():  # it keeps the schedule that it began with
        continued = read_header(out).info.get("history", {}).get(stage, {}).get("continued", False)
    job = _make_stage(stage, models, shots, held, continued, "generator" in history and not train_sound)
    channels_last(job.trained().train().requires_grad_(True))

    def save(network: torch.nn.Module, figures: dict) -> None:
        note = {"seed": seed, "precision": precision, "continued": continued, **job.describe()}
        note |= describe_data([shot.name for shot in shots])
        note["figures"] = {k: float(v) for k, v in figures.items()}
        info = {**models.info, "history": {**history, stage: note}}
        save_models(out, replace(models, info=info, **{"aligner" if stage == "ear" else stage: network}))

    rate = learning_rate or _RATES[stage]
    plan = Plan(minutes, steps, rate, seed=seed, device=device, precision=precision, log=log)
    return train(job, out, plan, save, resume)


def _make_stage(
    stage: str, models: Models, shots: list[Shot], held: list[Shot], continued: bool, keep_sound: bool
) -> Stage:
    if stage == "aligner":
        return AlignerStage(models.aligner, shots, held, keep_sound)
    if stage == "generator":
        return GeneratorStage(models.generator, models.aligner, shots, held, continued)
    if stage == "ear":
        return EarStage(models.aligner, shots, held)
    return FusionStage(models.fusion, shots, held)
