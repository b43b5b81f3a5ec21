"""Opened pictures of faces that never opened their mouths, planted in flat colours."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from g4g.avatar import HeadTrack, MouthLibrary, Person
from g4g.avatar.open_mouth import complete_library, has_shown_teeth, load_teeth
from g4g.faces import HeadPose, inside_triangles, lip_gap, load_canonical, rasterise_mesh, ring_triangles, warp_picture
from g4g.faces.canonical import LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.motion import find_components

SIDE, SKIN, TOOTH = 256, (180, 140, 120), (240, 240, 230)


def open_face(gap):
    """The average face with its jaw dropped until the inner lips are `gap` apart, (468, 3)."""
    face = load_canonical().points.astype(np.float64)
    rest = (face[list(LOWER_INNER_LIP), 1] - face[list(UPPER_INNER_LIP), 1]).mean()
    low = np.clip((face[:, 1] - 0.775) / 0.005, 0, 1) * load_canonical().moves
    return face + (gap - rest) * low[:, None] * [0, 1, 0]


@pytest.fixture(scope="module")
def space():
    return find_components(np.stack([open_face(gap) - open_face(0) for gap in np.linspace(0, 0.2, 40)]), 2)


def make_person(gaps):
    """Skin everywhere, teeth between the lips; one frame for each gap."""
    faces, count = np.stack([open_face(gap) for gap in gaps]), len(gaps)
    pose = HeadPose(np.full(count, 55.0), np.tile(np.eye(3), (count, 1, 1)), np.tile([64.0, 40.0, 0.0], (count, 1)))
    mesh = np.concatenate([pose.project(faces), np.zeros((count, 10, 3))], axis=1)
    matrices, rows = np.tile(np.eye(2, 3), (count, 1, 1)), np.arange(count)
    head = HeadTrack(rows, mesh, matrices, np.zeros((count, 3)), pose, faces[0])
    meshes, crops = head.draw(rows, faces), np.tile(np.uint8(SKIN), (count, SIDE, SIDE, 1))
    for crop, points in zip(crops, meshes, strict=True):
        crop[find_inside(points)] = TOOTH
    none = np.zeros((count, 3))
    library = MouthLibrary(rows, rows / 25, np.zeros((count, 2)), none, none, crops, meshes)
    return Person(head, None, np.zeros((count, 2)), 1.0, 2, library)


def find_inside(points):
    """Where a crop shows what is between the lips, (s, s), bool."""
    _, owner = rasterise_mesh(points * 2 + 0.5, points[None], ring_triangles(), (SIDE, SIDE))
    return np.isin(owner, np.flatnonzero(inside_triangles()))


def measure_gap(points):
    return (points[list(LOWER_INNER_LIP), 1] - points[list(UPPER_INNER_LIP), 1]).mean() / 55


def test_a_closed_mouth_gets_average_teeth_above_the_dark(space):
    library = complete_library(make_person([0.0]), space)
    opened = library.take(np.flatnonzero(library.frames < 0))
    assert len(opened) == len(library) - 1 >= 8 and (np.diff(library.frames) >= 10).all()
    gaps = [measure_gap(mesh) for mesh in opened.meshes]
    assert (np.diff(gaps) > 0.01).all() and gaps[-1] > 0.15
    crop, inside = opened.crops[-1], find_inside(opened.meshes[-1])
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    column = crop[rows, int(columns.mean())].astype(int)
    assert column[: len(rows) // 2].mean(1).max() > 150 > 90 > column[len(rows) // 2 : -2].mean(1).max()
    outside = np.abs(crop[:, : columns[0] - 4].astype(int) - SKIN).max()
    assert outside <= 1, "the face around the mouth stays as it is"


def test_own_teeth_keep_their_size_and_it_grows_dark_below_them(space):
    person = make_person([0.01, 0.08])
    library = complete_library(person, space)
    gaps = np.array([measure_gap(mesh) for mesh in library.meshes])
    assert (library.frames[gaps < 0.09] >= 0).all(), "what the person showed is not drawn"
    opened = library.take(np.flatnonzero(library.frames < 0))
    height = lambda crop: (crop[:, SIDE // 2].min(-1) > 215).sum()  # noqa: E731
    assert abs(height(opened.crops[-1]) - height(person.library.crops[1])) <= 3
    assert opened.crops[-1][find_inside(opened.meshes[-1])].min() < 60


def test_lips_that_never_met_leave_no_teeth_when_they_close(space):
    person = make_person([0.06, 0.08])
    mesh = person.library.meshes[0]
    teeth = cv2.dilate(find_inside(mesh).astype(np.uint8), np.ones((5, 1), np.uint8)) > 0
    person.library.crops[0][teeth] = TOOTH  # the found edges of the lips lie a little within
    library = complete_library(person, space)
    closed = int(np.argmin([measure_gap(mesh) for mesh in library.meshes]))
    assert measure_gap(library.meshes[closed]) < 0.005
    count = lambda crop: (crop[:, SIDE // 2 - 15 : SIDE // 2 + 15].min(-1) > 150).sum()  # noqa: E731
    plain = warp_picture(person.library.crops[0], mesh, library.meshes[closed])
    assert count(library.crops[closed]) < 0.2 * count(plain)


def test_opened_pictures_have_the_shapes_of_their_mouths(space):
    person = make_person([0.0])
    library = complete_library(person, space)
    faces = person.head.lift(np.array([0])) + space.decode(library.shapes)
    gaps = [measure_gap(mesh) for mesh in library.meshes]
    np.testing.assert_allclose(lip_gap(faces), gaps, atol=0.02)


def test_a_mouth_that_was_seen_open_needs_none(space):
    person = make_person([0.0, 0.2])
    library = complete_library(person, space)
    assert library is person.library


def test_the_average_teeth_are_symmetrical_and_white():
    teeth = load_teeth()
    assert np.abs(teeth.share - teeth.share[:, ::-1]).max() < 0.01 and teeth.share.max() == 1
    shown = teeth.colour[teeth.share > 0.9]
    assert len(shown) > 500 and (shown.min(-1) / shown.max(-1)).min() > 0.7


@pytest.mark.parametrize("gaps, shown", [([0.0, 0.01], False), ([0.0, 0.08], True)])
def test_it_is_known_who_never_showed_teeth_after_some_were_drawn(space, gaps, shown):
    person = make_person(gaps)
    assert has_shown_teeth(person) == shown
    assert has_shown_teeth(replace(person, library=complete_library(person, space))) == shown
