"""Several faces at once."""

import numpy as np
import pytest

from g4g.faces import follow_faces
from g4g.faces.backends import MediaPipeBackend
from g4g.media import VideoFrame


class DetectOnly(MediaPipeBackend):
    """A backend that follows nothing, as face-alignment is."""

    def follow(self, frame, shape):
        return None


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
