"""A second run on the same video: kept face tracks, and what a killed run left behind."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import g4g
import g4g.avatar.prepare as prepare_module
from g4g.avatar.cache import FileCache
from g4g.media import FrameFormat, VideoWriter


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of this test's own."""
    monkeypatch.setenv("G4G_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tracks"


@pytest.fixture
def followed(monkeypatch):
    """Counts how often faces are followed."""
    calls, follow = [], prepare_module.follow_faces
    noting = lambda *rest, **named: calls.append(1) or follow(*rest, **named)  # noqa: E731
    monkeypatch.setattr(prepare_module, "follow_faces", noting)
    return calls


def test_tracks_are_kept_privately_and_used_while_the_video_is_the_same(tiny, cut, voice, tmp_path, folder, followed):
    video, out = cut("talk.mp4"), tmp_path / "out.mp4"
    first = tiny.dub(video, voice, out, length="video", dry_run=True)
    again = tiny.dub(video, voice, out, length="video", dry_run=True)
    assert len(followed) == 1 and again.faces == first.faces and again.frames_dubbed == 15
    assert again.seconds["faces"] < first.seconds["faces"] / 5
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0 and folder.stat().st_mode & 0o077 == 0
    file.write_bytes(file.read_bytes()[:-100])  # damaged: as if it were not there
    tiny.dub(video, voice, out, dry_run=True)
    assert len(followed) == 2
    video.write_bytes(video.read_bytes() + b"\0")
    tiny.dub(video, voice, out, dry_run=True)
    assert len(followed) == 3 and len(list(folder.iterdir())) == 2


def test_the_cache_stays_small_can_be_refused_and_never_stops_a_dub(
    tiny, cut, voice, tmp_path, folder, followed, monkeypatch
):
    videos, out = [cut(f"{i}.mp4") for i in range(3)], tmp_path / "out.mp4"
    tiny.dub(videos[0], voice, out, dry_run=True)
    (file,) = folder.iterdir()
    monkeypatch.setattr("g4g.avatar.cache.MOST_BYTES", 2 * file.stat().st_size)
    os.utime(file, (1, 1))
    for video in videos[1:]:
        tiny.dub(video, voice, out, dry_run=True)
    assert len(list(folder.iterdir())) == 2 and not file.exists()
    monkeypatch.setenv("G4G_CACHE", "")
    tiny.dub(videos[2], voice, out, dry_run=True)
    assert len(followed) == 4
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("G4G_CACHE", str(tmp_path / "file"))
    report = tiny.dub(videos[2], voice, out, dry_run=True)
    assert "could not be kept for a later run" in report.warnings[0] and report.frames_dubbed > 0


def test_faults_are_told_again_where_tracks_are_kept(tiny, cut, voice, tmp_path, folder, followed):
    video = cut("cut.mp4", "-bf", 0, "-g", 1, "-movflags", "+faststart", "-an")
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    reports = [tiny.dub(video, voice, tmp_path / "out.mp4", tolerant=True, dry_run=True) for _ in range(2)]
    assert reports[0].warnings == reports[1].warnings != () and len(followed) == 1
    with pytest.raises(g4g.MediaError, match="damaged|cut off"):
        tiny.dub(video, voice, tmp_path / "out.mp4")


def test_after_a_kill_the_next_run_is_quicker_and_clears_up(tiny, cut, voice_file, tmp_path, folder, followed):
    video, out = cut("talk.mp4"), tmp_path / "out.mp4"
    command = ["dub", video, "--audio", voice_file, "-o", out, "--weights", "g4g-tiny"]
    process = subprocess.Popen([sys.executable, "-c", "from g4g.cli import main; main()", *map(str, command)])
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".g4g-*/lock")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    (left,) = tmp_path.glob(".g4g-*")
    with VideoWriter(tmp_path / "other.mp4", FrameFormat(64, 48, 25)) as writer:
        assert left.is_dir()  # its process still runs
        writer.write(np.zeros((48, 64, 3), np.uint8))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left.is_dir() and not out.exists()
    tiny.dub(video, voice_file, out, length="video")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["cache", "other.mp4", "out.mp4", "talk.mp4"] and not followed


def test_only_work_folders_of_ones_own_are_cleared(tmp_path):
    (tmp_path / ".g4g-notes").mkdir()
    (tmp_path / ".g4g-notes" / "text").write_text("mine")
    (tmp_path / "kept").write_text("mine")
    (tmp_path / ".g4g-link").mkdir()
    (tmp_path / ".g4g-link" / "lock").symlink_to(tmp_path / "kept")
    os.utime(tmp_path / "kept", (1, 1))
    with VideoWriter(tmp_path / "out.mp4", FrameFormat(64, 48, 25)) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    assert (tmp_path / ".g4g-notes" / "text").read_text() == (tmp_path / "kept").read_text() == "mine"


def test_the_users_cache_folder_is_the_usual_one(monkeypatch, tmp_path):
    monkeypatch.delenv("G4G_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert FileCache.of_user("tracks", ".tracks").file("clip").parent == tmp_path / "g4g" / "tracks"
