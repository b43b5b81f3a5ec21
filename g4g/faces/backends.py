"""The face finders by name; all place the same mesh."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from g4g.checkpoints import find_weights
from g4g.engine import compile_network, count_threads, read_blocked, share_stages
from g4g.errors import FaceError
from g4g.faces import blazeface, facemesh
from g4g.faces.blazeface import BlazeFace
from g4g.faces.facemesh import FaceMesh, roi_from_box, roi_from_mesh
from g4g.faces.landmarks import LEFT_EYE, RIGHT_EYE

_MESH = "face-landmarks"
_MIN_PRESENCE = 0.5
_MAX_JUMP = 0.5
"""A mesh whose centre moves by more than this share of its size within one frame has slipped to something else."""
_MOST_AHEAD = 0.1
"""Of a face that moves by more of its size, the next frame is looked at anew: the square lies too far beside it."""
_CLEARLY = 0.5
"""A detected box that overlaps a mesh by so much (intersection over union) is that face: mostly it is 0.8."""


_MOST_THREADS = 2
"""The networks are small (our choice, not measured on more cores)."""
THOROUGH_EVERY = 15
"""Where no face is found, small ones are looked for in the first and then in every so many frames."""


class FaceBackend(ABC):
    """Finds faces and places their meshes (478, 3), as `FaceMesh` gives them."""

    _last: np.ndarray | None = None
    _missed = 0

    @abstractmethod
    def detect(self, frame: np.ndarray, thorough: bool, known: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
        """Return the meshes of all faces in a frame (H, W, 3) RGB uint8, largest first.

        Args:
            frame: to be looked at.
            thorough: look for small ones too.
            known: meshes of faces that are followed; no mesh is placed where one of them clearly is already.
        """

    @abstractmethod
    def follow(self, frame: np.ndarray, mesh: np.ndarray) -> np.ndarray | None:
        """Return the mesh of the face that had `mesh` one frame before; None: lost, or this backend only detects."""

    def follow_two(
        self, frame: np.ndarray, following: np.ndarray, mesh: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:  # fmt: skip
        """Follow the face that had `mesh` one frame before through two frames at once.

        Returns:
            Its mesh in `frame`, as `follow` returns it, and in the one after; None there: call `follow` for that one.
        """
        return self.follow(frame, mesh), None

    def find(self, frame: np.ndarray) -> np.ndarray | None:
        """Return the mesh of the one face that is followed, at first the largest, or None.

        For callers that want one face only; called with the frames of one video in order.
        """
        mesh = None if self._last is None else self.follow(frame, self._last)
        if mesh is None:
            mesh = next(iter(self.detect(frame, thorough=self._missed % THOROUGH_EVERY == 0)), None)
            self._missed = self._missed + 1 if mesh is None else 0
        self._last = mesh
        return mesh

    def forget(self) -> None:
        """Look anew in the next frame: another scene begins there."""
        self._last, self._missed = None, 0


class _MeshBackend(FaceBackend):
    """Places MediaPipe's mesh around what a detector finds."""

    def __init__(self) -> None:
        self._place_mesh = FaceMesh(_Network(_MESH, (facemesh.INPUT_PX, facemesh.INPUT_PX, 3)))

    def _place(self, frame: np.ndarray, box: np.ndarray, eyes: np.ndarray) -> np.ndarray | None:
        mesh, _ = self._place_mesh(frame, roi_from_box(box, eyes))
        # A second look from the mesh's own square settles points that a loose detection box leaves behind.
        mesh, presence = self._place_mesh(frame, roi_from_mesh(mesh))
        return mesh if presence > _MIN_PRESENCE else None

    def _place_all(
        self, frame: np.ndarray, found: list[tuple[np.ndarray, np.ndarray]], known: Sequence[np.ndarray]
    ) -> list[np.ndarray]:  # fmt: skip
        new = [(box, eyes) for box, eyes in found if all(overlap(box.reshape(2, 2), old) < _CLEARLY for old in known)]
        meshes = (self._place(frame, box, eyes) for box, eyes in new)
        return sorted((mesh for mesh in meshes if mesh is not None), key=_area, reverse=True)


class MediaPipeBackend(_MeshBackend):
    """BlazeFace to detect, the mesh from its own last place to follow."""

    def __init__(self) -> None:
        super().__init__()
        self._find_boxes = BlazeFace(_Network("face-detection", (blazeface.INPUT_PX, blazeface.INPUT_PX, 3)))

    def detect(self, frame: np.ndarray, thorough: bool, known: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
        return self._place_all(frame, [(found.box, found.eyes) for found in self._find_boxes(frame, thorough)], known)

    def follow(self, frame: np.ndarray, mesh: np.ndarray) -> np.ndarray | None:
        now, presence = self._place_mesh(frame, roi_from_mesh(mesh))
        return now if presence > _MIN_PRESENCE and _jump(now, mesh) < _MAX_JUMP else None

    def follow_two(
        self, frame: np.ndarray, following: np.ndarray, mesh: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:  # fmt: skip
        (now, presence), (after, presence_after) = self._place_mesh.place_each([frame, following], roi_from_mesh(mesh))
        if presence <= _MIN_PRESENCE or _jump(now, mesh) >= _MAX_JUMP:
            return None, None
        is_near = max(_jump(now, mesh), _jump(after, mesh)) < _MOST_AHEAD
        return now, after if presence_after > _MIN_PRESENCE and is_near else None


class FaceAlignmentBackend(_MeshBackend):
    """s3fd and FAN of the face-alignment package detect, frame by frame (their weights' licence is non-commercial)."""

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

        super().__init__()
        self._aligner = FaceAlignment(LandmarksType.TWO_D, device="cpu", flip_input=False)

    def detect(self, frame: np.ndarray, thorough: bool, known: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
        found = self._aligner.get_landmarks_from_image(frame) or []
        eyes = [np.stack([points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)]) for points in found]
        boxes = [np.concatenate([points.min(0), points.max(0)]) for points in found]
        return self._place_all(frame, list(zip(boxes, eyes, strict=True)), known)

    def follow(self, frame: np.ndarray, mesh: np.ndarray) -> None:
        return None


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of the boxes of two meshes, or of any points (N, 2 or 3)."""
    a, b = a[:, :2], b[:, :2]
    low, high = np.maximum(a.min(0), b.min(0)), np.minimum(a.max(0), b.max(0))
    both = np.prod(np.maximum(high - low, 0))
    return float(both / (np.prod(np.ptp(a, axis=0)) + np.prod(np.ptp(b, axis=0)) - both + 1e-9))


def _jump(now: np.ndarray, mesh: np.ndarray) -> float:
    """Tell how far a mesh moved, as a share of its size."""
    return float(np.linalg.norm((now - mesh)[:, :2].mean(0)) / np.ptp(mesh[:, :2], axis=0).max())


def _area(mesh: np.ndarray) -> float:
    return float(np.prod(np.ptp(mesh[:, :2], axis=0)))


class _Network:
    """A shipped network on one or two pictures (B, h, w, 3) float32; for one thread of ours at a time."""

    def __init__(self, name: str, size: tuple[int, int, int]) -> None:
        self._name, self._size = name, size
        self._requests: dict[tuple[int, int], Any] = {}
        self._beside = ThreadPoolExecutor(1)

    def __call__(self, pictures: np.ndarray) -> Mapping[str, np.ndarray]:
        if len(pictures) == 1 or count_threads() == 1:
            return self._infer(pictures)
        second = self._beside.submit(self._infer, pictures[1:], 1)
        first = self._infer(pictures[:1])
        # The other thread may not have had a core yet.
        last = self._infer(pictures[1:]) if second.cancel() else second.result()
        return {name: np.concatenate([first[name], last[name]]) for name in first}

    def _infer(self, pictures: np.ndarray, copy: int = 0) -> dict[str, np.ndarray]:
        key = len(pictures), copy
        if key not in self._requests:
            # A request of its own, so that backends can run side by side.
            self._requests[key] = _compile(self._name, (len(pictures), *self._size), copy).create_infer_request()
        results = self._requests[key].infer(pictures, share_inputs=True)
        return {output.any_name: values for output, values in results.items()}


@lru_cache
def _compile(name: str, shape: tuple[int, ...], copy: int):
    """Compile a shipped network, each `copy` once per process: it takes longer than a second of video."""
    path, threads = find_weights(name), min(share_stages(), _MOST_THREADS)
    return compile_network(read_blocked(path) if name == _MESH else path, threads, shape=shape)


BACKENDS = {"mediapipe": MediaPipeBackend, "face-alignment": FaceAlignmentBackend}


def make_backend(name: str) -> FaceBackend:
    """Build a face backend by name.

    Raises:
        FaceError: unknown name or missing weights.
    """
    if name not in BACKENDS:
        raise FaceError(f"unknown face backend {name!r}; use one of {', '.join(BACKENDS)}")
    return BACKENDS[name]()
