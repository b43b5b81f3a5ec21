"""The painter: geometry decides what is seen where, and the frame's own old mouth is never seen."""

from dataclasses import replace

import numpy as np
import pytest

from g4g.config import CropConfig
from g4g.faces import add_ring, load_canonical
from g4g.faces.canonical import INNER_LIPS
from g4g.painter import Canvas, Painter, lay_out
from g4g.zoo import load

SIZE, TOP = CropConfig().size, 48


@pytest.fixture(scope="module")
def painter():
    models = load("g4g-tiny")
    return Painter(models.generator, models.fusion)


def make_face(opened=0.0):
    """Points with ring of the average face in a crop, jaw dropped by `opened`."""
    points = load_canonical().points.astype(np.float64)
    speaking = points.copy()
    speaking[:, 1] += opened * np.clip((points[:, 1] - 0.775) / 0.05, 0, 1) * load_canonical().moves
    place = lambda face: face[None] * 0.46 * SIZE + [SIZE / 2, 0.25 * SIZE, 0]  # noqa: E731
    return add_ring(place(speaking), place(points))[0].astype(np.float32)


def make_canvas(target, scale=2, own=None):
    rng = np.random.default_rng(0)
    side, face = scale * SIZE, make_face()
    picture = (rng.random((16, 16, 3)) * 200 + 20).astype(np.uint8).repeat(side // 16, 0).repeat(side // 16, 1)
    return Canvas(
        (picture if own is None else own)[None], face[None], target[None], np.stack([picture] * 3)[None],
        np.stack([face] * 3)[None], np.zeros((1, 9, 16), np.float32),
    )  # fmt: skip


def test_a_face_that_does_not_move_stays_where_it_is():
    layout = lay_out(make_canvas(make_face()), 1, TOP)
    rows, columns = np.mgrid[TOP:SIZE, :SIZE]
    for places in layout.places[0].numpy():
        np.testing.assert_allclose(places, np.stack([columns, rows], -1), atol=0.01)
    assert layout.seen[0, :3].max() == 1 and abs(float(layout.stretch.abs().max())) < 1e-3


def test_places_hold_in_any_resolution():
    coarse, fine = (lay_out(make_canvas(make_face(0.1), scale=3), scale, TOP).places[0, 0] for scale in (1, 3))
    middle = fine[1::3, 1::3]  # the middle of each block lies where the coarse pixel does
    off = (middle - coarse).abs().amax(-1)
    assert off.median() < 1e-3 and (off < 0.5).float().mean() > 0.97


def test_an_open_mouth_is_a_guide_and_torn_pictures_count_as_hidden():
    layout = lay_out(make_canvas(make_face(0.2)), 1, TOP)
    inside = layout.guide[0, 2] > 0
    assert inside.sum() > 100
    assert layout.seen[0, 0][inside].mean() < 0.5, "nearly closed lips do not show what is between open ones"
    lips = make_face(0.2)[list(INNER_LIPS)].mean(0).round().astype(int)
    assert layout.seen[0, -1, lips[1] - TOP, lips[0]] == 0 and layout.seen[0, -1, 0, SIZE // 2] > 0.9


def test_the_old_mouth_never_shows_through(painter):
    canvas = make_canvas(make_face(0.1))
    other = canvas.crops.copy()
    x, y = (2 * make_face()[list(INNER_LIPS)].mean(0)).round().astype(int)
    other[:, y - 20 : y + 20, x - 20 : x + 20] = 255
    made, changed = painter.paint(canvas), painter.paint(replace(canvas, crops=other))
    np.testing.assert_array_equal(made.crops[:, y - 20 : y + 20], changed.crops[:, y - 20 : y + 20])


def test_what_is_taken_covers_old_and_new_jaw_and_nothing_else(painter):
    painted = painter.paint(make_canvas(make_face(0.15)))
    assert painted.crops.shape == (1, 2 * SIZE, 2 * SIZE, 3) and painted.taken.shape == (1, 2 * SIZE, 2 * SIZE)
    assert painted.taken[0, : 2 * TOP].max() == 0 and painted.taken.max() > 0.9
    chin = (2 * make_face(0.15)[152]).round().astype(int)
    assert painted.taken[0, min(chin[1], 2 * SIZE - 20), chin[0]] > 0.5
    assert np.isfinite(painted.crops).all() and 0 <= painted.crops.min() and painted.crops.max() <= 255
