"""The mesh: pose taken out and put back, warps against an independent piecewise affine reference."""

import numpy as np
import pytest
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from g4g.faces import add_ring, fit_pose, lip_gap, load_canonical, rasterise_mesh, ring_triangles
from g4g.faces.canonical import FACE_POINTS, INNER_LIPS, OUTER_EYES, OUTLINE


def _pose(canonical, degrees, scale, shift):
    """Meshes (T, 468, 3) px of a face in poses (pitch, yaw, roll)."""
    turns = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    return np.einsum("tij,nj->tni", turns, canonical) * scale + shift


def test_the_average_face_is_measured_in_eye_distances():
    points = load_canonical().points
    left, right = points[list(OUTER_EYES)]
    np.testing.assert_allclose(right - left, [1, 0, 0], atol=1e-6)
    assert points[152, 1] > points[13, 1] > points[1, 1] > 0, "y runs down from the eyes: nose, lips, chin"
    assert 0 < lip_gap(points) < 0.1
    moves = load_canonical().moves
    assert moves[list(INNER_LIPS)].min() == 1 and moves[list(OUTER_EYES)].max() == 0


def test_pose_is_found_and_taken_out():
    canonical = load_canonical().points.astype(np.float64)
    degrees = np.array([[0, 0, 0], [10, -20, 5], [-8, 25, -12.0]])
    mesh = _pose(canonical, degrees, 80, [200, 150, 0])
    pose, lifted = fit_pose(mesh)
    np.testing.assert_allclose(lifted, np.broadcast_to(canonical, lifted.shape), atol=1e-4)
    np.testing.assert_allclose(pose.project(lifted), mesh, atol=1e-2)
    np.testing.assert_allclose(pose.scale, 80, rtol=1e-4)
    turned = pose.degrees - pose.degrees[0]
    assert turned[1, 1] * turned[2, 1] < 0 and np.abs(turned[1:, 1]).min() > 15


def test_an_open_mouth_does_not_turn_the_head():
    canonical = load_canonical().points.astype(np.float64)
    opened = canonical.copy()
    opened[152, 1] += 0.2
    opened[list(INNER_LIPS), 1] += 0.05
    mesh = _pose(canonical, [[5, 10, 0]], 80, [200, 150, 0])
    other = _pose(opened, [[5, 10, 0]], 80, [200, 150, 0])
    both, _ = fit_pose(np.concatenate([mesh, mesh, other]))
    np.testing.assert_allclose(both.rotation[2], both.rotation[0], atol=1e-9)


def test_places_follow_a_planted_affine():
    face = add_ring(load_canonical().points[None], load_canonical().points[None])[0] * 50 + [64, 40]
    linear, shift = np.array([[0.9, 0.1], [-0.2, 1.1]]), np.array([4.0, -3.0])
    places, owner = rasterise_mesh(face, (face @ linear.T + shift)[None], ring_triangles(), (128, 128))
    rows, columns = np.nonzero(owner >= 0)
    assert len(rows) > 6000
    wanted = np.stack([columns, rows], 1) @ linear.T + shift
    np.testing.assert_allclose(places[0, rows, columns], wanted, atol=1e-3)


@pytest.mark.parametrize("size", [96, 211])
def test_places_agree_with_an_independent_piecewise_affine_map(size):
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(2, 90, 7), np.linspace(3, 88, 6)), -1).reshape(-1, 2)
    target = (grid + rng.normal(0, 2, grid.shape)) * size / 96
    source = grid + rng.normal(0, 4, grid.shape)
    triangles = Delaunay(target).simplices
    a, b, c = (target[triangles[:, i]] for i in range(3))
    flat = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    triangles = np.where((flat > 0)[:, None], triangles[:, ::-1], triangles).astype(np.int32)
    places, owner = rasterise_mesh(target, source[None], triangles, (size, size))
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1)
    reference = LinearNDInterpolator(Delaunay(target), source)(pixels)
    inside = ~np.isnan(reference[..., 0])
    assert (inside == (owner >= 0)).mean() > 0.999
    both = inside & (owner >= 0)
    np.testing.assert_allclose(places[0][both], reference[both], atol=2e-3)


def test_what_is_seen_from_behind_covers_nothing():
    corners = np.array([[10.0, 10.0], [40.0, 12.0], [20.0, 45.0]])
    front, back = np.array([[0, 2, 1]], np.int32), np.array([[0, 1, 2]], np.int32)
    assert (rasterise_mesh(corners, corners[None], front, (64, 64))[1] == 0).sum() > 400
    assert (rasterise_mesh(corners, corners[None], back, (64, 64))[1] < 0).all()


def test_the_ring_does_not_follow_speech():
    points = load_canonical().points
    opened = points.copy()
    opened[152, 1] += 0.2
    rest, speaking = (add_ring(p[None], points[None])[0] for p in (points, opened))
    np.testing.assert_array_equal(rest[FACE_POINTS:], speaking[FACE_POINTS:])
    assert len(rest) == FACE_POINTS + len(OUTLINE)
