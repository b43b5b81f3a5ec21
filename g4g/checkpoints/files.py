"""Load and save checkpoints: safetensors with kind, config and notes in the metadata; never a pickle.

torch is imported inside the functions: the manifest and the headers must stay readable without its seconds of start.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from g4g.checkpoints.atomic import write_whole
from g4g.checkpoints.header import FORMAT, MAX_HEADER_BYTES, read_header
from g4g.checkpoints.int8 import SCALE_SUFFIX, quantise, widen_all
from g4g.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """One loaded file: what it is for, the config to build its network, notes on its making, its tensors by name."""

    kind: str
    config: dict
    info: dict
    tensors: dict[str, Tensor]


def save_checkpoint(
    path: str | Path, tensors: dict[str, Tensor], config: dict, kind: str, info: dict, *, half: bool = False,
    int8: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Write a checkpoint whole or not at all.

    Args:
        path: file to make or replace, named *.safetensors by convention; its folder must exist.
        tensors: weights by name, on any device; not changed.
        config: what builds the network, JSON values only.
        kind: which network, such as "aligner"; `load_checkpoint` compares it.
        info: notes on how the file was made (steps, data, seed), JSON values only.
        half: store floating-point tensors as float16, half the size; integers keep their type.
        int8: weights of two dimensions and more whose names start so are stored as int8, a scale for each output row.
    Raises:
        CheckpointError: config or info is not JSON or too large, a weight does not fit float16, the disk refuses.
    Source:
        Our choice.
    """
    from safetensors.torch import save

    path = Path(path)
    stored = {}
    for name, tensor in tensors.items():
        if name.startswith(int8) and tensor.is_floating_point() and tensor.ndim > 1:
            stored[name], stored[name + SCALE_SUFFIX] = quantise(tensor)
        else:
            stored[name] = _prepare(name, tensor, half)
    metadata = {"format": FORMAT, "kind": kind, "config": _to_json("config", config), "info": _to_json("info", info)}
    text_bytes = sum(len(text.encode()) for text in metadata.values())
    if text_bytes > MAX_HEADER_BYTES // 2:
        raise CheckpointError(
            f"config and info take {text_bytes} bytes, a checkpoint's header holds {MAX_HEADER_BYTES // 2}; "
            "shorten them"
        )
    write_whole(path, save(stored, metadata=metadata))


def load_checkpoint(path: str | Path, kind: str | None = None) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Args:
        path: a file that `save_checkpoint` wrote.
        kind: the kind that is needed; None accepts any.
    Returns:
        Checkpoint; tensors as stored (float16 in a half file: `load_state_dict` widens them), int8 as float32.
    Raises:
        CheckpointError: no such file, a pickle, truncated, an oversized header, not from g4g, or of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = read_header(path)
    if kind is not None and header.kind != kind:
        raise CheckpointError(f"{path} holds weights of kind {header.kind!r}, but {kind!r} is needed; give such a file")
    try:
        tensors = load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; fetch or copy it again") from error
    return Checkpoint(header.kind, header.config, header.info, widen_all(tensors))


def _prepare(name: str, tensor: Tensor, half: bool) -> Tensor:
    """Return a contiguous copy on the CPU that shares no memory, as float16 where asked."""
    import torch

    copy = tensor.detach().to("cpu", copy=True).contiguous()
    if not (half and copy.is_floating_point()):
        return copy
    narrow = copy.to(torch.float16)
    if bool((narrow.isfinite() != copy.isfinite()).any()):
        raise CheckpointError(
            f"tensor {name!r} reaches {copy.abs().max().item():.3g}, float16 ends at "
            f"{torch.finfo(torch.float16).max:.0f}; save it with half=False"
        )
    return narrow


def _to_json(what: str, table: dict) -> str:
    """Return a table as JSON text."""
    try:
        return json.dumps(table, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"a checkpoint's {what} must hold JSON values only: {error}") from error
