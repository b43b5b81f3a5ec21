"""The face finders by name; both give the same 68 points."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from g4g.checkpoints import find_weights
from g4g.errors import FaceError
from g4g.faces.blazeface import BlazeFace
from g4g.faces.facemesh import FaceMesh, roi_from_box, roi_from_mesh
from g4g.faces.landmarks import MESH_TO_68

_MIN_PRESENCE = 0.5
_MAX_JUMP = 0.5
"""A mesh whose centre moves by more than this share of its size within one frame has slipped to something else."""


class FaceBackend(Protocol):
    """Finds one face per frame; called with the frames of one video in order."""

    def find(self, frame: np.ndarray) -> np.ndarray | None:
        """Return landmarks (68, 2) px of the face in a frame (H, W, 3) RGB uint8, or None."""

    def forget(self) -> None:
        """Look anew in the next frame: another scene begins there."""


class MediaPipeBackend:
    """BlazeFace once, then FaceMesh from mesh to mesh; detects again when the face is lost."""

    def __init__(self) -> None:
        # A request of its own, so that backends can run side by side.
        self._detect = BlazeFace(_compile("face-detection").create_infer_request().infer)
        self._mesh = FaceMesh(_compile("face-landmarks").create_infer_request().infer)
        self._last: np.ndarray | None = None

    def find(self, frame: np.ndarray) -> np.ndarray | None:
        mesh = self._follow(frame)
        if mesh is None:
            mesh = self._search(frame)
        self._last = mesh
        return None if mesh is None else mesh[MESH_TO_68].astype(np.float32)

    def forget(self) -> None:
        self._last = None

    def _follow(self, frame: np.ndarray) -> np.ndarray | None:
        if self._last is None:
            return None
        mesh, presence = self._mesh(frame, roi_from_mesh(self._last))
        size = np.ptp(self._last, axis=0).max()
        jump = np.linalg.norm(mesh.mean(0) - self._last.mean(0)) / size
        return mesh if presence > _MIN_PRESENCE and jump < _MAX_JUMP else None

    def _search(self, frame: np.ndarray) -> np.ndarray | None:
        detections = self._detect(frame)
        if not detections:
            return None
        largest = max(detections, key=lambda d: np.prod(d.box[2:] - d.box[:2]))
        mesh, _ = self._mesh(frame, roi_from_box(largest.box, largest.eyes))
        # A second look from the mesh's own square settles points that a loose detection box leaves behind.
        mesh, presence = self._mesh(frame, roi_from_mesh(mesh))
        return mesh if presence > _MIN_PRESENCE else None


class FaceAlignmentBackend:
    """s3fd + FAN of the face-alignment package, for those who have its weights (their licence is non-commercial)."""

    FILES = ("s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar")

    def __init__(self) -> None:
        import torch

        folder = Path(torch.hub.get_dir()) / "checkpoints"
        missing = [name for name in self.FILES if not (folder / name).is_file()]
        if missing:
            raise FaceError(
                f"the face-alignment backend needs {' and '.join(missing)} in {folder}; put the "
                f"{'file' if len(missing) == 1 else 'files'} there (see the face-alignment project), "
                'or use faces="mediapipe", which needs nothing'
            )
        from face_alignment import FaceAlignment, LandmarksType

        self._aligner = FaceAlignment(LandmarksType.TWO_D, device="cpu", flip_input=False)

    def find(self, frame: np.ndarray) -> np.ndarray | None:
        faces = self._aligner.get_landmarks_from_image(frame)
        if not faces:
            return None
        return max(faces, key=lambda points: np.prod(np.ptp(points, axis=0))).astype(np.float32)

    def forget(self) -> None:
        pass  # it looks anew in every frame


@lru_cache
def _compile(name: str):
    """Compile a shipped network, once per process: it takes longer than a second of video."""
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return openvino.Core().compile_model(str(find_weights(name)), "CPU", settings)


BACKENDS = {"mediapipe": MediaPipeBackend, "face-alignment": FaceAlignmentBackend}


def make_backend(name: str) -> FaceBackend:
    """Build a face backend by name. Raises FaceError for an unknown name or missing weights."""
    if name not in BACKENDS:
        raise FaceError(f"unknown face backend {name!r}; use one of {', '.join(BACKENDS)}")
    return BACKENDS[name]()
