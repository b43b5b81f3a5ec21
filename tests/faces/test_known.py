"""Faces that are followed are not placed again when new ones are looked for; threads change no number."""

import numpy as np
import pytest

from g4g.checkpoints import find_weights
from g4g.engine import compile_network, read_blocked
from g4g.faces.backends import MediaPipeBackend


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
    picture = pytest.importorskip("skimage.data").astronaut()[:256, 96:352, :][None].astype(np.float32) / 255
    model = read_blocked(find_weights("face-landmarks"))
    one, two = (compile_network(model, threads, shape=(1, 256, 256, 3))(picture)[0] for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_the_mesh_is_the_same_with_kernels_for_blocks():
    path = find_weights("face-landmarks")
    picture = pytest.importorskip("skimage.data").astronaut()[:256, 96:352, :][None].astype(np.float32) / 255
    shape = (1, 256, 256, 3)
    plain, blocked = (compile_network(model, 1, shape=shape)(picture)[0] for model in (path, read_blocked(path)))
    assert np.abs(plain - blocked).max() < 0.01  # px of 256
