"""Several faces at once."""

import numpy as np
import pytest

from g4g.faces import follow_faces
from g4g.faces.backends import FaceBackend, MediaPipeBackend
from g4g.faces.cuts import MarkedFrame
from g4g.faces.follow import MOST_FACES
from g4g.media import VideoFrame


class DetectOnly(MediaPipeBackend):
    """A backend that follows nothing, as face-alignment is."""

    def follow(self, frame, mesh):
        return None

    def follow_two(self, frame, following, mesh):
        return None, None


class OneByOne(MediaPipeBackend):
    """A backend that looks at each frame from the points of the one before."""

    follow_two = FaceBackend.follow_two


@pytest.mark.parametrize("backend", [MediaPipeBackend, DetectOnly])
def test_two_faces_keep_their_numbers_as_they_move(backend):
    portrait = pytest.importorskip("skimage.data").astronaut()[:300, 60:360]
    other = np.ascontiguousarray(portrait[:, ::-1] // 2 + 100)
    frames = [np.concatenate([np.roll(portrait, 4 * i, 0), np.roll(other, -3 * i, 1)], axis=1) for i in range(6)]
    tracks = follow_faces((VideoFrame(i / 25, f) for i, f in enumerate(frames)), backend())
    assert tracks.faces.tolist() == [0] * 6 + [1] * 6 and tracks.frames.tolist() == [*range(6)] * 2
    centres = tracks.landmarks.mean(1)
    np.testing.assert_allclose(centres[5] - centres[0], [0, 20], atol=4)
    np.testing.assert_allclose(centres[11] - centres[6], [-15, 0], atol=4)
    chosen = tracks.select(np.array([1]))
    assert chosen.found.all() and np.array_equal(chosen.landmarks, tracks.landmarks[6:])


def _move_portrait(steps):
    """Frames in which a portrait lies further right by each of `steps`, px."""
    portrait = pytest.importorskip("skimage.data").astronaut()[:300, 60:360]
    frames, x = [], 0
    for step in steps:
        x += step
        frame = np.zeros((300, 900, 3), np.uint8)
        frame[:, x : x + 300] = portrait
        frames.append(frame)
    return frames


def _follow(frames, backend, cuts=()):
    return follow_faces((MarkedFrame(i / 25, f, i == 0 or i in cuts) for i, f in enumerate(frames)), backend)


def test_two_frames_at_once_say_the_same_as_one_by_one():
    frames = _move_portrait([0, *[3] * 8])
    one, two = (_follow(frames, backend()).mesh[..., :2] for backend in (OneByOne, MediaPipeBackend))
    off = np.linalg.norm(one - two, axis=-1)
    assert 0 < off.mean() < 0.3 and off.max() < 2


def test_a_fast_face_is_followed_frame_by_frame():
    frames = _move_portrait([0, *[40] * 8])
    one, two = (_follow(frames, backend()).mesh for backend in (OneByOne, MediaPipeBackend))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("cut", [3, 4])
def test_no_frame_is_looked_at_beyond_a_cut(cut):
    seen = []

    class Noting(MediaPipeBackend):
        def follow_two(self, frame, following, mesh):
            seen.append((frame, following))
            return super().follow_two(frame, following, mesh)

    frames = _move_portrait([0] * 7)
    tracks = _follow(frames, Noting(), cuts=[cut])
    assert len(tracks.faces) == 7 and len(seen) > 1
    starts = [id(frames[0]), id(frames[cut])]
    assert not any(id(following) in starts for _, following in seen)


def test_a_face_that_vanishes_in_the_second_of_two_frames_is_lost_there():
    frames = _move_portrait([0] * 6)
    frames[2:] = [np.zeros_like(frames[0])] * 4
    assert _follow(frames, MediaPipeBackend()).frames.tolist() == [0, 1]


class Planted(FaceBackend):
    """A backend that finds planted meshes in each frame that it detects in, and follows none."""

    def __init__(self, frames):
        self.frames = iter(frames)

    def detect(self, frame, thorough, known=()):
        return next(self.frames)

    def follow(self, frame, mesh):
        return None


def _plant(place, side):
    """A mesh of so many px around a place on a canvas of 40 px squares."""
    points = np.random.default_rng(0).random((478, 3)).astype(np.float32) * side
    return points + np.float32([40 * place, 10, 0])


def test_of_more_faces_than_are_followed_the_largest_count():
    meshes = [_plant(place, 30 - place) for place in range(MOST_FACES + 2)]
    tracks = _follow([np.zeros((60, 500, 3), np.uint8)] * 2, Planted([meshes, meshes]))
    assert sorted(set(tracks.faces.tolist())) == list(range(MOST_FACES)) and len(tracks.faces) == 2 * MOST_FACES
    assert tracks.mesh[:, :, 0].min() >= 0 and tracks.mesh[:, :, 0].max() < 40 * MOST_FACES


def test_a_face_that_is_seen_now_and_then_is_one_track_with_gaps(monkeypatch):
    monkeypatch.setattr("g4g.faces.follow._BLOCK", 2)
    seen = [[_plant(0, 30)], [], [_plant(0, 31)], [_plant(0, 32)], []]
    picture = np.kron(np.random.default_rng(0).integers(0, 256, (6, 6, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    tracks = _follow([picture] * 5, Planted(seen))
    track = tracks.select(np.array([0]))
    assert track.found.tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(track.mesh[track.found], [meshes[0] for meshes in seen if meshes])
    assert not track.mesh[~track.found].any()
