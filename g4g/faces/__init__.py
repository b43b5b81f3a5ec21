"""Faces: found, followed, cropped, masked; takes arrays, never files."""

from g4g.faces.backends import BACKENDS, make_backend
from g4g.faces.canonical import lip_gap, load_canonical
from g4g.faces.crop import (
    crop_face,
    crop_mesh,
    crop_scale,
    find_runs,
    fit_crop,
    frame_corners,
    lower_half_mask,
    refine_crop,
    shift_crop,
)
from g4g.faces.follow import FaceTracks, follow_faces
from g4g.faces.landmarks import eye_distance, head_yaw, mouth_shape, steady_upper_face, to_landmarks
from g4g.faces.likeness import ALIKE, describe_likeness, unit_row
from g4g.faces.mesh_warp import (
    add_ring,
    inside_triangles,
    rasterise_mesh,
    ring_triangles,
    to_picture,
    warp_picture,
)
from g4g.faces.pose import HeadPose, find_face, fit_pose, place_head
from g4g.faces.track import FaceTrack, track_faces
from g4g.faces.turned import find_turned
from g4g.faces.warp import fit_similarity, invert_affine, transform_points, warp_frame

__all__ = [
    "ALIKE", "BACKENDS", "FaceTrack", "FaceTracks", "HeadPose", "add_ring", "crop_face", "crop_mesh", "crop_scale",
    "describe_likeness", "eye_distance", "find_face", "find_runs", "find_turned", "fit_crop", "fit_pose",
    "fit_similarity", "follow_faces", "frame_corners", "head_yaw", "inside_triangles", "invert_affine", "lip_gap",
    "load_canonical", "lower_half_mask", "make_backend", "mouth_shape", "place_head", "rasterise_mesh", "refine_crop",
    "ring_triangles", "shift_crop", "steady_upper_face", "to_landmarks", "to_picture", "track_faces",
    "transform_points", "unit_row", "warp_frame", "warp_picture",
]  # fmt: skip
