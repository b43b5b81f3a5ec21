"""The face backends on real pictures."""

import numpy as np
import pytest

from g4g.errors import FaceError
from g4g.faces import make_backend, mouth_shape, track_faces
from g4g.faces.landmarks import steady_upper_face, to_landmarks
from g4g.media import VideoFrame


@pytest.fixture(scope="module")
def portrait():
    return pytest.importorskip("skimage.data").astronaut()


def test_the_portrait_has_a_face_where_it_is(portrait):
    # the pupils, read off the enlarged picture by eye
    mesh = make_backend("mediapipe").find(portrait)
    assert mesh.shape == (478, 3)
    landmarks = to_landmarks(mesh)
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    assert np.linalg.norm(left - [203, 101]) < 4 and np.linalg.norm(right - [247, 103]) < 4
    assert 0 <= mouth_shape(landmarks)[0] < 0.5


def test_a_moved_face_is_followed_and_an_empty_frame_passes(portrait):
    moved = np.roll(portrait, 12, axis=1)
    frames = [portrait, moved, np.zeros_like(portrait), portrait]
    track = track_faces((VideoFrame(i / 25, f) for i, f in enumerate(frames)), make_backend("mediapipe"))
    assert track.found.tolist() == [True, True, False, True]
    shift = (track.landmarks[1] - track.landmarks[0]).mean(0)
    np.testing.assert_allclose(shift, [12, 0], atol=2)
    assert track.crop_landmarks().shape == (4, 68, 2)


def test_the_upper_face_is_steady_and_the_mouth_as_it_was():
    points = np.random.default_rng(0).normal(0, 1, (400, 68, 2)).astype(np.float32)
    points[200:] += 50
    halves = slice(0, 200), slice(200, 400)
    steady, slow = (
        np.concatenate([steady_upper_face(points[half], np.arange(400)[half] / fps) for half in halves])
        for fps in (25, 50)
    )
    for part in (slice(0, 17), slice(48, 68)):
        np.testing.assert_array_equal(steady[:, part], points[:, part])
    upper = steady[:, 17:48]
    assert upper[:200].std() < 0.35 and abs(upper[199].mean()) < 0.5, "trembling goes, one scene does not move another"
    assert slow[:200, 17:48].std() < 0.8 * upper[:200].std(), "over the same time at twice the frames"


def test_a_cut_ends_a_run_and_movement_does_not(portrait):
    other = np.ascontiguousarray(255 - portrait[:, ::-1])
    frames = [portrait, np.roll(portrait, 6, axis=1), np.roll(portrait, 12, axis=1), other, other, portrait]
    track = track_faces((VideoFrame(i / 25, f) for i, f in enumerate(frames)), make_backend("mediapipe"))
    assert np.flatnonzero(track.cuts).tolist() == [3, 5]
    assert (0, 3) in track.runs() and (5, 6) in track.runs()


def test_unknown_and_unready_backends_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FaceError, match="mediapipe, face-alignment"):
        make_backend("other")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FaceError, match=r"s3fd-619a316812.pth.*put the files there"):
        make_backend("face-alignment")
