"""What people hold before their mouths, drawn over real frames; lengths in distances of the outer eye corners."""

import numpy as np
from scipy.ndimage import gaussian_filter

IN_AND_OUT_FRAMES = 4
"""So long an occluder takes to come from beside the face, and to go."""
_START = {"hand": (0, 1.6), "side hand": (-1.6, 0.5), "microphone": (0, 1.6), "paper": (1.6, 0.6)}


def cover_mouth(frame, landmarks, kind, number, count, rest=(0.0, 0.0)):
    """Draw frame `number` of the `count` in which something is moved before the mouth, held and taken away.

    Args:
        frame: (H, W, 3) RGB uint8, with the face's `landmarks` (68, 2).
        kind: a key of _START.
        rest: (x, y) how far from the middle of the mouth it is held.
    Returns:
        The frame, and how much of the lips is hidden, 0 to 1.
    """
    way = min((number + 1) / (IN_AND_OUT_FRAMES + 1), (count - number) / (IN_AND_OUT_FRAMES + 1), 1)
    start, rest = np.array(_START[kind]), np.array(rest) + 0.01 * np.sin(number)
    unit = np.linalg.norm(landmarks[45] - landmarks[36])
    across = (landmarks[45] - landmarks[36]) / unit
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(float)
    places = (np.stack([columns, rows], -1) - landmarks[48:68].mean(0)) / unit
    places = places @ np.stack([across, [-across[1], across[0]]], 1) - start - (rest - start) * way
    draw = {"microphone": _draw_microphone, "paper": _draw_paper}.get(kind, _draw_hand)
    colours, alpha = draw(places, 1 / unit, frame, landmarks, kind)
    covered = frame * (1 - alpha[..., None]) + colours * alpha[..., None]
    lips = np.rint(landmarks[48:68]).astype(int)
    return np.clip(np.rint(covered), 0, 255).astype(np.uint8), float(alpha[lips[:, 1], lips[:, 0]].mean())


def _draw_hand(places, pixel, frame, landmarks, kind):
    """A palm and four fingers in the colours and the grain of the person's own forehead."""
    angle = 1.4 if kind == "side hand" else 0.2
    places = places @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    skin = _tile_forehead(frame, landmarks) * 0.95
    colours, alpha = np.zeros_like(skin), np.zeros(places.shape[:2])
    parts = [((0, 0.55), (0, 1.6), 0.42, 0.1)]
    tips = ((-0.3, -0.27), (-0.1, -0.4), (0.1, -0.37), (0.3, -0.17))
    parts += [((x, 0.6), (1.1 * x, tip), 0.105, 0.3) for x, tip in tips]
    for first, last, radius, shade in parts:
        off = _distance(places, first, last) / radius
        light = 1 - shade + shade * np.sqrt(np.clip(1 - off**2, 0, 1))
        share = np.clip((1 - off) * radius / pixel + 0.5, 0, 1)
        colours = colours * (1 - share[..., None]) + skin * (light * share)[..., None]
        alpha = np.maximum(alpha, share)
    return colours / np.maximum(alpha, 1e-3)[..., None], alpha


def _draw_microphone(places, pixel, *_):
    """A ball of dark foam on a stick."""
    ball = np.linalg.norm(places, axis=-1) / 0.27
    stick = _distance(places, (0.05, 0.2), (0.35, 2.0)) / 0.08
    grain = gaussian_filter(np.random.default_rng(0).normal(0, 12, ball.shape), 0.8)
    grey = np.where(ball < 1, 45 * (0.7 + 0.5 * np.sqrt(np.clip(1 - ball**2, 0, 1))) + grain, 35)
    alpha = np.maximum((1 - ball) * 0.27, (1 - stick) * 0.08)
    return np.repeat(grey[..., None], 3, -1), np.clip(alpha / pixel + 0.5, 0, 1)


def _draw_paper(places, pixel, *_):
    """A sheet with lines of print, held a little aslant."""
    x, y = places[..., 0] + 0.15 * places[..., 1], places[..., 1] - 0.15 * places[..., 0]
    edge = np.minimum.reduce([x + 0.7, 0.7 - x, y + 0.3, 1.6 - y])
    grey = np.where((y * 12 % 1 < 0.3) & (np.abs(x) < 0.6) & (y > -0.2), 160.0, 215.0)
    return grey[..., None] * [1, 0.99, 0.95], np.clip(edge / pixel + 0.5, 0, 1)


def _distance(places, first, last):
    """How far places (..., 2) are from the line between two points."""
    along = np.subtract(last, first)
    share = np.clip((places - first) @ along / (along @ along), 0, 1)
    return np.linalg.norm(places - first - share[..., None] * along, axis=-1)


def _tile_forehead(frame, landmarks):
    """Fill a picture of the frame's size with what lies above the brows, mirrored to and fro."""
    unit = np.linalg.norm(landmarks[45] - landmarks[36])
    up = landmarks[27] - landmarks[30]
    x, y = np.rint(landmarks[[21, 22]].mean(0) + up / np.linalg.norm(up) * 0.28 * unit).astype(int)
    patch = frame[y - int(0.14 * unit) : y + int(0.14 * unit), x - int(0.3 * unit) : x + int(0.3 * unit)]
    missing = [(0, size - own) for size, own in zip(frame.shape[:2], patch.shape[:2], strict=True)]
    return np.pad(patch, [*missing, (0, 0)], mode="symmetric").astype(float)
