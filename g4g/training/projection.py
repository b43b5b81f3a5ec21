"""The teacher's features in fewer dimensions: what of them does not depend on where in its window a sound stands."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.audio.features import Encoder
from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError

_VERSIONS = 4
_SAMPLES_PER_ROW = 320
_LATEST_ROWS, _LONGEST_ROWS = 600, 300
"""A sound is moved by up to 12 s; its first 6 s are taken."""
_BEHIND_ROWS = 100
_SILENT_BEFORE = 0.4
"""Share of versions with silence before the sound; before the others another sound is heard."""
_SHRINKAGE = 1e-2


@dataclass(frozen=True)
class Projection:
    """`(rows - mean) @ basis * scale`: (S, 512) to (S, D), whose mean norm is sqrt(D) on the rows it was fitted on."""

    mean: np.ndarray
    basis: np.ndarray
    scale: float

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return ((np.asarray(rows, np.float32) - self.mean) @ self.basis * np.float32(self.scale)).astype(np.float32)


def encode_in_many_places(encoder: Encoder, sounds: list[np.ndarray], seed: int = 1) -> np.ndarray:
    """Encode each sound alone, and between silence or other sounds, where its rows should not change.

    Args:
        encoder: of the teacher's own rows.
        sounds: mono, 16 kHz, (N,) each, several voices and languages.
        seed: places and neighbours.
    Returns:
        Shape (4, R, C): version, row of any sound, value.
    """
    rng, versions = np.random.default_rng(seed), []
    for sound in sounds:
        rows = min(len(sound) // _SAMPLES_PER_ROW, _LONGEST_ROWS)
        sound = sound[: rows * _SAMPLES_PER_ROW]
        places = [0, *rng.integers(10, _LATEST_ROWS, _VERSIONS - 1)]
        heard = [_surround(sound, place, sounds, rng) if place else sound for place in places]
        versions.append([encoder.encode(one)[place : place + rows] for one, place in zip(heard, places, strict=True)])
    return np.stack([np.concatenate(part) for part in zip(*versions, strict=True)])


def _surround(sound: np.ndarray, place: int, others: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Put `place` rows of silence or of another sound before a sound, and up to 2 s of another behind it."""
    before, behind = (others[i] for i in rng.integers(len(others), size=2))
    before = np.resize(before, place * _SAMPLES_PER_ROW) * (rng.random() >= _SILENT_BEFORE)
    behind = behind[: rng.integers(_BEHIND_ROWS) * _SAMPLES_PER_ROW]
    return np.concatenate([before, sound, behind]).astype(np.float32)


def fit_projection(versions: np.ndarray, size: int) -> tuple[Projection, float]:
    """Fit the directions in which sounds differ most compared with versions of one sound.

    Args:
        versions: shape (V, R, C), as `encode_in_many_places` gives them.
        size: dimensions kept.
    Returns:
        Projection, and how well versions agree behind it: R2 of the others against the first.
    Source:
        Fisher's discriminant analysis with shrinkage, directions weighted by Wiener's gain; its use here our choice.
    """
    mean_rows = versions.mean(0, dtype=np.float64)
    mean = mean_rows.mean(0)
    spread = (versions - mean_rows).reshape(-1, versions.shape[-1])
    within = spread.T @ spread / ((len(versions) - 1) * len(mean_rows))
    between = (mean_rows - mean).T @ (mean_rows - mean) / len(mean_rows) - within / len(versions)
    within += _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values)
    ratios, turned = np.linalg.eigh(whiten.T @ between @ whiten)
    ratios = np.maximum(ratios[::-1][:size], 1e-6)
    basis = (whiten @ turned)[:, ::-1][:, :size] * ratios / (1 + ratios) ** 1.5
    norm = np.linalg.norm((versions[0] - mean) @ basis, axis=1).mean()
    projection = Projection(mean.astype(np.float32), basis.astype(np.float32), float(np.sqrt(size) / norm))
    return projection, measure_agreement(projection, versions)


def measure_agreement(projection: Projection, versions: np.ndarray) -> float:
    """Tell how much of a sound's features other versions of it explain: R2, 1 where places do not matter."""
    first, *others = (projection(rows) for rows in versions)
    total = ((first - first.mean(0)) ** 2).sum()
    return float(np.mean([1 - ((rows - first) ** 2).sum() / total for rows in others]))


def save_projection(path: str | Path, projection: Projection) -> None:
    """Write a projection whole or not at all: mean (512,), basis (512, D), scale."""
    file = io.BytesIO()
    np.savez(file, mean=projection.mean, basis=projection.basis, scale=np.float32(projection.scale))
    write_whole(Path(path), file.getvalue())


def load_projection(path: str | Path) -> Projection:
    """Read what `save_projection` wrote. Raises DataError when it is missing."""
    if not Path(path).is_file():
        raise DataError(f"no projection at {path}; fit one with fit_projection")
    with np.load(path) as file:
        return Projection(file["mean"], file["basis"], float(file["scale"]))
