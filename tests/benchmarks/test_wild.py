"""Lips' colour on a drawn face, what is told of dubs, and one dub by the tiny networks."""

import numpy as np
import wild
from wild import Bench, draw_lips, list_figures, to_lab

from g4g.faces import load_canonical


def test_lips_lie_inside_the_outer_contour_and_outside_the_inner_one():
    points = load_canonical().points[:, :2] * 100 + [100, 60]
    points[[14, 87, 317, 88, 178, 402, 318, 95, 324], 1] += 25  # the lower inner lip, of an open mouth
    lips = draw_lips(points, (260, 200))
    below, above = points[17].round().astype(int), points[0].round().astype(int)
    assert not lips[above[1] - 3, above[0]] and not lips[below[1] + 3, below[0]]
    middle = points[[13, 14]].mean(0).round().astype(int)
    assert not lips[middle[1], middle[0]], "between the lips"
    upper = points[[0, 13]].mean(0).round().astype(int)
    assert lips[upper[1], upper[0]]


def test_lab_is_that_of_known_colours():
    red, white = to_lab(np.array([[255, 0, 0], [255, 255, 255]], np.uint8))
    np.testing.assert_allclose(red, [53.24, 80.09, 67.20], atol=0.1)
    np.testing.assert_allclose(white, [100, 0, 0], atol=0.1)


def test_old_dubs_stand_beside_else_what_the_issue_says():
    made = [{wild._LIPS: 2.0}, {wild._LIPS: 3.0, "jitter over real": 1.2}]
    lips, jitter = list_figures("glasses", "own sound", made, [])
    assert lips.value == 2.5 and lips.reached and lips.baseline == 9.7 and jitter.reached is False
    [lips, _] = list_figures("glasses", "own sound", made, [{wild._LIPS: 5.0}])
    assert lips.baseline == 5.0 and lips.baseline_name == "before"


def test_a_dub_is_measured_and_drawn(real_clip, tmp_path):
    bench = Bench("g4g-tiny", "g4g-judge", tmp_path, None, [])
    figures = {figure.name: figure for figure in bench.measure([real_clip], None)}
    assert not bench.failed and {f"own sound: {name}" for name in wild._GOALS} == figures.keys()
    assert all(np.isfinite(figure.value) for figure in figures.values())
    assert figures["own sound: offset, frames"].count == 1
    assert len([*tmp_path.glob("*.png")]) == len([*tmp_path.glob("*.mp4")]) == 1
