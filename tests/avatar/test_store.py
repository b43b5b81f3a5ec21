"""Avatars as files: whole, the same to the bit, and refused where they do not fit."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

import g4g
from g4g.avatar.store import hash_weights, is_avatar, load_avatar
from g4g.cli import main
from g4g.media import read_frames


@pytest.fixture(scope="module")
def sound(ffmpeg, voice_file, tmp_path_factory):
    """A second of the voice: longer than the clip, which then plays to and fro."""
    path = tmp_path_factory.mktemp("sounds") / "voice.wav"
    ffmpeg("-t", 1, "-i", voice_file, path)
    return path


@pytest.fixture(scope="module")
def clip(ffmpeg, grid_clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "ann.mp4"
    ffmpeg("-i", grid_clip, "-t", 0.8, path)
    return path


@pytest.fixture(scope="module")
def stored(tiny, clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("avatars") / "ann.avatar"
    tiny.make_avatar(clip, path)
    return path


def rewrite(source, out, change):
    """Copy an avatar, its header changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "avatar.json":
                content = json.dumps({**json.loads(content), **change})
            new.writestr(entry.filename, content)
    return out


def test_a_dub_of_the_file_is_the_dub_of_the_video_to_the_bit(tiny, clip, stored, sound):
    frames = [[item.frame for item in tiny.generate_frames(source, sound)] for source in (clip, stored)]
    assert len(frames[0]) == 25 and all(np.array_equal(a, b) for a, b in zip(*frames, strict=True))
    assert not is_avatar(clip) and is_avatar(stored)


def test_the_command_line_makes_and_dubs_it(clip, sound, tmp_path, capsys):
    avatar, outs = tmp_path / "ann.avatar", [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    main(["avatar", str(clip), "-o", str(avatar), "--weights", "g4g-tiny"])
    assert "face 0, seen in 20 frames" in capsys.readouterr().out
    for source, out in zip((clip, avatar), outs, strict=True):
        main(["dub", str(source), "--audio", str(sound), "-o", str(out), "--weights", "g4g-tiny"])
    a, b = ([item.frame for item in read_frames(out)] for out in outs)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    with pytest.raises(SystemExit, match="1"):
        main(["avatar", str(clip), "-o", str(avatar), "--weights", "g4g-tiny"])
    assert "exists" in capsys.readouterr().err.replace("\n", " ")
    main(["faces", str(avatar), "--weights", "g4g-tiny"])
    assert capsys.readouterr().out.startswith("face 0:")


def test_a_folder_of_pictures_and_a_still_can_be_kept(tiny, ffmpeg, clip, portrait_file, voice_file, tmp_path):
    (tmp_path / "pictures").mkdir()
    ffmpeg("-i", clip, "-frames:v", 4, tmp_path / "pictures" / "%d.png")
    for number, source in enumerate((tmp_path / "pictures", portrait_file)):
        tiny.make_avatar(source, tmp_path / f"{number}.avatar")
        frames = [next(tiny.generate_frames(x, voice_file)).frame for x in (source, tmp_path / f"{number}.avatar")]
        assert np.array_equal(*frames)


@pytest.mark.parametrize("kept", [100, 5000, 0.5, 0.999])
def test_a_truncated_file_is_one_sentence(tiny, stored, voice_file, tmp_path, kept):
    data = stored.read_bytes()
    (tmp_path / "cut.avatar").write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    with pytest.raises(g4g.MediaError, match="cut.avatar is damaged .*; make it again with `g4g avatar`"):
        tiny.dub(tmp_path / "cut.avatar", voice_file, tmp_path / "out.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["cut.avatar"]


def test_changed_bytes_of_arrays_or_video_are_one_sentence(tiny, stored, voice_file, tmp_path):
    for place in (0.1, 0.99):
        data = bytearray(stored.read_bytes())
        with zipfile.ZipFile(stored) as entries:
            video = next(entry for entry in entries.infolist() if entry.filename.startswith("video/"))
        start = 20_000 if place < 0.5 else video.header_offset + 1000
        data[start : start + 50] = bytes(x ^ 255 for x in data[start : start + 50])
        (tmp_path / "bad.avatar").write_bytes(data)
        with pytest.raises(g4g.MediaError, match="bad.avatar is damaged"):
            load_avatar(tmp_path / "bad.avatar", tiny._models)


def test_another_version_or_other_weights_are_one_sentence(tiny, stored, voice_file, tmp_path):
    later = rewrite(stored, tmp_path / "later.avatar", {"version": 99})
    with pytest.raises(g4g.MediaError, match="avatar of version 99, this g4g reads version 3; make it again"):
        tiny.dub(later, voice_file, tmp_path / "out.mp4")
    models = g4g.load("g4g-tiny")
    torch.nn.init.normal_(models.motion.shape.weight)
    with pytest.raises(g4g.MediaError, match="made with other weights than mine; give those with --weights"):
        load_avatar(stored, replace(models, name="mine"))
    other_painter, other_aligner = g4g.load("g4g-tiny"), g4g.load("g4g-tiny")
    torch.nn.init.normal_(next(other_painter.generator.parameters()))
    with pytest.raises(g4g.MediaError, match="made with other weights"):
        load_avatar(stored, other_painter)  # its finish was tried with another generator
    torch.nn.init.normal_(next(other_aligner.aligner.parameters()))
    assert load_avatar(stored, other_aligner).persons, "an avatar does not depend on the aligner"


def test_the_disk_refuses_in_one_sentence_and_nothing_is_left(tiny, clip, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", refuse)
    with pytest.raises(g4g.MediaError, match="cannot write .*ann.avatar: No space left on device"):
        tiny.make_avatar(clip, tmp_path / "ann.avatar")
    assert list(tmp_path.iterdir()) == []


def test_the_videos_copy_goes_with_the_avatar(tiny, stored):
    avatar = load_avatar(stored, tiny._models)
    place = avatar.info.path
    assert place.is_file()
    del avatar
    assert not place.exists()


def test_weights_are_hashed_once_for_each_set_of_networks(monkeypatch):
    models = g4g.load("g4g-tiny")
    known, copied = hash_weights(models), replace(models, name="copy")
    with monkeypatch.context() as patch:
        patch.setattr(type(models), "parts", lambda self: pytest.fail("the networks are looked at again"))
        assert hash_weights(models) == known
    assert hash_weights(models, ("motion",)) != known and hash_weights(copied) == known
