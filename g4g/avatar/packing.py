"""Face tracks stored small: points as whole numbers within the face's own box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from g4g.faces import FaceTracks
from g4g.faces.facemesh import POINTS
from g4g.memory import drop_pages, join_blocks, list_blocks

_STEPS = 65_535
"""Points lie on a grid of so many steps across the face's largest extent: 0.005 px on a face of 300 px."""
_BLOCK = 500
"""So many rows are worked on at a time: doubles of all faces of a long video would fill the memory."""
_PLAIN = ("times_s", "cuts", "frames", "faces", "frame_to_crop", "covered", "light")
_POINTS, _CORNER, _STEP = "mesh_steps", "mesh_corner", "mesh_step"


def pack_tracks(tracks: FaceTracks) -> dict[str, np.ndarray]:
    """Turn face tracks into arrays of 2.9 KB per frame and face, for `unpack_tracks`."""
    count = len(tracks.mesh)
    corner, step = np.empty((count, 3)), np.empty(count)

    def make_blocks() -> Iterator[np.ndarray]:
        for rows in list_blocks(count, _BLOCK):
            steps, corner[rows], step[rows] = _pack(tracks.mesh[rows])
            drop_pages(tracks.mesh)
            yield steps

    steps = join_blocks(make_blocks, (count, POINTS, 3), np.uint16)
    return {name: getattr(tracks, name) for name in _PLAIN} | {_POINTS: steps, _CORNER: corner, _STEP: step}


def unpack_tracks(arrays: dict[str, np.ndarray]) -> FaceTracks:
    """Turn the arrays of `pack_tracks` into face tracks. Raises KeyError or ValueError where they are others."""
    packed = [arrays[name] for name in (_POINTS, _CORNER, _STEP)]
    shape = packed[0].shape
    make_blocks = lambda: (_unpack(*(array[rows] for array in packed)) for rows in list_blocks(shape[0], _BLOCK))  # noqa: E731
    return FaceTracks(mesh=join_blocks(make_blocks, shape, np.float32), **{name: arrays[name] for name in _PLAIN})


def settle_tracks(tracks: FaceTracks) -> FaceTracks:
    """Move the points onto the grid on which they are stored: a dub is the same, stored or not."""

    def make_blocks() -> Iterator[np.ndarray]:
        for rows in list_blocks(len(tracks.mesh), _BLOCK):
            yield _unpack(*_pack(tracks.mesh[rows]))
            drop_pages(tracks.mesh)

    return replace(tracks, mesh=join_blocks(make_blocks, tracks.mesh.shape, np.float32))


def _pack(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the steps (n, N, 3) of meshes (n, N, 3), the corner (n, 3) from which each counts, and its step (n,), px."""
    mesh = mesh.astype(np.float64)
    corner = mesh.min(1)
    mesh -= corner[:, None]
    step = np.maximum(mesh.max((1, 2)), 1e-6) / _STEPS
    return np.rint(mesh / step[:, None, None]).astype(np.uint16), corner, step


def _unpack(steps: np.ndarray, corner: np.ndarray, step: np.ndarray) -> np.ndarray:
    return (steps * step[:, None, None] + corner[:, None]).astype(np.float32)
