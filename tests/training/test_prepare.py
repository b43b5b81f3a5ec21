"""Videos cut into shots: whom, how much of each, by how many processes; what is interrupted goes on."""

import multiprocessing
import shutil
import time

import pytest

from g4g.faces import describe_likeness
from g4g.training import cutting
from g4g.training.cutting import Job, cut_shots
from g4g.training.data import load_shots
from g4g.training.prepare import _share_out, prepare


def test_an_interrupted_cutting_goes_on_where_it_was(clips, tmp_path, monkeypatch):
    (tmp_path / "shots").mkdir()
    job = Job(clips / "first.mkv", "first", tmp_path, None, "mediapipe", None, 128)
    followed, follow = [], cutting.follow_faces

    def stop_in_the_second(frames, backend):
        if followed == [30]:
            followed.append("stopped")
            raise KeyboardInterrupt
        tracks = follow(frames, backend)
        followed.append(len(tracks))
        return tracks

    monkeypatch.setattr(cutting, "STRETCH_FRAMES", 30)
    monkeypatch.setattr(cutting, "follow_faces", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        cut_shots(job)
    cut = cut_shots(job)
    assert followed == [30, "stopped", 30, 15, 0] and [shot["name"] for shot in cut.shots] == ["first", "first_30"]
    assert sum(cut.left_out.values()) == pytest.approx(0.6), "a shot lasts a second"


def test_ctrl_c_while_clips_are_prepared_ends_the_workers_at_once(clips, ffmpeg, tmp_path):
    ffmpeg("-stream_loop", 299, "-i", clips / "first.mkv", "-c", "copy", tmp_path / "long.mkv")  # minutes to cut
    interrupted_s = []

    def interrupt(*_):
        interrupted_s.append(time.monotonic())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([clips / "broken.mp4", tmp_path / "long.mkv"], tmp_path, progress=interrupt)
    assert not multiprocessing.active_children() and time.monotonic() - interrupted_s[0] < 20
    assert not list(tmp_path.glob("shots/*.safetensors"))


def test_a_video_is_shared_out_cut_at_25_fps_and_what_it_lacks_is_listed(clips, tmp_path):
    video = tmp_path / "a.mkv"
    shutil.copy(clips / "fast.mkv", video)
    index = prepare([video, clips / "part.mkv"], tmp_path / "data")
    assert [shot["frames"] for shot in index["shots"]] == [75, pytest.approx(35, abs=3)]
    [gap] = index["left_out"]
    assert gap["source"].endswith("part.mkv") and gap["seconds"] == pytest.approx(1.6, abs=0.1)
    shutil.copy(clips / "short.mkv", video)
    index = prepare([video], tmp_path / "data")
    assert sorted(shot["frames"] for shot in index["shots"]) == [pytest.approx(35, abs=3), 50], "it was changed"
    assert _share_out(index, None, 3) is None
    assert _share_out({"shots": []}, 20_000, 40) == 1500 and _share_out({"shots": []}, 20_000, 2) == 10_000
    assert _share_out({"shots": [{"frames": 19_990}]}, 20_000, 1) == 10


def test_of_two_people_the_named_one_is_cut(clips, tmp_path, in_process):
    with in_process():
        for side in ("left", "right"):
            prepare([clips / "two.mkv"], tmp_path / side, face=side)
        prepare([clips / "first.mkv"], tmp_path / "alone")
    left, right, alone = (load_shots(tmp_path / name)[0].crops[10] for name in ("left", "right", "alone"))
    likeness = [float(describe_likeness(crop) @ describe_likeness(alone)) for crop in (left, right)]
    assert likeness[0] > 0.95 > 0.8 > likeness[1]
