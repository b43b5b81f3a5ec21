"""How drawn faces are finished for a person: tried on the video's own frames, as a dub would make them."""

from __future__ import annotations

from bisect import bisect_left

import cv2
import numpy as np

from g4g.avatar.person import UNTRIED_FINISH, Person
from g4g.avatar.retrieve import Wanted, find_references
from g4g.config import CropConfig
from g4g.faces import crop_scale, refine_crop, warp_frame
from g4g.faces.canonical import LIPS
from g4g.media.ahead import map_ahead
from g4g.media.picture import Box
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas, Finish, Painted, Painter, reduce_picture
from g4g.threads import count_threads

_RESIDUALS = (0.0, 0.5, 1.0)
_SHARPENING = (0.0, 0.06, 0.12, 0.18, 0.24, 0.3, 0.36, 0.42)
_CRISP_ENOUGH = 1.1
"""Mouths with so much of the real ones' fine energy are crisp. A dub's motion and encoder take a quarter."""
_FAINT = 1e-3
"""Energy that no eye sees."""
_SHIFT = np.array([[1.0, 0, 0.35], [0, 1.0, 0.35]])
_FRAMES, _FEWEST_ENTRIES, _APART_S = 4, 50, 0.5
_MARGIN_PX = 6
"""The mouth is compared with so many px of the crop around the lips."""


def choose_finish(painter: Painter, person: Person, space: ShapeSpace, speech: np.ndarray) -> Finish:
    """Choose how far the generator's colour counts, and how much mouths are sharpened.

    Args:
        painter: whose generator it is.
        person: with its library.
        space: what shapes mean.
        speech: features of the video's own sound (S, D); without rows nothing is heard.
    Returns:
        The residual that makes mouths of some frames most like they are, from pictures half a second away, and with it
        the sharpening that makes them as sharp as they are.
    Source:
        Our choice: light and skin that training never saw are told by pictures, not by the network's colour.
    """
    library = person.library
    if len(library) < _FEWEST_ENTRIES:
        return UNTRIED_FINISH
    rows = np.linspace(0, len(library) - 1, 2 * _FRAMES + 1).astype(int)[1::2]
    some = library.take(rows)
    wanted = Wanted(some.shapes, some.degrees, some.light, some.times_s, np.ones(len(rows), bool))
    entries = find_references(library, wanted, space, _APART_S, painter.references)
    heard = speech if len(speech) else np.zeros((1, painter.speech_size), np.float32)
    heard = frame_speech(heard, some.times_s, painter.speech_rows)
    small = np.stack([reduce_picture(crop) for crop in some.crops])
    canvas = Canvas(small, some.meshes, some.meshes, library.crops[entries], library.meshes[entries], heard)
    return try_finishes(painter, canvas, some.crops, person.head.frame_to_crop)


def try_finishes(painter: Painter, canvas: Canvas, crops: np.ndarray, frame_to_crop: np.ndarray) -> Finish:
    """Choose the finish with which the frames of a canvas look most as they really do.

    Args:
        painter: whose generator it is.
        canvas: B frames.
        crops: how they really look, (B, s, s, 3) uint8.
        frame_to_crop: affines (N, 2, 3) of the video: sharpness is compared in the size that faces have in its frames.
    """
    side = round(CropConfig().size / float(crop_scale(frame_to_crop).mean()))
    real = _resize(crops, side)
    # The frames themselves are sharper: cutting crops out cost about as much as moving them by some of a pixel does.
    again = np.stack([warp_frame(crop, _SHIFT, (side, side), "bicubic") for crop in real])
    boxes = _find_mouths(canvas, side)
    mouths = _cut(real, boxes)
    wanted = np.maximum(_measure_energy(mouths), _FAINT)
    kept = _measure_energy(_cut(again, boxes)) / wanted

    def draw(painted: Painted) -> list[np.ndarray]:
        return _cut(_draw(painted, real, boxes), boxes)

    def is_crisp(painted: Painted) -> bool:
        return float(np.median(_measure_energy(draw(painted)) / wanted * kept)) >= _CRISP_ENOUGH

    painted = dict(zip(_RESIDUALS, painter.paint_each(canvas, list(map(Finish, _RESIDUALS))), strict=True))
    residual = min(_RESIDUALS, key=lambda residual: _compare(draw(painted[residual]), mouths))
    # The more sharpening, the more energy: the least that is enough is found by halving.
    least = bisect_left(_SHARPENING[:-1], True, key=lambda amount: is_crisp(painted[residual].sharpen(amount)))
    return Finish(residual, _SHARPENING[least])


def _compare(made: list[np.ndarray], real: list[np.ndarray]) -> float:
    """Mean squared error of mouths."""
    pairs = zip(made, real, strict=True)
    return float(np.mean([np.square(ours.astype(np.float32) - theirs).mean() for ours, theirs in pairs]))


def _resize(pictures: np.ndarray, side: int) -> np.ndarray:
    return np.stack([cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in pictures])


def _draw(painted: Painted, real: np.ndarray, boxes: list[Box]) -> np.ndarray:
    """Draw new mouths into pictures (B, s, s, 3) of the crops."""
    made, matrix = real.copy(), refine_crop(np.eye(2, 3), CropConfig().size / real.shape[1])
    draw = lambda number: painted.draw(number, real[number], matrix, made[number], within=boxes[number])  # noqa: E731
    for _ in map_ahead(draw, range(len(made)), count_threads()):
        pass
    return made


def _find_mouths(canvas: Canvas, side: int) -> list[Box]:
    """Find the mouth of each frame in pictures of the crops of `side` px."""
    scale, boxes = side / CropConfig().size, []
    for mesh in canvas.meshes:
        lips = mesh[list(LIPS)]
        low = np.maximum((lips.min(0) - _MARGIN_PX) * scale, 0).astype(int)
        high = np.minimum((lips.max(0) + _MARGIN_PX) * scale, side).astype(int)
        boxes.append((*low.tolist(), *high.tolist()))
    return boxes


def _cut(pictures: np.ndarray, boxes: list[Box]) -> list[np.ndarray]:
    """Cut the mouths out of pictures (B, s, s, 3) of the crops."""
    pairs = zip(pictures, boxes, strict=True)
    return [picture[top:bottom, left:right] for picture, (left, top, right, bottom) in pairs]


def _measure_energy(mouths: list[np.ndarray]) -> np.ndarray:
    """Energy of the mouths' fine detail, the Laplacian's, (B,)."""
    return np.array([np.square(cv2.Laplacian(mouth.astype(np.float32), cv2.CV_32F)).mean() for mouth in mouths])
