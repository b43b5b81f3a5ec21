"""How much of the generator's own colour suits a person: tried on the video's own frames, as a dub would make them."""

from __future__ import annotations

import numpy as np

from g4g.avatar.person import UNTRIED_RESIDUAL, Person
from g4g.avatar.retrieve import Wanted, find_references
from g4g.config import CropConfig
from g4g.faces.canonical import LIPS
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas, Painter

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
    canvases = [  # one by one: the memory may be short
        Canvas(
            some.crops[[i]], some.meshes[[i]], some.meshes[[i]], library.crops[entries[[i]]],
            library.meshes[entries[[i]]], heard[[i]],
        )
        for i in range(len(rows))
    ]  # fmt: skip
    return min(_TRIED, key=lambda share: np.mean([_measure_error(painter.paint(c, share).crops, c) for c in canvases]))


def _measure_error(made: np.ndarray, canvas: Canvas) -> float:
    """Mean squared error of the mouth of a canvas's one frame."""
    lips = canvas.meshes[0, list(LIPS)]
    low = np.maximum((lips.min(0) - _MARGIN_PX) * canvas.scale, 0).astype(int)
    high = np.minimum((lips.max(0) + _MARGIN_PX) * canvas.scale, CropConfig().size * canvas.scale).astype(int)
    box = slice(low[1], high[1]), slice(low[0], high[0])
    return float(np.square(made[0][box] - canvas.crops[0][box]).mean())
