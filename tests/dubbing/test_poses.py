"""A head that moves is drawn from references of its own pose."""

import numpy as np
import pytest

import g4g
from g4g.dubbing import views
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

    monkeypatch.setattr(views, "list_tried", lambda shares, candidates: np.zeros(0, int))
    monkeypatch.setattr(views, "follow_pose", choose)
    whole, (poses, shares) = draw(), found[0]
    assert len(poses) > 1
    blend = np.zeros_like(whole)
    for pose in range(len(poses)):
        monkeypatch.setattr(views, "follow_pose", lambda landmarks, pose=pose: choose(landmarks, pose))
        blend += shares[:, pose, None, None, None].astype(np.float32) * draw()
    np.testing.assert_allclose(whole, blend, atol=0.05)
    assert (np.sort(shares, axis=1)[:, -1] < 1).sum() < len(shares) / 2, "most frames take one pose's alone"


def test_references_are_tried_on_the_video_where_it_has_its_own_sound(data_dir, ffmpeg, tmp_path, monkeypatch):
    clip, mute = data_dir / "grid/s1/bbaf3s.mp4", tmp_path / "mute.mkv"
    if not clip.is_file():
        pytest.skip(f"{clip} is not there")
    ffmpeg("-i", clip, "-an", "-c:v", "copy", mute)
    dubber, tried = g4g.Dubber.from_pretrained("g4g-small"), []

    def try_references(generator, crops, landmarks, audio, pictures, shapes):
        picked = views_try(generator, crops, landmarks, audio, pictures, shapes)
        tried.append((len(crops), len(audio), pictures.shape[:2], picked))
        return picked

    views_try = views.try_references
    monkeypatch.setattr(views, "try_references", try_references)
    draw = lambda video: next(iter(dubber.generate_frames(video, clip))).crop  # noqa: E731
    with_sound, without = draw(clip), draw(mute)
    [(frames, sounds, shape, picked)] = tried
    assert frames == sounds == 8 and shape == (4, 3) and picked.any(), "the first are not the best of this clip"
    assert np.abs(with_sound - without).mean() > 0.1


def test_frames_to_try_on_are_far_from_candidates_and_all_in_their_pose():
    shares = np.ones(100)
    shares[40:60] = 0.5
    tried = views.list_tried(shares, np.array([[10], [90]]))
    assert len(tried) == 8 and (shares[tried] == 1).all() and (np.abs(tried[:, None] - [10, 90]) > 2).all()
    assert not len(views.list_tried(shares[:8], np.array([[3]]))), "three are too few"
