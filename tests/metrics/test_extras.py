"""Measures beyond g4g's own: found where they are, named where they are not, counted where they are given."""

import importlib.util

import numpy as np
import pytest
import torch

from g4g.errors import ShapeError
from g4g.metrics import Judge, JudgeConfig, cosine
from g4g.metrics import extras as module
from g4g.metrics.clip import measure_clip
from g4g.metrics.extras import SAMPLED, Extras, add_to_fid, load_extras


class _Counting(torch.nn.Module):
    """Stands for torchmetrics' FID: counts real and made pictures."""

    def __init__(self):
        super().__init__()
        self.real, self.made = [], []

    def update(self, pictures, real):
        (self.real if real else self.made).append(pictures)


def test_what_is_not_at_hand_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda name: None if "dlib" in name else object())
    extras = load_extras()
    assert extras.lpips is extras.fid is extras.identity is extras.syncnet is None
    names = [sentence.split(":")[0] for sentence in extras.missing]
    assert names == ["official SyncNet", "LPIPS", "FID", "identity"] and str(tmp_path) in extras.missing[1]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "pip install 'g4g[perceptual]'" in load_extras().missing[1]


def test_an_embedder_of_ones_own_is_used():
    given = lambda frame, landmarks: np.ones(3)  # noqa: E731
    extras = load_extras(identity=given)
    assert extras.identity is given and not any("identity" in sentence for sentence in extras.missing)


def test_given_measures_see_source_and_dub(grid_clip):
    torch.manual_seed(0)
    judge = Judge(JudgeConfig(embedding=32, point_channels=32, audio_channels=(32, 32, 32))).eval()
    fid = _Counting()
    seen = Extras(lpips=lambda made, real: 0.25, fid=fid, identity=lambda frame, landmarks: landmarks.ravel())
    dubbed = measure_clip(grid_clip, grid_clip, judge, extras=seen).rows["dubbed"]
    assert dubbed["lpips"] == 0.25 and dubbed["identity"] == pytest.approx(1)
    assert len(fid.real) == len(fid.made) == 75 // SAMPLED
    assert fid.real[0].shape == (1, 3, 128, 128) and torch.equal(fid.real[0], fid.made[0])


def test_crops_reach_fid_as_bytes():
    fid = _Counting()
    add_to_fid(fid, np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8))
    assert fid.made[0].dtype == torch.uint8 and int(fid.real[0].max()) == 255


def test_cosine_of_face_vectors():
    assert cosine(np.array([1.0, 0]), np.array([2.0, 0])) == pytest.approx(1)
    assert cosine(np.array([1.0, 0]), np.array([0, 3.0])) == 0
    with pytest.raises(ShapeError, match="one length"):
        cosine(np.ones(2), np.ones(3))


@pytest.mark.skipif(
    not (importlib.util.find_spec("dlib") and importlib.util.find_spec("face_recognition_models")),
    reason="needs the extra g4g[identity]",
)
def test_dlib_tells_people_apart(grid_clip, data_dir):
    from g4g.faces import make_backend
    from g4g.media import read_frames

    embed, vectors = load_extras().identity, []
    for clip in (grid_clip, grid_clip, next((data_dir / "grid/s26").iterdir())):
        frames = [item.frame for item in read_frames(clip)]
        frame = frames[len(vectors) * 30]
        vectors.append(embed(frame, make_backend("mediapipe").find(frame)))
    assert cosine(*vectors[:2]) > cosine(vectors[0], vectors[2]) + 0.05
