"""What is told of predicted mouths, on planted answers."""

import numpy as np
import pytest
from motion import correlate, measure, measure_faces, measure_points

from g4g.faces import load_canonical
from g4g.faces.canonical import LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.metrics.judge import load_judge
from g4g.motion.predict import USUAL_GAIN


def open_mouths(gaps: np.ndarray) -> np.ndarray:
    """Average faces (T, 468, 3) whose inner lips are so far apart."""
    faces = np.repeat(load_canonical().points[None], len(gaps), 0).copy()
    lower, upper = list(LOWER_INNER_LIP), list(UPPER_INNER_LIP)
    faces[:, lower] = faces[:, upper]
    faces[:, lower, 1] += gaps[:, None]
    return faces


def test_a_mouth_that_moves_as_the_real_one_has_every_closure():
    gaps = np.tile([0.0, 0.05, 0.2, 0.1], 10)
    figures = measure_faces(open_mouths(gaps), open_mouths(gaps))
    assert figures["opening, correlation"] == pytest.approx(1)
    assert figures["deviation of the opening over real"] == pytest.approx(1)
    assert figures["closed frames that are closed"] == 1 and figures["open frames that are closed"] == 0
    halved = measure_faces(open_mouths(gaps / 2), open_mouths(gaps))
    assert halved["deviation of the opening over real"] == pytest.approx(0.5)
    assert halved["open frames that are closed"] > 0


def test_what_never_moves_correlates_with_nothing():
    assert correlate(np.ones(5), np.arange(5.0)) == 0 and correlate(np.arange(5.0), -np.arange(5.0)) == -1


def test_the_judge_scores_real_points_as_real_ones(real_clip):
    figures = measure_points(real_clip.shot.canonical, real_clip, load_judge())
    assert figures["as dubbed: LSE-C"] == pytest.approx(figures["as dubbed: LSE-C of the real points"], abs=0.03)
    assert figures["as dubbed: opening, correlation"] > 0.99


def test_a_group_is_measured_with_the_tiny_networks(real_clip, tiny_models):
    figures = {figure.name: figure for figure in measure(tiny_models.motion, [real_clip], "s1", load_judge())}
    assert figures["gain"].value == USUAL_GAIN, "37 frames are too few to tell"
    assert np.isfinite(figures["opening, correlation"].value)
