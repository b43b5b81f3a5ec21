"""What the encoders see: the person is taken out, and time is seconds whatever the frame rate."""

import numpy as np

from g4g.aligner import geometry_windows, lip_geometry, picture_frames, speech_windows
from g4g.faces import load_canonical
from g4g.faces.canonical import LIPS


def test_neither_size_nor_place_of_a_mouth_counts():
    rng = np.random.default_rng(0)
    faces = load_canonical().points + rng.normal(0, 0.01, (20, 468, 3)).astype(np.float32)
    lips = lip_geometry(faces)
    assert lips.shape == (20, len(LIPS), 2) and np.allclose(np.median(lips, 0), 0, atol=1e-6)
    np.testing.assert_allclose(lip_geometry(faces * 1.7 + [0.1, 0.2, 0.3]), lips, atol=1e-5)


def test_windows_of_geometry_know_seconds_not_frames():
    def at(fps):
        times = np.arange(0, 2, 1 / fps)
        return geometry_windows(np.tile(times[:, None, None], (1, 40, 2)), times, np.array([0.5, 1.01]))

    windows = at(25)
    np.testing.assert_allclose(windows[0, :, 0, 0], 0.5 + np.arange(-4, 5) / 25, atol=1e-6)
    np.testing.assert_allclose(at(30), windows, atol=1e-6)
    assert windows.shape == (2, 9, 40, 2)


def test_windows_of_speech_stand_around_their_moment_and_repeat_the_ends():
    speech = np.arange(100, dtype=np.float16)[:, None]
    windows = speech_windows(speech, np.array([0.0, 1.0, 1.01]))[..., 0]
    assert windows.shape == (3, 15) and windows[0].tolist() == [0.0] * 8 + list(range(1, 8))
    assert windows[1, 7] == 50 and windows[2, 7] == 50.5


def test_one_frame_is_a_clip_too():
    assert geometry_windows(np.ones((1, 40, 2)), np.zeros(1), np.zeros(3)).shape == (3, 9, 40, 2)
    assert picture_frames(np.zeros(1), np.zeros(3)).tolist() == [[0] * 5] * 3


def test_pictures_are_the_nearest_frames():
    assert picture_frames(np.arange(6) / 25, np.array([0.0, 0.2])).tolist() == [[0, 0, 0, 1, 2], [3, 4, 5, 5, 5]]
