"""One video in, one video out: tiny networks for the plumbing, the shipped weights for the truth."""

import numpy as np
import pytest
from PIL import Image

import g4g
from g4g.avatar.kept import KeptParts
from g4g.dubbing import frames
from g4g.dubbing.plan import ease
from g4g.faces import transform_points
from g4g.media import probe, read_frames


def test_a_portrait_speaks_for_as_long_as_its_sound(tiny, portrait_file, voice, tmp_path):
    report = tiny.dub(portrait_file, voice, tmp_path / "out.mp4", sheet=tmp_path / "sheet.png")
    info = probe(tmp_path / "out.mp4")
    assert report.frames == report.frames_dubbed == 15 and report.frames_passed == 0
    assert (info.width, info.height, info.has_audio) == (512, 512, True)
    assert info.duration_s == pytest.approx(report.duration_s, abs=0.1)
    assert len(list(read_frames(tmp_path / "out.mp4"))) == report.frames
    assert Image.open(tmp_path / "sheet.png").size[0] == 8 * 256


def test_outside_the_mask_every_byte_is_the_sources(tiny, grid_clip):
    from itertools import islice

    for item in islice(tiny.generate_frames(grid_clip, grid_clip), 10):
        changed = (item.frame != item.source).any(-1)
        assert changed.any() and not changed[: changed.shape[0] // 3].any()
        rows, columns = np.nonzero(changed)
        size = len(item.taken)
        points = transform_points(item.frame_to_crop, np.stack([columns, rows], -1))
        covered = item.taken[tuple(np.clip(np.round(points[:, ::-1]).astype(int), 0, size - 1).T)]
        nearby = np.pad(item.taken, 1).max()
        assert nearby > 0.99 and (covered > 0).mean() > 0.97


def test_the_sources_size_rate_and_last_frame_are_kept(tiny, cut, tmp_path):
    video = cut("talk.mp4")
    tiny.dub(video, video, tmp_path / "out.mp4")
    before, after = probe(video), probe(tmp_path / "out.mp4")
    assert (after.width, after.height, after.fps) == (before.width, before.height, before.fps)
    assert len(list(read_frames(tmp_path / "out.mp4"))) == 15


def test_a_long_sound_plays_the_video_to_and_fro(tiny, cut, voice_file, ffmpeg, tmp_path):
    ffmpeg("-t", 1, "-i", voice_file, tmp_path / "long.wav")
    sources = [item.source for item in tiny.generate_frames(cut("talk.mp4"), tmp_path / "long.wav")]
    assert len(sources) == 25
    assert (sources[15] == sources[13]).all() and (sources[16] == sources[12]).all()
    assert (sources[15] != sources[14]).any()


def test_length_video_keeps_the_video(tiny, cut, voice_file):
    video = cut("talk.mp4")
    assert len(list(tiny.generate_frames(video, voice_file, length="video"))) == 15
    with pytest.raises(g4g.ConfigError, match="audio, video"):
        list(tiny.generate_frames(video, voice_file, length="longest"))


def test_no_face_anywhere_is_one_sentence(tiny, voice_file, tmp_path):
    Image.new("RGB", (200, 200)).save(tmp_path / "black.png")
    with pytest.raises(g4g.FaceError, match="no face in any of the 1 frames"):
        tiny.dub(tmp_path / "black.png", voice_file, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_the_shipped_weights_dub_a_real_clip(data_dir, tmp_path):
    """The mouth's box must come nearer to the real frames than the most closed reference does."""
    from g4g.faces import crop_face, make_backend, mouth_shape, track_faces

    clip = data_dir / "grid/s1/bbaf2n.mp4"
    report = g4g.Dubber.from_pretrained("g4g-small").dub(clip, clip, tmp_path / "out.mp4")
    assert report.frames_dubbed == 75
    real, dubbed = ([item.frame for item in read_frames(path)] for path in (clip, tmp_path / "out.mp4"))
    track = track_faces(read_frames(clip), make_backend("mediapipe"))
    closed = int(mouth_shape(track.landmarks)[:, 0].argmin())
    cut = lambda frames, i, j: crop_face(frames[i], track.frame_to_crop[j], 128)[66:100, 40:88].astype(float)  # noqa: E731
    ours = np.mean([(cut(dubbed, i, i) - cut(real, i, i)) ** 2 for i in range(75)])
    copied = np.mean([(cut(real, closed, closed) - cut(real, i, i)) ** 2 for i in range(75)])
    assert ours < copied


def test_the_new_mouth_comes_and_goes_within_a_scene_and_changes_at_a_cut():
    dubbed = np.array([1] * 6 + [0] + [1] * 7, bool)
    cuts = np.zeros(14, bool)
    steps = [0.25, 0.5, 0.75]
    assert ease(dubbed, cuts).tolist() == [1, 1, 1, *steps[::-1], 0, *steps, 1, 1, 1, 1]
    cuts[7] = True
    assert ease(dubbed, cuts)[7:].tolist() == [1] * 7
    assert ease(np.array([0, 1, 0], bool), np.zeros(3, bool)).tolist() == [0, 0.25, 0]
    assert ease(np.ones(5, bool), np.zeros(5, bool)).tolist() == [1] * 5


def test_emphasis_beyond_reason_is_refused(tiny, grid_clip, tmp_path):
    with pytest.raises(g4g.ConfigError, match="between 0 .* and 2.5, got 3"):
        tiny.dub(grid_clip, grid_clip, tmp_path / "out.mp4", emphasis=3)
    with pytest.raises(g4g.ConfigError, match="from_pretrained"):
        g4g.Dubber("g4g-tiny")
    with pytest.raises(g4g.ConfigError, match="between 0 .* and 2.5, got -1"):
        tiny.generate_frames(grid_clip, grid_clip, emphasis=-1)


def test_a_short_small_video_is_decoded_once_and_makes_the_same_frames(tiny, grid_clip, monkeypatch):
    monkeypatch.setenv("G4G_CACHE", "")  # tracks that are known are not followed
    read, show = [], frames.ping_pong_pictures
    monkeypatch.setattr(frames, "ping_pong_pictures", lambda *how, **named: read.append(how) or show(*how, **named))
    once = [item.frame for item in tiny.generate_frames(grid_clip, grid_clip)]
    assert not read
    monkeypatch.setattr("g4g.avatar.prepare.KeptParts", lambda count: KeptParts())
    twice = [item.frame for item in tiny.generate_frames(grid_clip, grid_clip)]
    assert len(read) == 1 and len(once) == len(twice)
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(one, other)
