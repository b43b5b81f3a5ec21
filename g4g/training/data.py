"""Prepared shots in memory, the split, and augmentation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from g4g.audio import log_mel
from g4g.checkpoints import weights_dir
from g4g.errors import DataError

_NOISY = 0.2
"""Share of sounds that get noise; more of it buries the breaths by which quiet windows are told apart."""


@dataclass(frozen=True)
class Shot:
    """One shot of a `clip`: `crops` (T, size, size, 3) uint8, `landmarks` (T, 68, 2) crop px, `times_s` (T,), `mel`."""

    name: str
    clip: str
    speaker: str
    crops: np.ndarray
    landmarks: np.ndarray
    times_s: np.ndarray
    mel: np.ndarray

    def __len__(self) -> int:
        return len(self.crops)


def read_split() -> dict[str, list[str]]:
    """Read the one fixed split: names of clips under train, validation, validation_others, unseen_speakers."""
    return json.loads((weights_dir() / "splits.json").read_text())


def read_entries(folder: str | Path) -> list[dict]:
    """Read the shots that the index of a prepared folder lists. Raises DataError when there is no index."""
    index = Path(folder) / "index.json"
    if not index.is_file():
        raise DataError(f"{folder} holds no index.json; make it with: g4g prepare VIDEOS... -o {folder}")
    return json.loads(index.read_text())["shots"]


def load_shots(folder: str | Path, names: set[str] | None = None, limit: int | None = None) -> list[Shot]:
    """Load prepared shots into memory.

    Args:
        folder: what `g4g prepare` wrote.
        names: keep the shots of these clips; None keeps all.
        limit: at most so many.
    Raises:
        DataError: no index, or no shot of these clips.
    """
    folder = Path(folder)
    entries = [entry for entry in read_entries(folder) if names is None or entry["clip"] in names][:limit]
    if not entries:
        raise DataError(f"{folder} holds none of the {len(names or ())} wanted shots; prepare the videos of the split")
    return [load_shot(folder, entry) for entry in entries]


def split_entries(folder: str | Path) -> tuple[list[dict], list[dict]]:
    """Split an index: (to train on, held out); of clips that the fixed split does not name, one shot in twenty is held.

    Raises:
        DataError: no index, or nothing left to train on.
    """
    split = read_split()
    validation = {name for key, names in split.items() if key != "train" for name in names}
    known = set(split["train"]) | validation
    train, held = [], []
    for number, entry in enumerate(read_entries(folder)):
        is_held = entry["clip"] in validation or (entry["clip"] not in known and number % 20 == 0)
        (held if is_held else train).append(entry)
    if not train:
        raise DataError(f"all {len(held)} shots of {folder} are held out for validation; prepare more videos")
    return train, held


def load_split(folder: str | Path) -> tuple[list[Shot], list[Shot]]:
    """Load training and validation shots, split as by `split_entries`."""
    train, held = ([load_shot(Path(folder), entry) for entry in part] for part in split_entries(folder))
    return train, held or train[:1]


def describe_data(names: list[str]) -> dict:
    """Say in a weight file what it was trained on: how many shots, and a hash of their sorted names."""
    return {"shots": len(names), "shots_sha256": hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()}


def speaker_chances(shots: list[Shot]) -> np.ndarray:
    """Chances to draw each shot: a speaker comes by the square root of its shots, so that few-clip people count."""
    speakers, where, counts = np.unique([shot.speaker for shot in shots], return_inverse=True, return_counts=True)
    return counts[where] ** -0.5 / np.sqrt(counts).sum()


def load_shot(folder: Path, entry: dict) -> Shot:
    """Load one shot of a prepared folder by its entry in the index."""
    tensors = load_file(folder / entry["file"])
    return Shot(
        entry["name"], entry["clip"], entry["speaker"], tensors["crops"], tensors["landmarks"], tensors["times_s"],
        log_mel(tensors["waveform"]),
    )  # fmt: skip


def augment_mel(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change loudness (-20..+10 dB), formants (+-8 %) and noise (none to 5 dB) of a mel; timing stays."""
    mel = mel + np.float32(rng.uniform(-0.4, 0.2))
    bands = np.clip(np.arange(len(mel)) * rng.uniform(0.92, 1.08), 0, len(mel) - 1.001)
    low = bands.astype(int)
    share = (bands - low)[:, None].astype(np.float32)
    mel = mel[low] * (1 - share) + mel[low + 1] * share
    if rng.random() < _NOISY:
        peak = np.percentile(mel, 95)
        noise = peak - rng.uniform(0.1, 0.8) + rng.normal(0, 0.1, (len(mel), 1)) + rng.normal(0, 0.05, mel.shape)
        mel = np.log10(10 ** (5 * mel) + 10 ** (5 * noise)) / 5
    return np.maximum(mel, -1).astype(np.float32)


def augment_colour(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scale crops (..., 3) in [-1, 1] by one random light and colour, so that colour cannot tell clips apart."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.85, 1.15, 3)
    return np.clip(crops * gain.astype(np.float32) + np.float32(rng.uniform(-0.15, 0.15)), -1, 1)
