"""Weight files: the manifest, finding and verifying, loading and saving; knows files, not models."""

from g4g.checkpoints.files import Checkpoint, load_checkpoint, save_checkpoint
from g4g.checkpoints.header import Header, read_header
from g4g.checkpoints.manifest import (
    Entry,
    add_entry,
    check_weights,
    describe_file,
    find_weights,
    hash_file,
    read_manifest,
    verify_file,
    weights_dir,
)

__all__ = [
    "Checkpoint",
    "Entry",
    "Header",
    "add_entry",
    "check_weights",
    "describe_file",
    "find_weights",
    "hash_file",
    "load_checkpoint",
    "read_header",
    "read_manifest",
    "save_checkpoint",
    "verify_file",
    "weights_dir",
]
