"""Where a person's own mesh and the new mouth lie in the crop; poses that do not tremble."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from g4g.avatar import HeadTrack, Person
from g4g.avatar.steady import steady_pose
from g4g.faces import HeadPose, load_canonical
from g4g.faces.canonical import JAW_LINE


def make_pose(degrees, scale=80.0):
    """Heads turned by (T, 3) degrees, at one place."""
    rotation = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    return HeadPose(np.full(len(degrees), scale), rotation, np.tile([200.0, 150.0, 0.0], (len(degrees), 1)))


@pytest.fixture
def person():
    """Four frames of the average face, turned differently far."""
    face, pose = (
        load_canonical().points.astype(float),
        make_pose(np.array([[0, 0, 0], [5, 0, 0], [0, 12, 3], [0, 0, 9]])),
    )
    mesh = np.concatenate([pose.project(face[None]), np.zeros((4, 10, 3))], axis=1)
    matrices = np.tile([[0.7, 0, -70], [0, 0.7, -60.0]], (4, 1, 1))
    head = HeadTrack(np.array([3, 4, 5, 9]), mesh, matrices, np.zeros((4, 3)), pose, face)
    return Person(head, None, np.zeros((4, 4)), 1.0, 2, None)


def test_rows_are_found_by_the_frames_of_the_video(person):
    assert person.head.find_rows(np.array([9, 3, 5])).tolist() == [3, 0, 2]


def test_a_mouth_that_stays_as_it_is_leaves_every_point_in_place(person):
    rows = np.arange(4)
    own, target = person.place_points(rows, person.head.lift(rows))
    expected = person.head.mesh[:, :468, :2] * 0.7 + [-70, -60]
    assert own.shape == (4, 504, 2) and np.abs(own[:, :468] - expected).max() < 1e-3
    assert np.abs(target - own).max() < 1e-4


def test_only_points_that_speech_moves_are_moved_and_only_by_the_share(person):
    rows, moves = np.arange(4), load_canonical().moves
    laid = person.head.lift(rows) + [0, 0.1, 0]
    own, target = person.place_points(rows, laid, np.array([1, 1, 1, 0.25]))
    moved = np.linalg.norm(target - own, axis=-1)
    assert (moved[:, :468][:, moves == 0] < 1e-4).all() and (moved[:, 468:] < 1e-4).all()
    assert moved[0, 14] == pytest.approx(0.1 * 80 * 0.7, rel=1e-3)
    assert moved[3, 14] == pytest.approx(moved[0, 14] / 4, rel=1e-3)


def test_noise_of_the_pose_is_smoothed_and_a_nod_is_followed():
    rng, face = np.random.default_rng(0), load_canonical().points.astype(float)
    still = make_pose(rng.normal(0, 0.4, (100, 3)))
    steady = steady_pose(still, face, [(0, 100)], 25)
    tremble = lambda pose: np.abs(np.diff(pose.project(face[None, list(JAW_LINE)]), axis=0)).mean()  # noqa: E731
    assert tremble(steady) < 0.35 * tremble(still)
    nod = np.zeros((100, 3))
    nod[50:, 0] = 15
    off = steady_pose(make_pose(nod), face, [(0, 100)], 25).project(face[None]) - make_pose(nod).project(face[None])
    assert np.abs(off[:, list(JAW_LINE)]).max() < 0.03 * 80
    apart = steady_pose(make_pose(nod), face, [(0, 50), (50, 100)], 25)
    assert np.abs(apart.degrees - make_pose(nod).degrees).max() < 1e-6, "nothing is smoothed across a cut"
    assert np.allclose(np.linalg.det(steady.rotation), 1)


def test_points_are_turned_as_numpy_turns_them_to_the_bit():
    draw = np.random.default_rng(0)
    rotation = np.linalg.qr(draw.normal(size=(7, 3, 3)))[0]
    pose = HeadPose(draw.random(7) + 50, rotation, draw.normal(size=(7, 3)))
    mesh = draw.normal(size=(7, 478, 3)).astype(np.float32)
    wanted = np.einsum("tji,tnj->tni", rotation, mesh - pose.shift[:, None]) / pose.scale[:, None, None]
    np.testing.assert_array_equal(pose.lift(mesh), wanted)
