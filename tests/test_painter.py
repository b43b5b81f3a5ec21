"""The painter: geometry decides what is seen where, and the frame's own old mouth is never seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from g4g.config import CropConfig
from g4g.faces import add_ring, load_canonical, rasterise_mesh, refine_crop, ring_triangles, warp_picture
from g4g.faces.canonical import INNER_LIPS
from g4g.generator import draw_frames, make_sketch, sample_pictures
from g4g.networks import FlatGenerator, run_generator_by
from g4g.painter import Canvas, Finish, Painter, lay_out, reduce_picture, to_tensor
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
    layout = lay_out(make_canvas(make_face()), TOP)
    rows, columns = np.mgrid[TOP:SIZE, :SIZE]
    for places in layout.places[0].numpy():
        np.testing.assert_allclose(places, np.stack([columns, rows], -1), atol=0.01)
    assert layout.seen[0, :3].max() == 1 and abs(float(layout.stretch.abs().max())) < 1e-3


def test_an_open_mouth_is_a_guide_and_torn_pictures_count_as_hidden():
    layout = lay_out(make_canvas(make_face(0.2)), TOP)
    inside = layout.guide[0, 2] > 0
    assert inside.sum() > 100
    assert layout.seen[0, 0][inside].mean() < 0.5, "nearly closed lips do not show what is between open ones"
    lips = make_face(0.2)[list(INNER_LIPS)].mean(0).round().astype(int)
    assert layout.seen[0, -1, lips[1] - TOP, lips[0]] == 0 and layout.seen[0, -1, 0, SIZE // 2] > 0.9


def lay_out_plainly(target, sources):
    """What `lay_out` tells of one frame, by whole arrays: the rule, written down once more."""
    mean, triangles = load_canonical(), ring_triangles()
    own = np.ones((triangles.max() + 1, 2))
    own[:468] = (mean.moves == 0)[:, None]
    average = add_ring(mean.points[None, :, :2], mean.points[None, :, :2])
    places, owner = rasterise_mesh(
        target - [0, TOP], np.concatenate([sources, average, own[None]]), triangles, (SIZE - TOP, SIZE)
    )
    places, guide, own = places[:-2], places[-2], places[-1, ..., 0]

    def measure(points):
        a, b, c = (points[triangles[:, i]] for i in range(3))
        return ((b - a)[:, 1] * (c - a)[:, 0] - (b - a)[:, 0] * (c - a)[:, 1]) / 2

    areas = np.stack([measure(points) for points in (target, *sources)])
    ratio = np.log2(np.maximum(areas[0], 1e-3) / np.maximum(areas[1:], 1e-3)).clip(-4, 4)
    covered = owner >= 0
    inside = covered & np.isin(triangles, INNER_LIPS).all(1)[owner]
    seen = np.where(inside, np.clip(2 - ratio[:, owner], 0, 1), 1).astype(np.float32)
    seen[(areas[1:] <= 0)[:, owner] | ~covered] = 0
    own = np.where(covered, np.clip(own / 0.3, 0, 1), 1)
    seen[-1] = (own * own * (3 - 2 * own)).astype(np.float32)
    rows, columns = np.mgrid[TOP:SIZE, :SIZE].astype(np.float32)
    places[:, ~covered] = np.stack([columns, rows], -1)[~covered]
    stretch = np.where(covered, ratio[:, owner], 0).astype(np.float32) / 4
    guide = np.concatenate([np.where(covered[..., None], guide, 0).transpose(2, 0, 1), inside[None]])
    return places, seen, stretch, guide.astype(np.float32)


def test_a_layout_is_what_whole_arrays_say_to_the_bit():
    rng = np.random.default_rng(0)
    for opened in (0.0, 0.2):
        canvas = make_canvas(make_face(opened))
        canvas = replace(canvas, reference_meshes=canvas.reference_meshes + rng.normal(0, 1.5, (1, 3, 504, 2)))
        canvas = replace(canvas, reference_meshes=canvas.reference_meshes.astype(np.float32))
        wanted = lay_out_plainly(canvas.targets[0], np.concatenate([canvas.reference_meshes[0], canvas.meshes]))
        layout = lay_out(canvas, TOP)
        assert (wanted[1][:3] == 0).any() and ((wanted[1][:3] > 0) & (wanted[1][:3] < 1)).any()
        for made, one in zip((layout.places, layout.seen, layout.stretch, layout.guide), wanted, strict=True):
            np.testing.assert_array_equal(made[0].numpy(), one)


def test_each_finish_is_painted_as_if_alone(painter):
    canvas, finishes = make_canvas(make_face(0.1)), [Finish(0.0), Finish(1.0, 0.3), Finish(0.5)]
    for painted, finish in zip(painter.paint_each(canvas, finishes), finishes, strict=True):
        np.testing.assert_array_equal(painted.maps, painter.paint(canvas, finish).maps)


@pytest.fixture
def lively():
    """Tiny networks whose generator says something of its own everywhere."""
    models = load("g4g-tiny")
    torch.manual_seed(0)
    for last in (models.generator.head, models.generator.paint):
        torch.nn.init.normal_(last.weight, std=0.3)
    return models


def run_beside(generator):
    """Give the same generator as another engine would run it."""
    return run_generator_by(generator, FlatGenerator(generator))


@pytest.mark.parametrize("scale", [1, 2])
def test_frames_of_another_engine_s_maps_are_drawn_a_level_apart_at_most(lively, scale):
    canvas, finishes = make_canvas(make_face(0.1), scale), [Finish(0.0), Finish(1.0, 0.3), Finish(0.5)]
    ours, theirs = (
        Painter(generator, lively.fusion).paint_each(canvas, finishes)
        for generator in (lively.generator, run_beside(lively.generator))
    )
    drawn = [draw(painted, canvas).astype(int) for painted in ours]
    assert (drawn[0] != drawn[1]).mean() > 0.1 and (drawn[1] != drawn[2]).mean() > 0.1, "finishes matter"
    for one, other, wanted, finish in zip(ours, theirs, drawn, finishes, strict=True):
        np.testing.assert_array_equal(other.taken, one.taken)
        np.testing.assert_allclose(other.maps[..., : one.maps.shape[-1]], one.maps, atol=0.01)
        off = np.abs(draw(other, canvas) - wanted)
        assert off.max() <= 1 and (off > 0).mean() < 0.001
        alone = Painter(run_beside(lively.generator), lively.fusion).paint(canvas, finish)
        np.testing.assert_array_equal(alone.maps, other.maps)


def test_torch_paints_by_itself_what_torch_is_asked_for(lively, monkeypatch):
    class CompiledError(Exception):
        pass

    def refuse(*_):
        raise CompiledError

    monkeypatch.setattr("g4g.painter.join_sketch", refuse)
    canvas, beside = make_canvas(make_face(0.1)), run_beside(lively.generator)
    with pytest.raises(CompiledError):
        Painter(beside, lively.fusion).paint(canvas)
    Painter(lively.generator, lively.fusion).paint(canvas)
    with torch.no_grad():
        lively.fusion.light.bias[3:] = 0.2
    Painter(beside, lively.fusion).paint(canvas)


def test_a_lost_frame_of_another_engine_has_no_numbers(lively):
    with torch.no_grad():
        lively.generator.head.bias[-1] = np.nan  # crispness alone
    for generator in (lively.generator, run_beside(lively.generator)):
        assert Painter(generator, lively.fusion).paint(make_canvas(make_face(0.1))).has_numbers.tolist() == [False]


def enlarge(taken, scale, least):
    """Enlarge a mask, each pixel being the least or the most of its neighbours too."""
    near = [np.roll(taken, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return np.kron((np.min if least else np.max)(near, 0), np.ones((scale, scale)))


def draw(painted, canvas):
    """Draw the one frame of a canvas into its own crop."""
    crop = canvas.crops[0]
    result = crop.copy()
    painted.draw(0, crop, refine_crop(np.eye(2, 3), SIZE / len(crop)), result)
    return result


def test_the_old_mouth_never_shows_through(painter):
    canvas = make_canvas(make_face(0.1))
    other = canvas.crops.copy()
    x, y = (2 * make_face()[list(INNER_LIPS)].mean(0)).round().astype(int)
    other[:, y - 20 : y + 20, x - 20 : x + 20] = 255
    whole = enlarge(painter.paint(canvas).taken[0], 2, least=True) == 1
    assert whole[y - 12 : y + 20, x - 20 : x + 20].all()
    made = [draw(painter.paint(c), c)[whole] for c in (canvas, replace(canvas, crops=other))]
    np.testing.assert_array_equal(*made)


def test_what_is_taken_covers_old_and_new_jaw_and_nothing_else(painter):
    canvas = make_canvas(make_face(0.15))
    painted = painter.paint(canvas)
    assert painted.has_numbers.tolist() == [True] and painted.taken.shape == (1, SIZE, SIZE)
    assert painted.taken[0, :TOP].max() == 0 and painted.taken.max() > 0.9
    chin = make_face(0.15)[152].round().astype(int)
    assert painted.taken[0, min(chin[1], SIZE - 10), chin[0]] > 0.5
    changed = (draw(painted, canvas) != canvas.crops[0]).any(-1)
    assert changed.any() and not changed[enlarge(painted.taken[0], 2, least=False) == 0].any()


def test_a_share_of_the_face_is_a_share_of_the_change(painter):
    canvas = make_canvas(make_face(0.1))
    painted, crop = painter.paint(canvas), canvas.crops[0]
    results = [crop.copy() for _ in range(3)]
    for result, share in zip(results, (0.0, 0.5, 1.0), strict=True):
        painted.draw(0, crop, refine_crop(np.eye(2, 3), SIZE / len(crop)), result, share)
    np.testing.assert_array_equal(results[0], crop)
    np.testing.assert_allclose(results[1], (crop + results[2].astype(float)) / 2, atol=1)


@pytest.mark.parametrize("scale", [1, 3])
def test_frames_are_drawn_as_in_training(painter, scale):
    canvas = make_canvas(make_face(0.1), scale)
    painted, pictures = painter.paint(canvas), [*canvas.references[0], canvas.crops[0]]
    small = to_tensor(np.stack([reduce_picture(picture) for picture in pictures]))[None]
    layout, generator = lay_out(canvas, TOP), painter._generator
    with torch.no_grad():
        maps = generator(sample_pictures(small, layout.places, SIZE), layout, torch.from_numpy(canvas.speech))
        drawn = draw_frames(to_tensor(np.stack(pictures))[None], make_sketch(small, layout, maps), SIZE)[0]
    drawn = ((drawn + 1) * 127.5).clamp(0, 255).permute(1, 2, 0).numpy()
    whole = enlarge(painted.taken[0], scale, least=True)[TOP * scale :] == 1
    assert whole.any()
    np.testing.assert_allclose(draw(painted, canvas)[TOP * scale :][whole], drawn[whole], atol=1)


def test_fusion_corrects_light():
    models, canvas = load("g4g-tiny"), make_canvas(make_face(0.1))
    plain = draw(Painter(models.generator, models.fusion).paint(canvas), canvas)
    with torch.no_grad():
        models.fusion.light.bias[3:] = 0.2  # of the range from -1 to 1
    painted = Painter(models.generator, models.fusion).paint(canvas)
    lighter, whole = draw(painted, canvas), enlarge(painted.taken[0], 2, least=True) == 1
    apart = lighter[whole].astype(float) - plain[whole]
    assert 20 < np.median(apart) < 30


def test_what_is_painted_can_be_sharpened_afterwards():
    models, canvas = load("g4g-tiny"), make_canvas(make_face(0.1))
    with torch.no_grad():
        models.fusion.light.bias[3:] = 0.2
    painter = Painter(models.generator, models.fusion)
    at_once, later = painter.paint(canvas, Finish(0.5, 0.3)), painter.paint(canvas, Finish(0.5)).sharpen(0.3)
    np.testing.assert_allclose(later.maps, at_once.maps, atol=1e-6)
    assert (draw(later, canvas) != draw(painter.paint(canvas, Finish(0.5)), canvas)).any()


def test_a_face_off_the_picture_changes_nothing(painter):
    canvas = make_canvas(make_face(0.1))
    painted, frame = painter.paint(canvas), np.zeros((40, 50, 3), np.uint8)
    result = frame.copy()
    painted.draw(0, frame, np.array([[1.0, 0, -900], [0, 1, 0]]), result)
    np.testing.assert_array_equal(result, frame)


def test_a_picture_s_mouth_can_be_moved_and_moved_back():
    rng = np.random.default_rng(0)
    picture = (rng.random((16, 16, 3)) * 200 + 20).astype(np.uint8).repeat(12, 0).repeat(12, 1)
    face, speaking = make_face(), make_face(0.05)
    there = warp_picture(picture, face, speaking)
    back = warp_picture(there, speaking, face)
    apart = [np.abs(picture.astype(float) - x)[96:].mean() for x in (there, back)]
    assert there.shape == picture.shape and apart[1] < 0.5 * apart[0]


def test_part_of_a_frame_is_drawn_as_in_the_whole(lively):
    canvas = make_canvas(make_face(0.1), 2)
    painted = Painter(lively.generator, lively.fusion).paint(canvas)
    frame = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    matrix = np.array([[0.7, 0.05, 3.2], [-0.05, 0.7, 2.1]])
    whole, part = frame.copy(), frame.copy()
    painted.draw(0, frame, matrix, whole)
    painted.draw(0, frame, matrix, part, within=(70, 110, 120, 150))
    np.testing.assert_array_equal(part[110:150, 70:120], whole[110:150, 70:120])
    assert (part[110:150, 70:120] != frame[110:150, 70:120]).any() and (whole[:110] != frame[:110]).any()
    part[110:150, 70:120] = frame[110:150, 70:120]
    np.testing.assert_array_equal(part, frame)
