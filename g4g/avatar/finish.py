"""How drawn faces are finished for a person: tried on the video's own frames, as a dub would make them."""

from __future__ import annotations

import cv2
import numpy as np

from g4g.avatar.person import UNTRIED_FINISH, Person
from g4g.avatar.retrieve import Wanted, find_references
from g4g.config import CropConfig
from g4g.faces import refine_crop
from g4g.faces.canonical import LIPS
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas, Finish, Painted, Painter, reduce_picture

_RESIDUALS = (0.0, 0.5, 1.0)
_CRISPNESS = (0.4, 0.7, 1.0, 1.4, 1.9, 2.5)
_CRISP_ENOUGH = 0.92
"""Mouths of so much of the real ones' fine energy are crisp: what is more is noise, which costs likeness."""
_FRAMES, _FEWEST_ENTRIES, _APART_S = 4, 50, 0.5
_MARGIN_PX = 6
"""The mouth is compared with so many px of the crop around the lips."""


def choose_finish(painter: Painter, person: Person, space: ShapeSpace, speech: np.ndarray) -> Finish:
    """Choose how far the generator's colour and crispness count.

    Args:
        painter: whose generator it is.
        person: with its library.
        space: what shapes mean.
        speech: features of the video's own sound (S, D); without rows nothing is heard.
    Returns:
        The residual that makes mouths of some frames most like they are, from pictures half a second away, and with it
        the crispness that makes them as sharp as they are.
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
    return try_finishes(painter, canvas, some.crops)


def try_finishes(painter: Painter, canvas: Canvas, real: np.ndarray) -> Finish:
    """Choose the finish with which the frames of a canvas look most as they really do, (B, s, s, 3) uint8."""
    measure = lambda finish: _measure(painter.paint(canvas, finish), canvas, real)  # noqa: E731
    residual = min(_RESIDUALS, key=lambda share: measure(Finish(share))[0])
    for crispness in _CRISPNESS:
        if measure(Finish(residual, crispness))[1] >= _CRISP_ENOUGH:
            break
    return Finish(residual, crispness)


def _measure(painted: Painted, canvas: Canvas, real: np.ndarray) -> tuple[float, float]:
    """Draw mouths into the real pictures: mean squared error, and their fine energy over the real ones'."""
    scale, errors, energies = real.shape[1] // CropConfig().size, [], []
    matrix = refine_crop(np.eye(2, 3), 1 / scale)
    for number, (crop, mesh) in enumerate(zip(real, canvas.meshes, strict=True)):
        made, lips = crop.copy(), mesh[list(LIPS)]
        painted.draw(number, crop, matrix, made)
        low = np.maximum((lips.min(0) - _MARGIN_PX) * scale, 0).astype(int)
        high = np.minimum((lips.max(0) + _MARGIN_PX) * scale, len(crop)).astype(int)
        box = slice(low[1], high[1]), slice(low[0], high[0])
        pair = [cv2.Laplacian(picture[box].astype(np.float32), cv2.CV_32F) for picture in (made, crop)]
        energies.append(np.square(pair[0]).mean() / max(np.square(pair[1]).mean(), 1e-6))
        errors.append(np.square(made[box].astype(np.float32) - crop[box]).mean())
    return float(np.mean(errors)), float(np.median(energies))
