"""How far a mouth goes with its own sound, on planted mouths."""

import numpy as np
import pytest
import torch

from g4g.dubbing.reach import measure_reach
from g4g.dubbing.speech import embed_sound
from g4g.faces import FaceTrack
from g4g.faces.landmarks import MOUTH
from g4g.zoo import load

_FRAMES = 80


@pytest.fixture(scope="module")
def planted():
    """A face whose mouth is where the generator would put it, and how far it moves there."""
    models, rng = load("g4g-tiny"), np.random.default_rng(0)
    torch.manual_seed(0)
    torch.nn.init.normal_(models.generator.landmark_head[-1].weight, std=100.0)
    waveform = (rng.normal(size=16_000 * 4) * np.repeat(rng.uniform(0, 0.3, 40), 1600)).astype(np.float32)
    face = rng.uniform(30, 98, (68, 2)).astype(np.float32)
    face[36:42], face[42:48] = (40, 40), (88, 40)
    face[[61, 62, 63]], face[[67, 66, 65]] = (64, 60), (64, 100)
    times_s, references = np.arange(_FRAMES) / 25, np.tile(face, (4, 1, 1))
    with torch.no_grad():
        sound = models.generator.hear(embed_sound(models.aligner, waveform, times_s, 5, "cpu"))
        shapes = torch.from_numpy(references).expand(_FRAMES, -1, -1, -1)
        mouth = models.generator.move_mouth(shapes[:, 0], sound, shapes).landmarks[:, 17:].numpy()

    def measure(further: float, order=slice(None), frames=_FRAMES):
        points = np.tile(face, (_FRAMES, 1, 1))
        points[:, MOUTH] = mouth.mean(0) + further * (mouth - mouth.mean(0))[order]
        still = np.tile(np.eye(2, 3), (_FRAMES, 1, 1))
        track = FaceTrack(times_s, points, np.ones(_FRAMES, bool), still, np.zeros(_FRAMES, bool))
        return measure_reach(models, track, np.arange(frames), references, waveform)

    return measure


@pytest.mark.parametrize("further", [0.7, 1.0, 1.4])
def test_a_mouth_that_goes_further_is_told(planted, further):
    assert planted(further) == pytest.approx(further, rel=0.05)


def test_a_reach_beyond_reason_is_limited(planted):
    assert [planted(0.1), planted(4.0)] == pytest.approx([0.6, 1.7])


def test_where_the_mouth_does_not_follow_the_sound_nothing_is_told(planted):
    assert planted(1.4, np.random.default_rng(1).permutation(_FRAMES)) == 1.0
    assert planted(1.4, frames=30) == 1.0
