"""Speech features of prepared shots: computed once by an encoder, kept beside the shots under the encoder's name."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError
from g4g.training.data import Shot

Encode = Callable[[np.ndarray], np.ndarray]
"""From a waveform (N,) float32 in [-1, 1] at 16 kHz to features (S, D), row i at i / 50 s."""


def add_speech(shots: list[Shot], folder: str | Path, encoder: str, encode: Encode | None = None) -> list[Shot]:
    """Give shots their speech features, and keep those on disk as FOLDER/speech/ENCODER/SHOT.npy.

    Args:
        shots: of a prepared folder; a still gets no rows.
        folder: what `g4g prepare` wrote.
        encoder: tells encoders apart, such as the hash of a weight file.
        encode: computes features that are not on disk; None: all must be there.
    Returns:
        The shots with `speech` (S, D), float16.
    Raises:
        DataError: features are missing, and there is no encoder.
    """
    home = Path(folder) / "speech" / encoder
    home.mkdir(parents=True, exist_ok=True)
    return [replace(shot, speech=_read(home / f"{shot.name}.npy", shot, encode)) for shot in shots]


def find_features(folder: str | Path) -> str:
    """Name the only speech features of a prepared folder. Raises DataError where there are none, or several."""
    names = sorted(path.name for path in (Path(folder) / "speech").glob("*") if path.is_dir())
    if len(names) != 1:
        found = ", ".join(names) or "no speech features"
        raise DataError(f"{folder}/speech holds {found}; name the features of one encoder")
    return names[0]


def _read(file: Path, shot: Shot, encode: Encode | None) -> np.ndarray:
    if not len(shot.waveform):
        return np.zeros((0, 0), np.float16)
    if file.is_file():
        return np.load(file)
    if encode is None:
        raise DataError(f"no speech features for the shot {shot.name} in {file.parent}; give an encoder")
    features = encode(shot.waveform.astype(np.float32) / 32767).astype(np.float16)
    write_whole(file, _to_npy(features))
    return features


def _to_npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
