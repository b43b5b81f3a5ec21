"""Prepared shots, lazily read; the one fixed split; and other colours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open

from g4g.checkpoints import weights_dir
from g4g.errors import DataError
from g4g.faces import HeadPose, fit_pose, lip_gap, steady_upper_face, to_landmarks

INDEX_VERSION = 3


@dataclass(frozen=True)
class Shot:
    """One shot of a `clip` at 25 frames/s; the pictures stay on disk until they are looked at.

    Attributes:
        crops: (T, c, c, 3) RGB uint8, c px as prepared.
        mesh: (T, 478, 3) px of a crop of CropConfig.size (128), whatever c is: x, y and depth.
        times_s: (T,) of the frames; 0 is the first sample of `waveform`.
        waveform: (N,) int16 at 16 kHz, from half a second before the shot to half a second after it where the clip
            has as much; a still has none.
        start_s: second of the clip's sound at which the waveform begins.
        speech: (S, D) features of the waveform, row i at i / 50 s; None until `add_speech` is called.
        kind: "video", or "still": one frame without sound.
    """

    name: str
    clip: str
    speaker: str
    crops: np.ndarray
    mesh: np.ndarray
    times_s: np.ndarray
    waveform: np.ndarray
    start_s: float = 0.0
    speech: np.ndarray | None = None
    kind: str = "video"

    def __len__(self) -> int:
        return len(self.mesh)

    @cached_property
    def landmarks(self) -> np.ndarray:
        """The 68 points, (T, 68, 2) crop px; the upper face is smoothed over time, as in use."""
        return steady_upper_face(to_landmarks(self.mesh), self.times_s)

    @cached_property
    def _lifted(self) -> tuple[HeadPose, np.ndarray]:
        return fit_pose(self.mesh)

    @property
    def pose(self) -> HeadPose:
        """The head's pose in crop px, of T frames."""
        return self._lifted[0]

    @property
    def canonical(self) -> np.ndarray:
        """The mesh without the pose, (T, 468, 3), as `fit_pose` gives it."""
        return self._lifted[1]

    @cached_property
    def lip_gap(self) -> np.ndarray:
        """Opening between the inner lips over the distance of the outer eye corners, (T,); the pose plays no part."""
        return lip_gap(self.canonical)


def read_split() -> dict[str, list[str]]:
    """Read the one fixed split: lists of clips.

    "train"; "validation", "validation_others", "unseen_clips": other clips of people who are trained on;
    "unseen_speakers", "unseen_portraits": people who are not; "measured_only": no training may use them.
    """
    return json.loads((weights_dir() / "splits.json").read_text())


@lru_cache(maxsize=1)
def _groups() -> dict[str, str]:
    return {clip: group for group, clips in read_split().items() for clip in clips}


def group_of(clip: str) -> str | None:
    """Tell in which list of the split a clip is; None for a clip that the split does not name."""
    return _groups().get(clip)


def read_entries(folder: str | Path) -> list[dict]:
    """Read the shots that the index of a prepared folder lists.

    Raises:
        DataError: there is no index, or an older version of g4g wrote it.
    """
    index = Path(folder) / "index.json"
    if not index.is_file():
        raise DataError(f"{folder} holds no index.json; make it with: g4g prepare VIDEOS... -o {folder}")
    content = json.loads(index.read_text())
    check_version(content, index)
    return content["shots"]


def read_crop_px(folder: str | Path) -> int:
    """Read the side of a prepared folder's crops in px. Raises DataError as `read_entries` does."""
    read_entries(folder)
    return json.loads((Path(folder) / "index.json").read_text())["crop_px"]


def check_version(index: dict, path: Path) -> None:
    """Raise DataError for the index of an older or newer version."""
    if index.get("version") != INDEX_VERSION:
        raise DataError(f"{path} was written by another version of g4g; prepare the videos again into an empty folder")


def load_shots(folder: str | Path) -> list[Shot]:
    """Load what `g4g prepare` wrote; crops are read when they are used. Raises DataError where there is no index."""
    return [load_shot(Path(folder), entry) for entry in read_entries(folder)]


def split_entries(folder: str | Path) -> tuple[list[dict], list[dict]]:
    """Split an index: (to train on, held out); of clips that the fixed split does not name, one shot in twenty is held.

    Where these are so few that none would be left, all are trained on.

    Raises:
        DataError: no index, or nothing left to train on.
    """
    train, held = [], []
    for number, entry in enumerate(read_entries(folder)):
        group = group_of(entry["clip"])
        is_held = number % 20 == 0 if group is None else group != "train"
        (held if is_held else train).append(entry)
    train = train or [entry for entry in held if group_of(entry["clip"]) is None]
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
    """Chances to draw each shot: a speaker comes by the cube root of its shots, so that few-clip people count."""
    speakers, where, counts = np.unique([shot.speaker for shot in shots], return_inverse=True, return_counts=True)
    return counts[where] ** (-2 / 3) / np.cbrt(counts).sum()


def load_shot(folder: Path, entry: dict) -> Shot:
    """Load one shot of a prepared folder by its entry in the index; its crops are a read-only map of the file."""
    path = folder / entry["file"]
    with safe_open(path, "numpy") as file:
        mesh, times_s, waveform = (file.get_tensor(name) for name in ("mesh", "times_s", "waveform"))
    return Shot(
        entry["name"], entry["clip"], entry["speaker"], _map_crops(path), mesh, times_s, waveform, entry["start_s"],
        kind=entry["kind"],
    )  # fmt: skip


def load_affines(folder: Path, entry: dict) -> np.ndarray:
    """Load a shot's frame_to_crop, (T, 2, 3): from frame px to px of a crop of CropConfig.size."""
    with safe_open(folder / entry["file"], "numpy") as file:
        return file.get_tensor("frame_to_crop")


def _map_crops(path: Path) -> np.ndarray:
    """Map the crops (T, c, c, 3) uint8 of a shot's file into memory: pages are read when they are touched."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        about = json.loads(file.read(length))["crops"]
    return np.memmap(path, np.uint8, "r", 8 + length + about["data_offsets"][0], tuple(about["shape"]))


def augment_colour(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scale crops (..., 3) in [-1, 1] by one random light and colour, so that colour cannot tell clips apart."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.85, 1.15, 3)
    return np.clip(crops * gain.astype(np.float32) + np.float32(rng.uniform(-0.15, 0.15)), -1, 1)
