"""Faces that are followed are not placed again when new ones are looked for; threads change no number."""

import numpy as np
import pytest

from g4g.faces.backends import MediaPipeBackend, make_backend


def test_only_new_faces_are_placed():
    portrait = pytest.importorskip("skimage.data").astronaut()[:300, 60:360]
    frame = np.concatenate([portrait, np.ascontiguousarray(portrait[:, ::-1] // 2 + 100)], axis=1)
    backend = MediaPipeBackend()
    both = backend.detect(frame, False)
    assert len(both) == 2
    for number, mesh in enumerate(both):
        (other,) = backend.detect(frame, False, [mesh])
        np.testing.assert_array_equal(other, both[1 - number])
    assert backend.detect(frame, False, both) == []
    far = both[0] + np.float32([400, 0, 0])
    assert len(backend.detect(frame, False, [far])) == 2


def test_points_are_the_same_on_one_thread_and_on_two():
    portrait = pytest.importorskip("skimage.data").astronaut()
    one, two = (make_backend("mediapipe", threads).find(portrait) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
