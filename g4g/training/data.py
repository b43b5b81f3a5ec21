"""Prepared shots in memory, the split, and augmentation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
from safetensors.numpy import load_file
from scipy.signal import lfilter

from g4g.audio import log_mel
from g4g.checkpoints import weights_dir
from g4g.config import AudioConfig, CropConfig
from g4g.errors import DataError
from g4g.faces import steady_upper_face

_OTHER_VOICE, _ROOM, _BANDS, _NOISY = 0.7, 0.2, 0.15, 0.2
"""Shares of sounds that get another voice, a room, narrow bands, noise. More noise buries the breaths by which quiet
windows are told apart."""


@dataclass(frozen=True)
class Shot:
    """One shot of a `clip`: `crops` (T, size, size, 3) uint8, `landmarks` (T, 68, 2) crop px, `times_s` (T,), `mel`.

    The landmarks' upper face is smoothed over time, as in use. `fine`: the crops with the pixels that a finer generator
    paints; None where the crops are as fine.
    """

    name: str
    clip: str
    speaker: str
    crops: np.ndarray
    landmarks: np.ndarray
    times_s: np.ndarray
    mel: np.ndarray
    fine: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def pictures(self) -> np.ndarray:
        """What the generator learns to paint, (T, f * size, f * size, 3) uint8."""
        return self.crops if self.fine is None else self.fine


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


def load_split(folder: str | Path, finer: int = 1) -> tuple[list[Shot], list[Shot]]:
    """Load training and validation shots, split as by `split_entries`; `finer` as for `load_shot`."""
    train, held = ([load_shot(Path(folder), entry, finer) for entry in part] for part in split_entries(folder))
    return train, held or train[:1]


def describe_data(names: list[str]) -> dict:
    """Say in a weight file what it was trained on: how many shots, and a hash of their sorted names."""
    return {"shots": len(names), "shots_sha256": hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()}


def speaker_chances(shots: list[Shot]) -> np.ndarray:
    """Chances to draw each shot: a speaker comes by the cube root of its shots, so that few-clip people count."""
    speakers, where, counts = np.unique([shot.speaker for shot in shots], return_inverse=True, return_counts=True)
    return counts[where] ** (-2 / 3) / np.cbrt(counts).sum()


def load_shot(folder: Path, entry: dict, finer: int = 1) -> Shot:
    """Load one shot of a prepared folder by its entry in the index, also with `finer` times a crop's pixels each way.

    Raises:
        DataError: it was prepared with fewer.
    """
    tensors = load_file(folder / entry["file"])
    stored, size = tensors["crops"], CropConfig().size
    if stored.shape[1] < finer * size:
        raise DataError(
            f"{entry['name']} in {folder} has crops of {stored.shape[1]} px, this generator paints {finer * size}: "
            f"prepare the videos with --finer {finer} into another folder"
        )
    landmarks = steady_upper_face(tensors["landmarks"], tensors["times_s"])
    return Shot(
        entry["name"], entry["clip"], entry["speaker"], reduce_crops(stored, size), landmarks, tensors["times_s"],
        log_mel(tensors["waveform"]), reduce_crops(stored, finer * size) if finer > 1 else None,
    )  # fmt: skip


def reduce_crops(crops: np.ndarray, size: int) -> np.ndarray:
    """Average pixels of crops (T, f * size, f * size, 3) uint8 down to `size`."""
    f = crops.shape[1] // size
    if f == 1:
        return crops
    cells = crops.reshape(len(crops), size, f, size, f, 3)
    return np.stack([frame.mean((1, 3)).round().astype(np.uint8) for frame in cells])


def augment_mel(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Say the same with another voice, elsewhere: timing stays.

    Loudness (-20..+10 dB), a longer or shorter throat (frequencies times 0.67..1.49: a man's, a child's), sometimes a
    room (0.2 to 0.8 s), a telephone's or codec's bands, noise or other speech (20 to 5 dB below).
    """
    mel = mel + np.float32(rng.uniform(-0.4, 0.2))
    if rng.random() < _OTHER_VOICE:
        centres = _band_centres(len(mel))
        where = np.interp(centres / np.exp(rng.uniform(-0.4, 0.4)), centres, np.arange(len(mel)))
        low = np.minimum(where.astype(int), len(mel) - 2)
        share = (where - low)[:, None].astype(np.float32)
        mel = mel[low] * (1 - share) + mel[low + 1] * share
    if rng.random() < _ROOM:
        decay = 10 ** (-6 / (rng.uniform(0.2, 0.8) * AudioConfig().mel_rate))
        echo = lfilter([0, 1], [1, -decay], 10 ** (5 * mel), axis=1) * rng.uniform(0.02, 0.2)
        mel = np.log10(10 ** (5 * mel) + echo) / 5
    if rng.random() < _BANDS:
        lowest, highest = rng.integers(0, 8), rng.integers(len(mel) // 2, len(mel))
        mel = np.concatenate([np.full_like(mel[:lowest], -1), mel[lowest:highest], np.full_like(mel[highest:], -1)])
    if rng.random() < _NOISY:
        below = rng.uniform(0.1, 0.4)
        if rng.random() < 0.5:
            noise = np.roll(mel[:, ::-1], rng.integers(mel.shape[1]), axis=1) - below
        else:
            level = np.percentile(mel, 95) - below - 0.1
            noise = level + rng.normal(0, 0.1, (len(mel), 1)) + rng.normal(0, 0.05, mel.shape)
        mel = np.log10(10 ** (5 * mel) + 10 ** (5 * noise)) / 5
    return np.maximum(mel, -1).astype(np.float32)


@lru_cache(maxsize=1)
def _band_centres(count: int) -> np.ndarray:
    """Middle of each mel band, Hz, shape (count,)."""
    audio = AudioConfig()
    return librosa.mel_frequencies(n_mels=count + 2, fmin=audio.f_min_hz, fmax=audio.f_max_hz)[1:-1]


def augment_colour(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scale crops (..., 3) in [-1, 1] by one random light and colour, so that colour cannot tell clips apart."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.85, 1.15, 3)
    return np.clip(crops * gain.astype(np.float32) + np.float32(rng.uniform(-0.15, 0.15)), -1, 1)
