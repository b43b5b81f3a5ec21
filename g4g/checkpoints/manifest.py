"""The manifest: which weight files g4g ships, their hashes and licences; find and verify a file by its name."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from g4g.checkpoints.atomic import write_whole
from g4g.checkpoints.header import read_header
from g4g.errors import CheckpointError
from g4g.options import TINY_WEIGHTS

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1

HASH_BLOCK_BYTES = 1 << 20
"""How much of a file is held in memory while it is hashed."""


@dataclass(frozen=True)
class Entry:
    """One shipped weight file: what it is, how to verify it, and who may use it for what."""

    name: str
    kind: str
    file: str
    sha256: str
    size_bytes: int
    licence: str
    training_data: str
    metrics: dict
    command: str

    def __post_init__(self) -> None:
        for field in fields(self):
            wanted = {"str": str, "int": int, "dict": dict}[field.type]
            value = getattr(self, field.name)
            if type(value) is not wanted:
                raise CheckpointError(f"weights entry {self.name!r}: {field.name} must be {field.type}, is {value!r}")
        if not self.name or Path(self.file).name != self.file or "\\" in self.file:
            raise CheckpointError(f"weights entry {self.name!r}: needs a name and a plain file name, not {self.file!r}")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256) or self.size_bytes < 0:
            raise CheckpointError(f"weights entry {self.name!r}: needs 64 hex digits of sha256 and a size from 0 bytes")


def weights_dir() -> Path:
    """Find the folder of the shipped weights: g4g/weights in an installed wheel, weights/ beside g4g/ in a checkout.

    Raises:
        CheckpointError: neither folder holds a manifest.
    """
    package = Path(__file__).resolve().parent.parent
    places = [package / "weights", package.parent / "weights"]
    for place in places:
        if (place / MANIFEST_NAME).is_file():
            return place
    looked = " nor ".join(str(place / MANIFEST_NAME) for place in places)
    raise CheckpointError(f"the shipped weights are missing: found neither {looked}; install g4g again")


def read_manifest(folder: str | Path | None = None) -> dict[str, Entry]:
    """Read the manifest of the shipped weights.

    Args:
        folder: a folder with manifest.json; None: the shipped one.
    Returns:
        Entry by name, in the file's order.
    Raises:
        CheckpointError: the manifest is missing, of another version, or has a wrong or doubled entry.
    """
    path = (weights_dir() if folder is None else Path(folder)) / MANIFEST_NAME
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read the manifest {path}: {error}") from error
    is_manifest = isinstance(table, dict) and table.get("version") == MANIFEST_VERSION
    if not is_manifest or not isinstance(table.get("weights"), list):
        raise CheckpointError(f"{path} is not a manifest of version {MANIFEST_VERSION}; install g4g again")
    entries: dict[str, Entry] = {}
    for record in table["weights"]:
        try:
            entry = Entry(**record)
        except TypeError as error:
            raise CheckpointError(f"{path} has an entry with missing or unknown fields: {error}") from error
        if entry.name in entries:
            raise CheckpointError(f"{path} has two entries named {entry.name!r}; names must differ")
        entries[entry.name] = entry
    return entries


def find_weights(name_or_path: str | Path) -> Path:
    """Find a weight file by its name in the manifest, verified, or by its path.

    Args:
        name_or_path: such as "g4g-small", or the path of a file; a manifest name wins over a file of that name.
    Returns:
        Path of an existing file; files of the manifest, also where they are given by path, have the right size and
        sha256.
    Raises:
        CheckpointError: neither a known name nor a file, or a shipped file is missing, truncated or changed.
    """
    folder = weights_dir()
    entries = read_manifest(folder)
    entry = entries.get(str(name_or_path))
    if entry is not None:
        return verify_file(entry, folder)
    path = Path(name_or_path)
    if path.is_file():
        known = [entry for entry in entries.values() if path.resolve() == (folder / entry.file).resolve()]
        return verify_file(known[0], folder) if known else path
    known = ", ".join(entries)
    raise CheckpointError(
        f"unknown weights {str(name_or_path)!r}: neither a file nor a shipped name; shipped names are: {known}"
    )


def check_weights(name_or_path: str | Path) -> None:
    """Check that weights are there and whole, without torch and before anything is loaded.

    Raises:
        CheckpointError: as `find_weights` and `read_header`.
    """
    if str(name_or_path) != TINY_WEIGHTS:
        read_header(find_weights(name_or_path))


def verify_file(entry: Entry, folder: str | Path) -> Path:
    """Compare a shipped file with its entry, size first, then sha256.

    Returns:
        The file's path.
    Raises:
        CheckpointError: the file is missing, truncated or changed.
    """
    path = Path(folder) / entry.file
    if not path.is_file():
        raise CheckpointError(f"the weights {entry.name!r} are missing: expected {path}; install g4g again")
    size_bytes = path.stat().st_size
    if size_bytes < entry.size_bytes:
        raise CheckpointError(
            f"the weights {entry.name!r} are truncated: {path} has {size_bytes} of {entry.size_bytes} bytes; "
            "install g4g again"
        )
    sha256 = hash_file(path)
    if size_bytes != entry.size_bytes or sha256 != entry.sha256:
        raise CheckpointError(
            f"the weights {entry.name!r} were changed: {path} has sha256 {sha256[:12]}..., the manifest says "
            f"{entry.sha256[:12]}...; install g4g again, or give your own file by its path"
        )
    return path


def describe_file(
    path: str | Path,
    *,
    name: str,
    kind: str,
    licence: str,
    training_data: str,
    metrics: dict | None = None,
    command: str = "",
) -> Entry:
    """Make the manifest entry of a finished weight file: its size and sha256 are measured, the rest is given.

    Raises:
        CheckpointError: no such file, or a value of the wrong type.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no weight file at {path}; save it before describing it")
    size_bytes = path.stat().st_size
    return Entry(name, kind, path.name, hash_file(path), size_bytes, licence, training_data, metrics or {}, command)


def add_entry(entry: Entry, folder: str | Path | None = None) -> None:
    """Add an entry to the manifest, or replace the one of that name; the file it names must match it.

    Args:
        entry: usually from `describe_file`.
        folder: a folder with the weight file; None: the shipped one. A missing manifest is made.
    Raises:
        CheckpointError: the file does not match its entry, or the manifest cannot be read or written.
    """
    folder = weights_dir() if folder is None else Path(folder)
    verify_file(entry, folder)
    path = folder / MANIFEST_NAME
    entries = read_manifest(folder) if path.exists() else {}
    entries[entry.name] = entry
    table = {"version": MANIFEST_VERSION, "weights": [asdict(entries[name]) for name in sorted(entries)]}
    write_whole(path, (json.dumps(table, indent=2, ensure_ascii=False) + "\n").encode())


def hash_file(path: Path) -> str:
    """Return the sha256 of a file in hex, read in blocks."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(HASH_BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    return digest.hexdigest()
