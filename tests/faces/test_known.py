"""Faces that are followed are not placed again when new ones are looked for."""

import numpy as np
import pytest

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
