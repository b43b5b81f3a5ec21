"""How much of the generator's own colour suits a person: tried on the video's own frames, as a dub would make them."""

from __future__ import annotations

import numpy as np

from g4g.avatar.library import MouthLibrary
from g4g.avatar.person import UNTRIED_RESIDUAL, Person
from g4g.avatar.retrieve import Wanted, find_references
from g4g.config import CropConfig
from g4g.faces import refine_crop
from g4g.faces.canonical import LIPS
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas, Painted, Painter, reduce_picture

_TRIED = (0.0, 0.5, 1.0)
_FRAMES, _FEWEST_ENTRIES, _APART_S = 4, 50, 0.5
_MARGIN_PX = 6
"""The mouth is compared with so many px of the crop around the lips."""


def choose_residual(painter: Painter, person: Person, space: ShapeSpace, speech: np.ndarray) -> float:
    """Choose how much of what the generator adds to the warped pictures is taken.

    Args:
        painter: whose generator it is.
        person: with its library.
        space: what shapes mean.
        speech: features of the video's own sound (S, D); without rows nothing is heard.
    Returns:
        The share, 0 to 1, that makes mouths of some frames most like they are, from pictures half a second away.
    Source:
        Our choice: light and skin that training never saw are told by pictures, not by the network's colour.
    """
    library = person.library
    if len(library) < _FEWEST_ENTRIES:
        return UNTRIED_RESIDUAL
    rows = np.linspace(0, len(library) - 1, 2 * _FRAMES + 1).astype(int)[1::2]
    some = library.take(rows)
    wanted = Wanted(some.shapes, some.degrees, some.light, some.times_s, np.ones(len(rows), bool))
    entries = find_references(library, wanted, space, _APART_S, painter.references)
    heard = speech if len(speech) else np.zeros((1, painter.speech_size), np.float32)
    heard = frame_speech(heard, some.times_s, painter.speech_rows)
    small = np.stack([reduce_picture(crop) for crop in some.crops])
    canvas = Canvas(
        small, some.meshes, some.meshes, library.crops[entries], library.meshes[entries], heard
    )  # fmt: skip
    return min(_TRIED, key=lambda share: _measure_error(painter.paint(canvas, share), some))


def _measure_error(painted: Painted, some: MouthLibrary) -> float:
    """Mean squared error of the mouths, drawn into pictures of the library."""
    scale, errors = some.crops.shape[1] // CropConfig().size, []
    matrix = refine_crop(np.eye(2, 3), 1 / scale)
    for number, (crop, mesh) in enumerate(zip(some.crops, some.meshes, strict=True)):
        made, lips = crop.copy(), mesh[list(LIPS)]
        painted.draw(number, crop, matrix, made)
        low = np.maximum((lips.min(0) - _MARGIN_PX) * scale, 0).astype(int)
        high = np.minimum((lips.max(0) + _MARGIN_PX) * scale, len(crop)).astype(int)
        box = slice(low[1], high[1]), slice(low[0], high[0])
        errors.append(float(np.square(made[box].astype(np.float32) - crop[box]).mean()))
    return float(np.mean(errors))
