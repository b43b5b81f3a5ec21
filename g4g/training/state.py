"""What a training goes on from: networks, optimisers and where it stands, in one file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError


@dataclass
class Progress:
    """Where a run stands; `elapsed_s` counts over resumes."""

    step: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Kept:
    """What a run goes on from, by the prefix of its tensors."""

    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]


def write_state(path: Path, kept: Kept, progress: Progress, batches: int) -> None:
    """Write all that a run goes on from, whole or not at all; `batches` are those of a step."""
    tensors = {f"{name}.{k}": v for name, module in kept.modules.items() for k, v in module.state_dict().items()}
    for name, optimiser in kept.optimisers.items():
        for index, slot in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{k}": v for k, v in slot.items()}
    meta = {"progress": json.dumps([progress.step, progress.elapsed_s]), "batches": str(batches)}
    write_whole(path, save({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, meta))


def read_state(path: Path, kept: Kept) -> tuple[Progress, int]:
    """Load what a run goes on from; return where it stands, and its batches per step.

    Raises:
        DataError: there is no such file.
    """
    if not path.is_file():
        raise DataError(f"nothing to resume: {path} does not exist; train without --resume first")
    tensors = load_file(path)
    pick = lambda prefix: {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}  # noqa: E731
    for name, module in kept.modules.items():
        module.load_state_dict(pick(f"{name}."))
    for name, optimiser in kept.optimisers.items():
        state = optimiser.state_dict()
        for key, value in pick(f"{name}.").items():
            index, slot = key.split(".")
            state["state"].setdefault(int(index), {})[slot] = value
        optimiser.load_state_dict(state)
    with safe_open(path, "pt") as file:
        meta = file.metadata()
    return Progress(*json.loads(meta["progress"])), int(meta.get("batches", 1))
