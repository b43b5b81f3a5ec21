"""Retrieval on planted mouths, and against trying every path."""

import itertools

import numpy as np
import pytest

from g4g.avatar import MouthLibrary, Wanted, find_references, retrieve
from g4g.zoo import load

SIZE = 8
"""Coefficients of a shape in the tiny network."""


@pytest.fixture(scope="module")
def space():
    return load("g4g-tiny").motion.space


def make_library(shapes, frames=None, degrees=0.0, light=0.0):
    """Entries 1/25 s apart, unless `frames` tells others."""
    count = len(shapes)
    frames = np.arange(count) if frames is None else np.asarray(frames)
    same = lambda value: np.zeros((count, 3)) + np.reshape(value, (-1, 1))  # noqa: E731
    crops, meshes = np.zeros((count, 2, 2, 3), np.uint8), np.zeros((count, 504, 2), np.float32)
    return MouthLibrary(frames, frames / 25, np.asarray(shapes, float), same(degrees), same(light), crops, meshes)


def ask(shapes, degrees=0.0, light=0.0, times_s=None, starts=()):
    """What frames ask for; by default they show a moment that no library has."""
    count = len(shapes)
    same = lambda value: np.zeros((count, 3)) + np.reshape(value, (-1, 1))  # noqa: E731
    times_s = np.full(count, 1e3) if times_s is None else np.asarray(times_s)
    return Wanted(np.asarray(shapes, float), same(degrees), same(light), times_s, np.isin(np.arange(count), starts))


def draw_shapes(rng, count):
    return rng.normal(size=(count, SIZE))


def test_a_stretch_of_the_video_is_found_again(space):
    shapes = draw_shapes(np.random.default_rng(0), 60)
    found = find_references(make_library(shapes), ask(shapes[20:40]), space)
    assert found.shape == (20, 3) and found[:, 0].tolist() == list(range(20, 40))
    apart = np.abs(found[:, :, None] - found[:, None])[:, ~np.eye(3, dtype=bool)]
    assert apart.min() > 2, "second and third pictures are other moments"


def test_pose_and_light_decide_between_like_mouths(space):
    shapes = np.zeros((4, SIZE))
    turned = make_library(shapes, frames=[0, 50, 100, 150], degrees=[0, 10, 20, 30])
    assert (find_references(turned, ask(shapes[:3], degrees=19), space)[:, 0] == 2).all()
    lit = make_library(shapes, frames=[0, 50, 100, 150], light=[0, 0.2, 0.4, 0.6])
    assert (find_references(lit, ask(shapes[:3], light=0.21), space)[:, 0] == 1).all()


def test_the_shown_frame_may_be_used_unless_it_is_to_stay_apart(space):
    shapes, times_s = draw_shapes(np.random.default_rng(1), 50), np.arange(50) / 25
    library, wanted = make_library(shapes), ask(shapes, times_s=times_s)
    assert find_references(library, wanted, space)[:, 0].tolist() == list(range(50))
    away = library.times_s[find_references(library, wanted, space, apart_s=0.5)] - times_s[:, None]
    assert np.abs(away).min() >= 0.5


@pytest.mark.parametrize("seed", range(8))
def test_the_path_costs_least_of_all(space, seed):
    rng = np.random.default_rng(seed)
    library = make_library(draw_shapes(rng, 5) * 0.2, frames=np.sort(rng.choice(9, 5, replace=False)))
    wanted = ask(draw_shapes(rng, 6) * 0.2, starts=[3] if seed % 2 else [])
    costs = retrieve.cost_entries(library, wanted, space)

    def price(path):
        total = sum(costs[t, entry] for t, entry in enumerate(path))
        for t in range(1, len(path)):
            step = int(library.frames[path[t]] - library.frames[path[t - 1]])
            total += 0 if wanted.starts[t] else min(retrieve.STEPS.get(step, np.inf), retrieve.SWITCH)
        return total

    best = min(itertools.product(range(5), repeat=6), key=price)
    found = find_references(library, wanted, space, count=1)[:, 0]
    assert price(found) == pytest.approx(price(best))


def test_costs_are_distances_of_lips_and_jaw(space):
    from g4g.faces.canonical import JAW_LINE, LIPS

    rng = np.random.default_rng(2)
    a, b = draw_shapes(rng, 2)
    off = space.decode((a - b)[None])[0]
    lips, jaw = ((off[list(points)] ** 2).sum(-1) for points in (LIPS, JAW_LINE))
    expected = np.sqrt((lips.sum() + 0.5 * jaw.sum()) / (len(lips) + 0.5 * len(jaw))) / retrieve.UNIT
    costs = retrieve.cost_entries(make_library([a, b]), ask([b, a]), space)
    assert min(costs[0, 0], costs[1, 1]) == pytest.approx(expected, rel=1e-5)
    assert costs[0, 1] == pytest.approx(0, abs=1e-5) and costs[1, 0] == pytest.approx(0, abs=1e-5)


def test_a_mouth_that_is_too_open_serves_better_than_one_that_hides_its_inside(space):
    from g4g.faces.canonical import LOWER_INNER_LIP, UPPER_INNER_LIP

    jaw = np.eye(1, SIZE)[0]
    library = make_library([0.4 * jaw, 1.6 * jaw], frames=[0, 100])
    cost = retrieve.cost_entries(library, ask([jaw]), space)[0]
    lower, upper = (space.components[0, list(lip[2:5]), 1].mean() for lip in (LOWER_INNER_LIP, UPPER_INNER_LIP))
    assert cost[0] - cost[1] == pytest.approx(0.6 * (lower - upper) / retrieve.UNIT, rel=1e-4)
    assert (find_references(library, ask([jaw] * 5), space)[:, 0] == 1).all()


def test_a_still_and_a_small_library_repeat_their_pictures(space):
    one = find_references(
        make_library(np.zeros((1, SIZE))), ask(np.ones((5, SIZE)), times_s=np.zeros(5)), space, apart_s=0.5
    )
    assert one.tolist() == [[0, 0, 0]] * 5
    two = find_references(make_library(np.zeros((2, SIZE)), frames=[0, 90]), ask(np.zeros((4, SIZE))), space)
    assert all(set(row) == {0, 1} for row in two.tolist())


def test_noise_does_not_make_pictures_change_to_and_fro(space):
    rng = np.random.default_rng(3)
    shapes = np.repeat(draw_shapes(rng, 2)[:1], 2, axis=0)
    library = make_library(shapes + [[0], [0.01]], frames=[0, 100])
    wanted = ask(shapes[0] + 0.005 + rng.normal(0, 0.05, (40, SIZE)))
    assert (np.diff(find_references(library, wanted, space)[:, 0]) != 0).sum() == 0
    nearest = retrieve.cost_entries(library, wanted, space).argmin(1)
    assert (np.diff(nearest) != 0).sum() > 5


def test_a_long_dub_is_decided_piece_by_piece_as_if_it_were_one(space, monkeypatch):
    rng = np.random.default_rng(4)
    library, wanted = make_library(draw_shapes(rng, 40)), ask(draw_shapes(rng, 300))
    whole = find_references(library, wanted, space, count=1)
    monkeypatch.setattr(retrieve, "_STRETCH", 50)
    monkeypatch.setattr(retrieve, "_AHEAD", 40)
    assert (find_references(library, wanted, space, count=1) == whole).all()
