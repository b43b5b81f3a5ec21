"""Face tracks stored small: points as whole numbers within the face's own box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from g4g.faces import FaceTracks

_STEPS = 65_535
"""Points lie on a grid of so many steps across the face's largest extent: 0.005 px on a face of 300 px."""
_PLAIN = ("times_s", "cuts", "frames", "faces", "frame_to_crop", "covered", "light")
_POINTS, _CORNER, _STEP = "mesh_steps", "mesh_corner", "mesh_step"


def pack_tracks(tracks: FaceTracks) -> dict[str, np.ndarray]:
    """Turn face tracks into arrays of 2.9 KB per frame and face, for `unpack_tracks`."""
    mesh = tracks.mesh.astype(np.float64)
    corner = mesh.min(1) if len(mesh) else np.zeros((0, 3))
    extents = (mesh - corner[:, None]).max((1, 2)) if len(mesh) else np.zeros(0)
    step = np.maximum(extents, 1e-6) / _STEPS
    steps = np.rint((mesh - corner[:, None]) / step[:, None, None]).astype(np.uint16)
    return {name: getattr(tracks, name) for name in _PLAIN} | {_POINTS: steps, _CORNER: corner, _STEP: step}


def unpack_tracks(arrays: dict[str, np.ndarray]) -> FaceTracks:
    """Turn the arrays of `pack_tracks` into face tracks. Raises KeyError or ValueError where they are others."""
    mesh = arrays[_POINTS] * arrays[_STEP][:, None, None] + arrays[_CORNER][:, None]
    return FaceTracks(mesh=mesh.astype(np.float32), **{name: arrays[name] for name in _PLAIN})


def settle_tracks(tracks: FaceTracks) -> FaceTracks:
    """Move the points onto the grid on which they are stored: stored or not, a dub is the same to the bit."""
    return replace(tracks, mesh=unpack_tracks(pack_tracks(tracks)).mesh)
