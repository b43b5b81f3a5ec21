"""A head that moves is drawn from references of its own pose."""

import numpy as np
import pytest

import g4g
from g4g.dubbing import casting
from g4g.generator import follow_pose


def test_frames_are_drawn_from_references_of_their_pose_and_pass_over_in_between(data_dir, monkeypatch):
    clip = data_dir / "grid/s26/lwwx5p.mpg"
    if not clip.is_file():
        pytest.skip(f"{clip} is not there")
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    draw = lambda: np.stack([item.crop for item in dubber.generate_frames(clip, clip)])  # noqa: E731
    found = []

    def choose(landmarks, only=None):
        poses, shares = follow_pose(landmarks)
        found.append((poses, shares))
        return (poses, shares) if only is None else (poses[[only]], np.ones((len(landmarks), 1)))

    monkeypatch.setattr(casting, "follow_pose", choose)
    whole, (poses, shares) = draw(), found[0]
    assert len(poses) > 1
    blend = np.zeros_like(whole)
    for pose in range(len(poses)):
        monkeypatch.setattr(casting, "follow_pose", lambda landmarks, pose=pose: choose(landmarks, pose))
        blend += shares[:, pose, None, None, None].astype(np.float32) * draw()
    np.testing.assert_allclose(whole, blend, atol=0.05)
    assert (np.sort(shares, axis=1)[:, -1] < 1).sum() < len(shares) / 2, "most frames take one pose's alone"
