"""The face crop: a smoothed similarity transform from stable points, its inverse, and the lower-half mask."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter1d

from g4g.config import CropConfig
from g4g.faces.landmarks import JAW, STABLE
from g4g.faces.warp import fit_similarity, invert_affine, transform_points, warp_frame

# Mean positions of STABLE in units of the outer eye corners' distance, origin midway between them (our measurement).
_STABLE_TEMPLATE = np.array(
    [[0.0, -0.04], [0.0, 0.13], [0.0, 0.30], [0.0, 0.39], [-0.5, 0.0], [-0.19, 0.03], [0.19, 0.03], [0.5, 0.0]]
)


def fit_crop(landmarks: np.ndarray, runs: list[tuple[int, int]], config: CropConfig = CropConfig()) -> np.ndarray:
    """Fit frame_to_crop for every frame from stable points, smoothed over time within each run.

    Args:
        landmarks: shape (T, 68, 2), frame px.
        runs: (start, stop) of neighbouring frames with the face, as `find_runs` lists them.
    Returns:
        frame_to_crop, shape (T, 2, 3), float64; the identity's rows outside the runs.
    Source:
        Our choice.
    """
    template = _STABLE_TEMPLATE * config.eye_distance + [0.5, config.eye_line]
    target = template * config.size - 0.5
    frame_to_crop = np.tile(np.eye(2, 3), (len(landmarks), 1, 1))
    for start, stop in runs:
        points = landmarks[start:stop, STABLE].astype(np.float64)
        frame_to_crop[start:stop] = fit_similarity(_follow(points, config), target)
    return frame_to_crop


def find_runs(found: np.ndarray, cuts: np.ndarray | None = None) -> list[tuple[int, int]]:
    """List the (start, stop) of every run of True in `found` (T,); a run ends where `cuts` (T,) is True."""
    found = np.asarray(found, dtype=bool)
    joined = found[1:] & found[:-1] & ~(np.zeros(len(found), bool) if cuts is None else cuts)[1:]
    starts = np.flatnonzero(found & ~np.concatenate([[False], joined])[: len(found)])
    stops = np.flatnonzero(found & ~np.concatenate([joined, [False]])[: len(found)]) + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def crop_scale(frame_to_crop: np.ndarray) -> np.ndarray:
    """Crop px per frame px of affines (..., 2, 3), shape (...)."""
    return np.sqrt(np.abs(np.linalg.det(frame_to_crop[..., :2])))


def refine_crop(frame_to_crop: np.ndarray, factor: float) -> np.ndarray:
    """Map frames to the same crops with `factor` times as many pixels each way, affines (..., 2, 3)."""
    result = frame_to_crop * float(factor)
    result[..., 2] += (factor - 1) / 2  # whole numbers are pixel centres
    return result


def shift_crop(frame_to_crop: np.ndarray, left: float, top: float) -> np.ndarray:
    """Map a part of a frame that begins at (left, top) px to the same crop, affine (2, 3)."""
    return np.column_stack([frame_to_crop[:, :2], frame_to_crop[:, :2] @ [left, top] + frame_to_crop[:, 2]])


def frame_corners(frame_to_crop: np.ndarray, size: int) -> np.ndarray:
    """Return the outer corners (4, 2), frame px, of a crop of `size`."""
    low, high = -0.5, size - 0.5
    return transform_points(
        invert_affine(frame_to_crop), np.array([[low, low], [high, low], [low, high], [high, high]])
    )


def crop_mesh(frame_to_crop: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Map meshes (T, N, 3) frame px to crop px by affines (T, 2, 3): depth is scaled alike; (T, N, 3), float32."""
    depth = mesh[..., 2:] * crop_scale(frame_to_crop)[:, None, None]
    return np.concatenate([transform_points(frame_to_crop, mesh[..., :2]), depth], axis=-1).astype(np.float32)


def crop_face(frame: np.ndarray, frame_to_crop: np.ndarray, size: int, mode: str = "bilinear") -> np.ndarray:
    """Cut the face crop (size, size, 3) uint8 out of a frame (H, W, 3) uint8; black outside; `mode`: `warp_frame`'s."""
    return warp_frame(frame, invert_affine(frame_to_crop), (size, size), mode)


def lower_half_mask(crop_landmarks: np.ndarray, config: CropConfig = CropConfig()) -> np.ndarray:
    """Draw the soft mask of the lower face along its outline.

    Args:
        crop_landmarks: shape (68, 2), px of the crop.
    Returns:
        Shape (size, size), float32 in [0, 1]; 1 = generate, exactly 0 outside and on the crop's border.
    Source:
        Our choice.
    """
    size = config.size
    jaw = crop_landmarks[JAW].astype(np.float64)
    centre = np.array([jaw[:, 0].mean(), config.hidden_top * size])
    outline = centre + (jaw - centre) * (1 + config.mask_margin)
    outline[:, 1] = np.maximum(outline[:, 1], config.hidden_top * size)
    outline[:, 1] += config.mask_margin * size * np.clip((outline[:, 1] - centre[1]) / (0.3 * size), 0, 1)
    picture = Image.new("L", (size, size), 0)
    ImageDraw.Draw(picture).polygon([tuple(p) for p in outline], fill=255)
    feather = config.mask_feather * size
    mask = np.asarray(picture.filter(ImageFilter.GaussianBlur(feather)), dtype=np.float32) / 255
    mask[: int(config.generated_top * size)] = 0
    border = np.minimum(np.arange(size), np.arange(size)[::-1]) / (2 * feather)
    ramp = np.clip(border, 0, 1).astype(np.float32)
    return mask * ramp[None] * ramp[:, None]


def _follow(points: np.ndarray, config: CropConfig) -> np.ndarray:
    """Smooth points (T, N, 2) over time, but stay near them: what moves far in a few frames is no noise."""
    if len(points) == 1:
        return points
    smooth = gaussian_filter1d(points, config.smoothing_frames, axis=0, mode="nearest", truncate=3.0)
    eyes = np.linalg.norm(points[:, -1] - points[:, 4], axis=-1)
    lag = np.linalg.norm((smooth - points).mean(1), axis=-1)
    share = np.minimum(1, config.most_lag * eyes / np.maximum(lag, 1e-9))
    return points + share[:, None, None] * (smooth - points)
