"""Measures that need files or packages beyond g4g's own: used where they are at hand, named where they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from g4g.metrics.syncnet import SyncNet, load_syncnet

Embedder = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Turns a frame (H, W, 3) RGB uint8 and its landmarks (68, 2) px into a face's vector (D,)."""

SAMPLED = 5
"""Inception and face embeddings see every fifth frame: they cost more than all other measures."""

_ALEXNET = "alexnet-owt-7be5be79.pth"
_INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
_DLIB_FACES = "models/dlib_face_recognition_resnet_model_v1.dat"


@dataclass(frozen=True)
class Extras:
    """What `measure_clip` uses beside the judge.

    Attributes:
        syncnet: the official net.
        lpips: two face crops (size, size, 3) uint8 -> distance.
        fid: torchmetrics' running FID over the real and the dubbed face crops of every clip measured.
        identity: embeds faces.
        missing: what is not measured and why, a sentence each.
    """

    syncnet: SyncNet | None = None
    lpips: Callable[[np.ndarray, np.ndarray], float] | None = None
    fid: Any = None
    identity: Embedder | None = None
    missing: list[str] = field(default_factory=list)


NO_EXTRAS = Extras()


def load_extras(syncnet: str | Path | None = None, identity: Embedder | None = None) -> Extras:
    """Load what is at hand.

    Args:
        syncnet: the public file syncnet_v2.model.
        identity: a face embedder; None: dlib's, where the extra g4g[identity] is installed.
    Raises:
        CheckpointError: syncnet is not that file.
    """
    missing: list[str] = []
    official = None if syncnet is None else load_syncnet(syncnet)
    if official is None:
        missing.append("official SyncNet: give the project's syncnet_v2.model with --syncnet")
    lpips = _load_lpips(missing)
    fid = _load_fid(missing)
    return Extras(official, lpips, fid, identity or _load_dlib(missing), missing)


def _load_lpips(missing: list[str]) -> Callable[[np.ndarray, np.ndarray], float] | None:
    weights = _hub_file(_ALEXNET)
    if find_spec("torchmetrics") is None:
        missing.append("LPIPS: pip install 'g4g[perceptual]'")
    elif not weights.is_file():
        missing.append(f"LPIPS: torchvision's AlexNet is not at {weights}")
    else:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        network = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
        return lambda made, real: float(network(_to_batch(made) / 255, _to_batch(real) / 255))
    return None


def _load_fid(missing: list[str]) -> torch.nn.Module | None:
    weights = _hub_file(_INCEPTION)
    if find_spec("torchmetrics") is None or find_spec("torch_fidelity") is None:
        missing.append("FID: pip install 'g4g[perceptual]'")
    elif not weights.is_file():
        missing.append(f"FID: torch-fidelity's Inception is not at {weights}")
    else:
        from torchmetrics.image.fid import FrechetInceptionDistance

        return FrechetInceptionDistance(feature_extractor_weights_path=str(weights))
    return None


def add_to_fid(fid: torch.nn.Module, made: np.ndarray, real: np.ndarray) -> None:
    """Count a dubbed and a real face crop (size, size, 3) uint8 in."""
    for crop, is_real in ((made, False), (real, True)):
        fid.update(_to_batch(crop), real=is_real)


def _load_dlib(missing: list[str]) -> Embedder | None:
    models = find_spec("face_recognition_models")
    if find_spec("dlib") is None or models is None:
        missing.append("identity: pip install 'g4g[identity]', or give an embedder")
        return None
    import dlib

    network = dlib.face_recognition_model_v1(str(Path(models.origin).parent / _DLIB_FACES))

    def embed(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        points = [dlib.point(round(float(x)), round(float(y))) for x, y in landmarks]
        (left, top), (right, bottom) = landmarks.min(0).round().astype(int), landmarks.max(0).round().astype(int)
        face = dlib.full_object_detection(dlib.rectangle(int(left), int(top), int(right), int(bottom)), points)
        return np.array(network.compute_face_descriptor(np.ascontiguousarray(frame), face))

    return embed


def _hub_file(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def _to_batch(crop: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crop.astype(np.uint8)).permute(2, 0, 1)[None]
