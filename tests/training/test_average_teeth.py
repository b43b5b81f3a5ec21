"""Teeth that were planted at different places are found, and laid over each other."""

import numpy as np
import pytest

from g4g.errors import DataError
from g4g.training.average_teeth import Mouths, average_teeth, gather_mouths


def draw_teeth(shift):
    """Eight white teeth with dark lines between them, moved by `shift` px."""
    x = np.arange(128) - 63.5 - shift
    line = np.abs((x + 8) % 16 - 8) < 1.5
    picture = np.full((48, 128, 3), 0.4) * [1, 0.5, 0.5]
    picture[4:26, np.abs(x) < 60] = np.where(line[np.abs(x) < 60], 0.5, 1.0)[None, :, None]
    return picture


def test_lines_between_teeth_survive_the_mean():
    shifts = np.random.default_rng(0).integers(-5, 6, 20)
    shifts[0] = 0
    pictures = np.stack([draw_teeth(shift) for shift in shifts]).astype(np.float32)
    mouths = Mouths(pictures, np.ones((20, 48, 128), np.float32))
    contrast = lambda picture: np.ptp(picture[10:20, 30:98].mean((0, 2)))  # noqa: E731
    teeth = average_teeth(mouths)
    assert contrast(teeth.colour) > 1.4 * contrast(pictures.mean(0))
    assert teeth.share[10:20, 40:88].mean() > 0.6 and teeth.share[40:].max() == 0


def test_too_few_pictures_of_teeth_are_an_error():
    with pytest.raises(DataError, match="0 stills show teeth, at least 20 are needed"):
        gather_mouths([])
