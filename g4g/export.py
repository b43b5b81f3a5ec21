"""Write the networks of a weight file as ONNX files, each checked in ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from g4g.checkpoints.atomic import write_whole
from g4g.engine import FlatNetwork, Run
from g4g.engine.on_onnx import convert_to_onnx, open_onnx
from g4g.errors import CheckpointError, ConfigError
from g4g.networks import list_flat_networks
from g4g.zoo import Models

MOST_ERROR = 1e-4
"""An output may be off by so much of its own largest value, or of 1 where that is less."""
_CHECKED_LENGTHS = (1, 3, 8)
"""Frames at a time, and steps beyond the example's length, that are checked."""
_SEED = 1


@dataclass(frozen=True)
class Exported:
    """One ONNX file, and by how much its outputs were off at most, as a share of their largest value."""

    file: Path
    error: float

    def __str__(self) -> str:
        return f"{self.file}: largest error {self.error:.1e} (allowed {MOST_ERROR:.0e})"


def export_onnx(models: Models, folder: str | Path, *, overwrite: bool = False) -> list[Exported]:
    """Write speech.onnx, generator.onnx and fusion.onnx; docs/engine.md tells what goes in and out.

    Args:
        models: on the CPU, as `g4g.load` gives them.
        folder: made where it is missing.
        overwrite: replace files that are there.
    Returns:
        Each file with its largest error against torch, over several lengths of random inputs.
    Raises:
        ConfigError: the extra `onnx` is missing, or a file exists.
        CheckpointError: an ONNX file is off by more than MOST_ERROR, or the disk refuses; that file is not written.
    """
    folder, flats = Path(folder), list_flat_networks(models).values()
    files = {flat.name: folder / f"{flat.name}.onnx" for flat in flats}
    there = [str(file) for file in files.values() if file.exists()]
    if there and not overwrite:
        raise ConfigError(f"{there[0]} exists; take another folder, or --force to replace it")
    exported = []
    for flat in flats:
        content = convert_to_onnx(flat)
        error = measure_error(flat, open_onnx(content))
        if not error <= MOST_ERROR:
            raise CheckpointError(
                f"{flat.name} as ONNX is off by {error:.1e} of its largest value, {MOST_ERROR:.0e} is allowed; "
                "install other versions of torch, onnx and onnxruntime"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CheckpointError(f"cannot make the folder {folder}: {problem.strerror or problem}") from problem
        write_whole(files[flat.name], content)
        exported.append(Exported(files[flat.name], error))
    return exported


@torch.no_grad()
def measure_error(flat: FlatNetwork, run: Run) -> float:
    """Tell by how much `run` is off torch at most, as a share of an output's largest value (at least 1)."""
    random, worst = torch.Generator().manual_seed(_SEED), 0.0
    for count in _CHECKED_LENGTHS:
        inputs = [_draw_like(flat, name, count, random) for name in flat.example]
        for ours, theirs in zip(flat.module(*inputs), run(*inputs), strict=True):
            if ours.shape != theirs.shape:
                return float("inf")
            error = float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1))
            worst = max(worst, error) if error == error else float("inf")
    return worst


def _draw_like(flat: FlatNetwork, name: str, count: int, random: torch.Generator) -> Tensor:
    """Draw an input in the range of the example, its varying axis longer by `count - 1` steps, or `count` frames."""
    example = flat.example[name]
    axis, step = flat.varying[name]
    shape = list(example.shape)
    shape[axis] = count if step == 1 else shape[axis] + (count - 1) * step
    low, high = float(example.min()), float(example.max())
    return low + (high - low) * torch.rand(shape, generator=random)
