"""The teacher's features in fewer dimensions: centred principal components, scaled by one number."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError


@dataclass(frozen=True)
class Projection:
    """`(rows - mean) @ basis * scale`: (S, 512) to (S, D), whose mean norm is sqrt(D) on the rows it was fitted on."""

    mean: np.ndarray
    basis: np.ndarray
    scale: float

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return ((np.asarray(rows, np.float32) - self.mean) @ self.basis * np.float32(self.scale)).astype(np.float32)


def fit_projection(rows: np.ndarray, size: int) -> tuple[Projection, float]:
    """Fit principal components on rows (N, C).

    Returns:
        Projection to `size` dimensions, and the share of the variance that it keeps.
    """
    mean = rows.mean(0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov((rows - mean).T))
    basis = vectors[:, ::-1][:, :size]
    norm = np.linalg.norm((rows - mean) @ basis, axis=1).mean()
    kept = values[::-1][:size].sum() / values.sum()
    return Projection(mean.astype(np.float32), basis.astype(np.float32), float(np.sqrt(size) / norm)), float(kept)


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
