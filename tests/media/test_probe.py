"""probe: planted sizes, rates, lengths and turns come back, and wrong input gets a sentence."""

from pathlib import Path

import numpy as np
import pytest

from g4g.errors import MediaError
from g4g.media import probe

FRAMES = np.zeros((30, 48, 64, 3), np.uint8)


def test_probe_video_with_sound(make_clip, click_wav):
    path = make_clip(FRAMES, fps="30000/1001", extra=("-i", click_wav, "-map", "0", "-map", "1", "-c:a", "aac"))
    info = probe(path)
    assert (info.width, info.height, info.frame_count, info.rotation) == (64, 48, 30, 0)
    assert info.fps == 30000 / 1001
    assert info.duration_s == pytest.approx(30 * 1001 / 30000, abs=1e-3)
    assert info.path == path
    assert info.has_audio and not info.is_still


def test_probe_without_sound(make_clip):
    assert not probe(make_clip(FRAMES)).has_audio


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_probe_still_picture(ffmpeg, tmp_path, ending):
    path = tmp_path / f"still.{ending}"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", 1, path)
    info = probe(path)
    assert (info.width, info.height, info.fps, info.frame_count, info.is_still) == (64, 48, 25.0, 1, True)
    assert info.duration_s == pytest.approx(0.04)


@pytest.mark.parametrize(("counterclockwise", "clockwise"), [(0, 0), (90, 270), (180, 180), (-90, 90)])
def test_probe_rotation(make_clip, ffmpeg, tmp_path, counterclockwise, clockwise):
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", counterclockwise, "-i", make_clip(FRAMES), "-c", "copy", turned)
    info = probe(turned)
    assert info.rotation == clockwise
    assert (info.width, info.height) == ((48, 64) if clockwise in (90, 270) else (64, 48))


@pytest.mark.parametrize(("ending", "fps"), [("webm", 30), ("mkv", 30), ("ts", 30), ("h264", 25)])
def test_probe_counts_where_the_file_states_nothing(ffmpeg, tmp_path, ending, fps):
    codec = "libvpx" if ending == "webm" else "libx264"
    muxer = {"mkv": "matroska", "ts": "mpegts"}.get(ending, ending)
    source = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=30:d=1", "-c:v", codec)
    path = tmp_path / f"live.{ending}"
    path.write_bytes(ffmpeg(*source, "-f", muxer, "-"))  # a pipe cannot be wound back to write the length
    info = probe(path)
    assert info.frame_count == 30
    assert info.fps == pytest.approx(fps, rel=0.01)  # raw h264 states no rate: ffmpeg takes it for 25
    assert info.duration_s == pytest.approx(30 / fps, rel=0.02)


@pytest.mark.parametrize("name", ["-n.mp4", "http:x.mp4", "take %03d 'a'.mp4", "übung.mp4"])
def test_probe_any_file_name(make_clip, tmp_path, monkeypatch, name):
    make_clip(FRAMES[:2]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(name).frame_count == 2


def test_probe_picture_named_like_a_series(ffmpeg, tmp_path):
    for name, size in (("plain.png", "64x48"), ("still000.png", "32x32"), ("still001.png", "32x32")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}", "-frames:v", 1, tmp_path / name)
    info = probe((tmp_path / "plain.png").rename(tmp_path / "still%03d.png"))
    assert (info.width, info.is_still) == (64, True)


def test_probe_wrong_inputs(tmp_path):
    text = "One day a text file wanted to be a film.\n" * 40
    for name in ("film.mp4", "film.txt", "film.nfo", "film.ans"):
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError, match="cannot be read as video|text file"):
            probe(tmp_path / name)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MediaError, match="empty"):
        probe(tmp_path / "empty.mp4")
    with pytest.raises(MediaError, match="no such file: .*absent.mp4"):
        probe(tmp_path / "absent.mp4")
    with pytest.raises(MediaError, match="is a folder"):
        probe(tmp_path)


def test_probe_sound_file(click_wav):
    with pytest.raises(MediaError, match="has no video; it holds only audio"):
        probe(click_wav)


def test_probe_sound_file_with_cover_picture(click_wav, ffmpeg, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", 1, tmp_path / "cover.png")
    inputs = ("-i", click_wav, "-i", tmp_path / "cover.png", "-map", 0, "-map", 1)
    ffmpeg(*inputs, "-c:v", "png", "-disposition:v", "attached_pic", tmp_path / "song.mp3")
    with pytest.raises(MediaError, match="has no video; it holds only audio"):
        probe(tmp_path / "song.mp3")


def test_probe_opens_no_web_address(tmp_path):
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    with pytest.raises(MediaError):
        probe(tmp_path / "list.m3u8")


def test_probe_grid(grid_clip: Path):
    info = probe(grid_clip)
    assert (info.fps, info.frame_count, info.has_audio) == (25.0, 75, True)
