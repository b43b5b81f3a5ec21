"""The header of a checkpoint: read and checked before any tensor is touched, without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from g4g.errors import CheckpointError

FORMAT = "g4g-1"
"""Value of the metadata key "format" in every checkpoint that g4g writes."""

MAX_HEADER_BYTES = 10_000_000
"""A larger header is refused unread: ours are some kilobytes, a hostile one would fill the memory."""

LENGTH_BYTES = 8
"""A safetensors file starts with its header's length, little-endian, in this many bytes."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself: its kind, the config to build its network, notes, and its tensors' shapes."""

    kind: str
    config: dict
    info: dict
    shapes: dict[str, tuple[int, ...]]


def read_header(path: str | Path) -> Header:
    """Read and check a checkpoint's header; the tensors stay on disk.

    Args:
        path: a safetensors file that `save_checkpoint` wrote.
    Returns:
        Header; shapes by tensor name.
    Raises:
        CheckpointError: no such file, a pickle, no safetensors file, truncated, an oversized header, not from g4g.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: expected a .safetensors file; check the path")
    try:
        with open(path, "rb") as file:
            table = _read_table(path, file, path.stat().st_size)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    metadata = table.pop("__metadata__", {})
    kind, config, info = _read_metadata(path, metadata)
    return Header(kind, config, info, {name: tuple(tensor["shape"]) for name, tensor in table.items()})


def _read_table(path: Path, file: BinaryIO, size_bytes: int) -> dict:
    """Return the safetensors header as a dict, once it is known to be small, whole and in keeping with the file."""
    start = file.read(LENGTH_BYTES + 1)
    if len(start) <= LENGTH_BYTES:
        raise CheckpointError(f"{path} has only {size_bytes} bytes: it is truncated; fetch or copy it again")
    if start[LENGTH_BYTES:] != b"{":
        raise CheckpointError(_say_what_it_is(path, start))
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path} announces a header of {length} bytes, more than the {MAX_HEADER_BYTES} that g4g accepts; "
            "it is damaged or hostile, do not use it"
        )
    if LENGTH_BYTES + length > size_bytes:
        raise CheckpointError(
            f"{path} is truncated: its header alone needs {LENGTH_BYTES + length} bytes, the file has {size_bytes}; "
            "fetch or copy it again"
        )
    table = _parse_table(path, b"{" + file.read(length - 1))
    _check_size(path, table, LENGTH_BYTES + length, size_bytes)
    return table


def _say_what_it_is(path: Path, start: bytes) -> str:
    """Name the kind of file that was given instead of safetensors, and what to do."""
    is_pickle = start[:4] == b"PK\x03\x04" or (start[0] == 0x80 and 2 <= start[1] <= 5)
    if is_pickle:
        return (
            f"{path} is a pickle (a PyTorch .pt, .pth or .ckpt file), which can run code when it is loaded; "
            "g4g reads safetensors only: save the weights with g4g.checkpoints.save_checkpoint"
        )
    if start.startswith(b"version "):
        return f"{path} is a Git LFS pointer, not the weights themselves; run `git lfs pull`"
    return f"{path} is not a safetensors file (it starts with {start!r}); g4g reads the files that it writes itself"


def _parse_table(path: Path, text: bytes) -> dict:
    """Parse the header's JSON: tensor name -> {dtype, shape, data_offsets}, and __metadata__."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its header is not JSON ({error}); fetch or copy it again") from error
    for name, tensor in table.items():
        if not isinstance(tensor, dict) or (name != "__metadata__" and not _is_tensor(tensor)):
            raise CheckpointError(f"{path} is damaged: its header misdescribes {name!r}; fetch or copy it again")
    return table


def _is_tensor(tensor: dict) -> bool:
    """True where a header's record has a shape and a first and last byte, all whole numbers from 0."""
    numbers = [tensor.get("shape"), tensor.get("data_offsets")]
    lists = all(isinstance(part, list) and all(type(n) is int and n >= 0 for n in part) for part in numbers)
    return lists and len(numbers[1]) == 2


def _check_size(path: Path, table: dict, data_start: int, size_bytes: int) -> None:
    """Raise CheckpointError unless the file ends exactly where its last tensor does."""
    ends = [tensor["data_offsets"][1] for name, tensor in table.items() if name != "__metadata__"]
    expected = data_start + max(ends, default=0)
    if size_bytes != expected:
        fault = "truncated" if size_bytes < expected else "damaged"
        raise CheckpointError(
            f"{path} is {fault}: its header announces {expected} bytes, the file has {size_bytes}; "
            "fetch or copy it again"
        )


def _read_metadata(path: Path, metadata: dict) -> tuple[str, dict, dict]:
    """Return kind, config and info from the metadata, whose values are all text."""
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a safetensors file, but not a checkpoint of this g4g: expected the metadata format {FORMAT!r}, "
            f"found {metadata.get('format')!r}; use a file that `g4g train` or `g4g finetune` wrote"
        )
    try:
        kind, config, info = metadata["kind"], json.loads(metadata["config"]), json.loads(metadata["info"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its metadata lacks kind, config or info ({error})") from error
    if not (isinstance(kind, str) and isinstance(config, dict) and isinstance(info, dict)):
        raise CheckpointError(f"{path} is damaged: its kind is not a text, or its config or info is not a table")
    return kind, config, info
