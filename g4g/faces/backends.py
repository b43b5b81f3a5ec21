"""The face finders by name; both give the same 68 points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path

import numpy as np

from g4g.checkpoints import find_weights
from g4g.errors import FaceError
from g4g.faces.blazeface import BlazeFace, Detection
from g4g.faces.facemesh import FaceMesh, roi_from_box, roi_from_mesh
from g4g.faces.landmarks import MESH_TO_68

_MIN_PRESENCE = 0.5
_MAX_JUMP = 0.5
"""A mesh whose centre moves by more than this share of its size within one frame has slipped to something else."""


THOROUGH_EVERY = 15
"""Where no face is found, small ones are looked for in the first and then in every so many frames."""


class FaceBackend(ABC):
    """Finds faces. A `shape` is what a backend knows of one face in one frame: its points (N, 2) px."""

    _last: np.ndarray | None = None
    _missed = 0

    @abstractmethod
    def detect(self, frame: np.ndarray, thorough: bool) -> list[np.ndarray]:
        """Return the shapes of all faces in a frame (H, W, 3) RGB uint8, largest first; `thorough`: small ones too."""

    @abstractmethod
    def follow(self, frame: np.ndarray, shape: np.ndarray) -> np.ndarray | None:
        """Return the shape of the face that had `shape` one frame before; None: lost, or this backend only detects."""

    @abstractmethod
    def to_landmarks(self, shape: np.ndarray) -> np.ndarray:
        """Return the 68 points of a shape, (68, 2) px, float32."""

    def find(self, frame: np.ndarray) -> np.ndarray | None:
        """Return the 68 points of the one face that is followed, at first the largest, or None.

        For callers that want one face only; called with the frames of one video in order.
        """
        shape = None if self._last is None else self.follow(frame, self._last)
        if shape is None:
            shape = next(iter(self.detect(frame, thorough=self._missed % THOROUGH_EVERY == 0)), None)
            self._missed = self._missed + 1 if shape is None else 0
        self._last = shape
        return None if shape is None else self.to_landmarks(shape)

    def forget(self) -> None:
        """Look anew in the next frame: another scene begins there."""
        self._last, self._missed = None, 0


class MediaPipeBackend(FaceBackend):
    """BlazeFace to detect, FaceMesh from mesh to mesh to follow."""

    def __init__(self) -> None:
        # A request of its own, so that backends can run side by side.
        self._find_boxes = BlazeFace(_compile("face-detection").create_infer_request().infer)
        self._place_mesh = FaceMesh(_compile("face-landmarks").create_infer_request().infer)

    def detect(self, frame: np.ndarray, thorough: bool) -> list[np.ndarray]:
        meshes = (self._place(frame, detection) for detection in self._find_boxes(frame, thorough))
        return sorted((mesh for mesh in meshes if mesh is not None), key=_area, reverse=True)

    def follow(self, frame: np.ndarray, shape: np.ndarray) -> np.ndarray | None:
        mesh, presence = self._place_mesh(frame, roi_from_mesh(shape))
        size = np.ptp(shape, axis=0).max()
        jump = np.linalg.norm(mesh.mean(0) - shape.mean(0)) / size
        return mesh if presence > _MIN_PRESENCE and jump < _MAX_JUMP else None

    def to_landmarks(self, shape: np.ndarray) -> np.ndarray:
        return shape[MESH_TO_68].astype(np.float32)

    def _place(self, frame: np.ndarray, detection: Detection) -> np.ndarray | None:
        mesh, _ = self._place_mesh(frame, roi_from_box(detection.box, detection.eyes))
        # A second look from the mesh's own square settles points that a loose detection box leaves behind.
        mesh, presence = self._place_mesh(frame, roi_from_mesh(mesh))
        return mesh if presence > _MIN_PRESENCE else None


class FaceAlignmentBackend(FaceBackend):
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

    def detect(self, frame: np.ndarray, thorough: bool) -> list[np.ndarray]:
        return sorted(self._aligner.get_landmarks_from_image(frame) or [], key=_area, reverse=True)

    def follow(self, frame: np.ndarray, shape: np.ndarray) -> None:
        return None

    def to_landmarks(self, shape: np.ndarray) -> np.ndarray:
        return shape.astype(np.float32)


def _area(shape: np.ndarray) -> float:
    return float(np.prod(np.ptp(shape, axis=0)))


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
