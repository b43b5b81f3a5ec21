"""Faults: one sentence, nothing left behind, and what can be saved is saved."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

import g4g
import g4g.media.write as write_module
from g4g.checkpoints import find_weights, weights_dir
from g4g.cli import main
from g4g.media import FrameFormat, VideoWriter, probe, read_frames
from g4g.media.ffmpeg import ffmpeg_command
from g4g.zoo import load, save_models


@pytest.fixture
def hole(cut):
    """The real clip with 1500 bytes zeroed in its middle."""
    path = cut("hole.mp4", "-bf", 0, "-g", 5, "-movflags", "+faststart", "-an")
    data = bytearray(path.read_bytes())
    start = len(data) * 2 // 3
    data[start : start + 1500] = bytes(1500)
    path.write_bytes(data)
    return path


@pytest.fixture
def cut_off(cut):
    """The real clip without its last third."""
    return cut_short(cut("cut.mp4", "-bf", 0, "-g", 1, "-movflags", "+faststart", "-an"))


@pytest.mark.parametrize("kind", ["hole", "cut_off"])
def test_a_damaged_video_is_an_error_with_its_time_or_dubbed_as_far_as_it_goes(tiny, voice, tmp_path, request, kind):
    video = request.getfixturevalue(kind)
    with pytest.raises(g4g.MediaError, match=r"is (damaged|cut off) after 0\.\d\d s.*tolerant"):
        tiny.dub(video, voice, tmp_path / "out.mp4", length="video")
    assert not (tmp_path / "out.mp4").exists()
    report = tiny.dub(video, voice, tmp_path / "out.mp4", length="video", tolerant=True)
    assert 5 <= report.frames <= 15 and len(list(read_frames(tmp_path / "out.mp4"))) == report.frames
    assert re.search(r"is (damaged|cut off) after", report.warnings[0])


@pytest.mark.parametrize("name", ["talk.mp3", "talk.m4a", "talk.flac"])
def test_a_damaged_sound_is_told_with_its_time_before_anybody_looks_at_the_video(
    tiny, cut, ffmpeg, voice_file, tmp_path, name
):
    ffmpeg("-i", voice_file, tmp_path / name)
    data = bytearray((tmp_path / name).read_bytes())
    start = len(data) // 3
    data[start : start + 2000] = np.random.default_rng(0).bytes(2000)
    (tmp_path / name).write_bytes(data)
    seen, video = [], cut("talk.mp4")
    with pytest.raises(g4g.MediaError, match=r"the sound of .*talk\.\w+ is damaged at [12]\.\d\d s: [^\n]*tolerant"):
        tiny.dub(video, tmp_path / name, tmp_path / "out.mp4", progress=lambda stage, *_: seen.append(stage))
    assert set(seen) == {"audio"}
    report = tiny.dub(video, tmp_path / name, tmp_path / "out.mp4", tolerant=True, length="video")
    assert [("the sound of" in warning) for warning in report.warnings].count(True) == 1


def test_a_picture_that_the_decoder_made_up_is_told_once(cut):
    video = cut("hole.mp4", "-bf", 0, "-g", 5, "-movflags", "+faststart", "-an")
    data, faults = bytearray(video.read_bytes()), []
    start = len(data) * 3 // 4
    data[start : start + 60] = np.random.default_rng(0).bytes(60)
    video.write_bytes(data)
    assert len(list(read_frames(video, on_fault=faults.append))) == 15
    assert len(faults) == 1 and re.search(r"is damaged after 0\.\d\d s \(\d+ frames\): a picture is made up", faults[0])


def test_one_damaged_place_is_one_sentence(cut):
    video = cut("hole.mp4", "-bf", 0, "-g", 50, "-movflags", "+faststart", "-an")
    data, faults = bytearray(video.read_bytes()), []
    start = len(data) // 2
    data[start : start + 1500] = bytes(1500)
    video.write_bytes(data)
    list(read_frames(video, on_fault=faults.append))
    assert faults and len({fault.split(":")[0] for fault in faults}) == len(faults)


def cut_short(path):
    """Leave away the last third of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


@pytest.mark.parametrize("name", ["cut.mkv", "cut.webm", "cut.avi", "cut.mov", "fragments.mp4"])
def test_other_containers_that_state_their_length_are_the_same(tiny, cut, voice, tmp_path, name):
    fragments = ("-movflags", "+frag_keyframe+empty_moov") if name == "fragments.mp4" else ()
    fragments = ("-movflags", "+faststart") if name == "cut.mov" else fragments
    video = cut_short(cut(name, "-g", 1, "-bf", 0, *fragments))
    with pytest.raises(g4g.MediaError, match=r"is (damaged|cut off) after 0\.\d\d s .*tolerant"):
        tiny.dub(video, voice, tmp_path / "out.mp4", length="video")
    report = tiny.dub(video, voice, tmp_path / "out.mp4", length="video", tolerant=True)
    assert 3 <= report.frames < 15 and report.frames_dubbed == report.frames
    assert re.search(r"is cut off after 0\.\d\d s \(\d+ frames\): its last \d+ bytes are missing", report.warnings[-1])


@pytest.mark.parametrize("ending", ["ts", "mpg"])
def test_containers_without_a_length_are_dubbed_as_far_as_they_go(tiny, cut, voice, tmp_path, ending):
    video = cut_short(cut(f"cut.{ending}", "-an", "-g", 1, "-bf", 0))
    report = tiny.dub(video, voice, tmp_path / "out.mp4", length="video")
    assert 3 <= report.frames < 15 and report.frames_dubbed == report.frames


WHOLE = {
    "pipe.mkv": ("-f", "matroska"),
    "pipe.webm": ("-f", "webm", "-c:v", "libvpx", "-c:a", "libopus", "-live", 1),
    "pipe.avi": ("-f", "avi"),
    "pipe.mp4": ("-f", "mp4", "-movflags", "+frag_keyframe+empty_moov"),
    "pipe.ts": ("-f", "mpegts"),
}
"""Recordings whose writer could never go back to their start."""


@pytest.mark.parametrize("name", WHOLE)
def test_live_recordings_are_whole(cut, ffmpeg, tmp_path, name):
    (tmp_path / name).write_bytes(ffmpeg("-i", cut("talk.mkv"), *WHOLE[name], "pipe:1"))
    assert len(list(read_frames(tmp_path / name))) == 15
    assert probe(tmp_path / name).frame_count == 15


def test_fewer_pictures_than_stated_are_no_fault(cut, ffmpeg, grid_clip, tmp_path):
    """An mp4 cut without encoding hides those before its first; an avi repeats some by saying nothing."""
    ffmpeg("-ss", 0.8, "-i", grid_clip, "-t", 1, "-c", "copy", tmp_path / "edit.mp4")
    cut("holes.avi", "-vf", "select='lt(mod(n,5),2)'", "-fps_mode", "vfr")
    for name, count in (("edit.mp4", 25), ("holes.avi", 6)):
        assert len(list(read_frames(tmp_path / name))) == pytest.approx(count, abs=2)
        assert probe(tmp_path / name).frame_count > count + 2  # as stated


def test_a_video_without_its_index_is_one_sentence(cut, voice, tiny, tmp_path):
    video = cut("cut.mp4", "-an")  # the index stands at the end
    video.write_bytes(video.read_bytes()[:-2000])
    with pytest.raises(g4g.MediaError, match=r"is an mp4 without its index \(moov\)"):
        tiny.dub(video, voice, tmp_path / "out.mp4", tolerant=True)


def test_a_codec_that_nothing_decodes_is_one_sentence(cut):
    video = cut("new.mkv")
    video.write_bytes(video.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/XYZ"))
    with pytest.raises(g4g.MediaError, match="new.mkv has video in a codec that is not known here; convert it"):
        probe(video)


def test_the_output_is_never_an_input(tiny, cut, voice, tmp_path):
    video = cut("talk.mp4")
    (tmp_path / "link.mp4").symlink_to(video)
    before = video.read_bytes()
    for out in (video, tmp_path / "link.mp4"):
        with pytest.raises(g4g.MediaError, match="is also an input; give another name"):
            tiny.dub(video, voice, out, overwrite=True)
    assert video.read_bytes() == before


def test_the_output_is_checked_before_the_faces_are_followed(tiny, cut, voice, tmp_path):
    seen = []
    settings = {"progress": lambda stage, done, total: seen.append(stage)}
    for out in ("out.xyz", "absent/out.mp4"):
        with pytest.raises(g4g.MediaError):
            tiny.dub(cut("talk.mp4"), voice, tmp_path / out, **settings)
    assert seen == []


@pytest.mark.parametrize(
    ("option", "name", "words"),
    [
        ("--sheet", "sheet.xyz", "must end in .png, .jpg or .webp, not '.xyz'"),
        ("--sheet", "sheet", "not ''"),
        ("--sheet", "sheet.psd", "not '.psd'"),  # read by Pillow, but not written
        ("--sheet", "sheet.xbm", "not '.xbm'"),  # written, but not in colour
        ("--sheet", "absent/sheet.png", "absent does not exist; create it first"),
        ("--sheet", "face.png", "face.png is also an input"),
        ("--json", "absent/report.json", "absent does not exist; create it first"),
        ("--json", "face.png", "face.png is also an input"),
    ],
)
def test_sheet_and_report_are_checked_before_the_work(voice, tmp_path, capsys, option, name, words):
    (tmp_path / "face.png").write_bytes(b"not read")
    command = ["dub", tmp_path / "face.png", "--audio", voice, "-o", tmp_path / "out.mp4", option, tmp_path / name]
    with pytest.raises(SystemExit, match="1"):
        main([*map(str, command), "--weights", "g4g-tiny"])
    said = capsys.readouterr().err.strip()
    assert said.startswith("g4g: the ") and words in said and len(said.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_sheet_that_the_disk_refuses_is_one_sentence(tiny, cut, voice, tmp_path):
    (tmp_path / "sheet.png").symlink_to("/dev/full")
    with pytest.raises(g4g.MediaError, match="video is written, but the contact sheet .*: No space left on device"):
        tiny.dub(cut("talk.mp4"), voice, tmp_path / "out.mp4", length="video", sheet=tmp_path / "sheet.png")
    assert len(list(read_frames(tmp_path / "out.mp4"))) == 15


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that even root cannot write to")
def test_a_read_only_folder_is_one_sentence(tiny, cut, voice):
    with pytest.raises(g4g.MediaError, match="the (output )?folder .*/proc"):
        tiny.dub(cut("talk.mp4"), voice, "/proc/out.mp4")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(write_module, "to_url", lambda path: "file:/dev/full")
    monkeypatch.setattr(write_module, "ffmpeg_command", lambda: [*ffmpeg_command(), "-y"])
    with pytest.raises(g4g.MediaError, match="(?s)cannot (encode|write).*out.mp4.*No space left on device"):
        with VideoWriter(tmp_path / "out.mp4", FrameFormat(64, 48, 25)) as writer:
            for _ in range(60):
                writer.write(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_an_ffmpeg_that_dies_is_an_error_with_its_words(tmp_path, monkeypatch):
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\nhead -c 20000 > /dev/null\necho 'the encoder caught fire' >&2\nexit 3\n")
    script.chmod(0o755)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(write_module, "ffmpeg_command", lambda: [str(script)])
    with pytest.raises(g4g.MediaError, match="ffmpeg ended with status 3: the encoder caught fire"):
        with VideoWriter(tmp_path / "out" / "out.mp4", FrameFormat(640, 480, 25)) as writer:
            for _ in range(30):
                writer.write(np.zeros((480, 640, 3), np.uint8))
    assert list((tmp_path / "out").iterdir()) == []


def test_ctrl_c_ends_with_130_and_leaves_nothing(cut, voice_file, tmp_path):
    """Sent to the whole group of processes, as a terminal does, while the encoder runs."""
    (tmp_path / "out").mkdir()
    command = ["dub", cut("talk.mp4"), "--audio", voice_file, "-o", tmp_path / "out/out.mp4", "--weights", "g4g-tiny"]
    run = [sys.executable, "-c", "from g4g.cli import main; main()", *map(str, command)]
    # Where the tests themselves run in the background, children inherit that SIGINT is ignored.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(
        run, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True, preexec_fn=heed
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/.g4g-*/lock")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in words and "interrupted" in words
    assert list((tmp_path / "out").iterdir()) == []


def test_frames_for_which_a_network_gives_no_numbers_pass_through(cut, voice, tmp_path, monkeypatch):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    paint, calls = dubber._painter.paint, []

    def paint_badly(canvas, finish):
        painted = paint(canvas, finish)
        calls.append(len(painted))
        painted.maps[0] = np.nan
        return painted

    monkeypatch.setattr(dubber._painter, "paint", paint_badly)
    report = dubber.dub(cut("talk.mp4"), voice, tmp_path / "out.mp4", length="video")
    assert report.passed_why == {"a network gave no numbers": len(calls)} and len(calls) >= 2
    assert report.frames_dubbed == 15 - len(calls)
    source, found = (next(read_frames(path)).frame for path in (cut("talk.mp4"), tmp_path / "out.mp4"))
    assert np.abs(source - found.astype(int)).mean() < 5


def test_networks_that_give_no_numbers_at_all_are_an_error_and_no_file(cut, voice, tmp_path, monkeypatch):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    paint = dubber._painter.paint

    def paint_badly(canvas, finish):
        painted = paint(canvas, finish)
        painted.maps[:] = np.nan
        return painted

    monkeypatch.setattr(dubber._painter, "paint", paint_badly)
    with pytest.raises(g4g.CheckpointError, match="g4g-tiny gave no numbers for any frame: they are damaged"):
        dubber.dub(cut("talk.mp4"), voice, tmp_path / "out.mp4", length="video")
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"]


def test_damaged_weights_are_told_when_they_are_loaded(tmp_path):
    models = load("g4g-tiny")
    models.generator.state_dict()[next(iter(models.generator.state_dict()))].fill_(float("inf"))
    save_models(tmp_path / "bad.safetensors", models)
    with pytest.raises(g4g.CheckpointError, match="generator of .*bad.safetensors hold values that are not numbers"):
        load(tmp_path / "bad.safetensors")


def test_a_shipped_file_is_verified_also_where_it_is_given_by_its_path(tmp_path, monkeypatch):
    for name in ("manifest.json", "g4g-judge.safetensors"):
        (tmp_path / name).write_bytes((weights_dir() / name).read_bytes())
    monkeypatch.setattr("g4g.checkpoints.manifest.weights_dir", lambda: tmp_path)
    file = tmp_path / "g4g-judge.safetensors"
    assert find_weights(file) == file
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(g4g.CheckpointError, match="were changed"):
        find_weights(file)


def test_nothing_to_dub_is_told_before_a_frame_is_made(tiny, cut, voice, tmp_path):
    hide = "drawbox=x=0:y=0:w=iw:h=ih:color=gray:t=fill:enable='between(n,6,15)'"
    with pytest.raises(g4g.FaceError, match=r"no frame could be dubbed \(.*no face.*\): choose another `face`"):
        tiny.dub(cut("talk.mp4", "-vf", hide), voice, tmp_path / "out.mp4", start_s=0.4)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_being_told_to_end_is_ctrl_c(sent):
    code = (
        "import time, g4g.cli.dub as dub; dub.run = lambda options: (print('ready', flush=True), time.sleep(300));"
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from g4g.cli import main; main(['dub', 'talk.mp4', '-o', 'out.mp4'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(sent)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 130 and words == "g4g: interrupted\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forked workers")
def test_workers_that_ignore_ctrl_c_can_still_be_ended():
    code = (
        "import os, signal, time; from g4g.cli import _take_end_for_interrupt as take; take();"
        "signal.signal(signal.SIGINT, signal.SIG_IGN); child = os.fork();"
        "time.sleep(300) if not child else (time.sleep(0.3), os.kill(child, signal.SIGTERM));"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == f"{-signal.SIGTERM}\n", done.stderr


def test_every_stage_tells_its_beginning_and_its_end(tiny, cut, voice, tmp_path):
    told = {}
    settings = {"progress": lambda stage, done, total: told.setdefault(stage, []).append((done, total))}
    tiny.dub(cut("talk.mp4"), voice, tmp_path / "out.mp4", length="video", **settings)
    assert list(told)[:3] == ["audio", "faces", "speech"] and list(told)[-2:] == ["dub", "write"]
    assert all(steps[-1][0] == steps[-1][1] for steps in told.values())
    assert {"shapes", "library", "finish", "motion", "dub"} <= told.keys()


def test_the_report_holds_plain_numbers(tiny, cut, voice, tmp_path):
    report = tiny.dub(cut("talk.mp4"), voice, tmp_path / "out.mp4", length="video")

    def check(value):
        if isinstance(value, dict):
            value = [*value.keys(), *value.values()]
        if isinstance(value, list | tuple):
            for item in value:
                check(item)
        else:
            assert type(value) in (int, float, str, bool, type(None)) or isinstance(value, os.PathLike), repr(value)

    check(asdict(report))


def test_the_report_says_whose_teeth_were_never_seen(tiny, cut, grid_clip, voice, tmp_path):
    closed = tiny.dub(cut("closed.mp4", "-frames:v", 6), voice, tmp_path / "out.mp4", dry_run=True)
    assert closed.average_teeth == (0,) and "face 0 never shows its teeth: average ones are drawn" in str(closed)
    assert tiny.dub(grid_clip, voice, tmp_path / "out.mp4", dry_run=True).average_teeth == ()


def test_frames_without_a_face_pass_through_and_are_counted(tiny, cut, voice, tmp_path):
    hide = "drawbox=x=0:y=0:w=iw:h=ih:color=gray:t=fill:enable='between(n,4,8)'"
    report = tiny.dub(cut("talk.mp4", "-vf", hide), voice, tmp_path / "out.mp4", length="video")
    assert report.passed_why == {"no face": 5} and "5 passed through (no face)" in str(report)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_a_batch_that_does_not_fit_the_memory_is_halved(cut, voice, tmp_path, monkeypatch, error):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    paint, sizes = dubber._painter.paint, []

    def paint_few(canvas, finish):
        sizes.append(len(canvas.crops))
        if len(canvas.crops) > limit:
            raise error
        return paint(canvas, finish)

    monkeypatch.setattr(dubber._painter, "paint", paint_few)
    limit = 2
    report = dubber.dub(cut("talk.mp4"), voice, tmp_path / "out.mp4", length="video")
    assert sizes == [2, 8, 4] + [2] * 6 + [1] and report.frames_dubbed == 15
    assert report.warnings == ("the memory was short: 2 instead of 8 frames were made at a time",)
    limit = 0
    with pytest.raises(g4g.ResourceError, match="does not hold one frame"):
        dubber.dub(cut("talk.mp4"), voice, tmp_path / "out2.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "talk.mp4"]


def test_probe_of_a_damaged_start_finds_the_first_picture_that_can_be_read(cut):
    path = cut("talk.ts", "-an", "-g", 5)
    data = bytearray(path.read_bytes())
    data[1000:4000] = bytes(3000)
    path.write_bytes(data)
    assert probe(path).width == 240
