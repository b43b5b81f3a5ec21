"""Fine-tuning: what is learnt from, what is kept, what the file says; the tiny networks except where sync is judged."""

import json
import multiprocessing
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from g4g.checkpoints import load_checkpoint
from g4g.cli import main
from g4g.dubbing.casting import Casting
from g4g.dubbing.clock import Clock
from g4g.errors import CheckpointError, ConfigError, DataError, G4GError
from g4g.faces import describe_likeness
from g4g.generator import Gallery, make_gallery
from g4g.media.decode import raise_fault
from g4g.training import cutting
from g4g.training.cutting import Job, cut_shots
from g4g.training.data import Shot, load_shots, read_entries
from g4g.training.finetune import _load_replay, finetune
from g4g.training.best_checkpoint import Keeper
from g4g.training.prepare import _share_out, prepare
from g4g.training.speaker import SpeakerFigures
from g4g.training.select_clips import hold_out_tail, vet_shots
from g4g.zoo import load, save_models

_BASE = SpeakerFigures(25.0, 0.4, 0.3, 1.0)


@pytest.fixture(scope="module")
def clips(data_dir, ffmpeg, tmp_path_factory):
    """Clips of s26: as they are, late sound, other sound, no sound to hear, small; one of s20; one that is none."""
    folder = tmp_path_factory.mktemp("clips")
    first, second = sorted((data_dir / "grid/s26").glob("*.mpg"))[:2]
    other = next((data_dir / "grid/others").glob("s20_*"))
    h264 = ("-c:v", "libx264", "-crf", 16, "-c:a", "pcm_s16le")
    for name, source in (("first", first), ("second", second), ("other", other)):
        ffmpeg("-i", source, *h264, folder / f"{name}.mkv")
    ffmpeg("-i", first, "-af", "adelay=240:all=1", *h264, folder / "late.mkv")
    ffmpeg("-i", first, "-af", "adelay=240:all=1", "-vf", "fps=50", *h264, folder / "fast.mkv")
    ffmpeg("-i", first, "-af", "adelay=1600:all=1", *h264, folder / "far.mkv")
    ffmpeg("-i", first, "-an", *h264[:4], folder / "mute.mkv")
    hidden = "drawbox=w=iw:h=ih:t=fill:enable='lt(t,1.58)'"
    ffmpeg("-i", first, "-vf", hidden, *h264, folder / "part.mkv")
    ffmpeg("-i", first, "-i", other, "-map", "0:v", "-map", "1:a", "-af", "areverse", *h264, folder / "swapped.mkv")
    ffmpeg("-i", first, "-af", "volume=0", *h264, folder / "silent.mkv")
    ffmpeg("-i", second, "-vf", "scale=iw*0.4:-2", *h264, folder / "small.mkv")
    ffmpeg("-i", first, "-t", 2, *h264, folder / "short.mkv")
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=d=3:r=25", "-i", first, "-map", "0:v", "-map", "1:a", *h264, folder / "empty.mkv"
    )
    ffmpeg(
        "-i",
        folder / "first.mkv",
        "-i",
        folder / "other.mkv",
        "-filter_complex",
        "hstack=shortest=1",
        *h264,
        folder / "two.mkv",
    )
    (folder / "broken.mp4").write_bytes(b"not a video")
    return folder


@pytest.fixture(scope="module")
def tuned(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "ann.safetensors"
    lines = []
    files = [clips / "first.mkv", clips / "broken.mp4", clips / "other.mkv"]
    report = finetune(files, out, weights="g4g-tiny", steps=2, workers=1, report=out.parent / "r", log=lines.append)
    return out, report, lines


def test_shots_that_do_not_fit_are_set_aside_with_their_reason(clips, tmp_path):
    names = ("first", "second", "other", "late", "fast", "far", "swapped", "silent", "small")
    prepare([clips / f"{name}.mkv" for name in names], tmp_path, workers=2)
    shots, verdicts = vet_shots(tmp_path, read_entries(tmp_path), load("g4g-small").aligner)
    notes = {verdict.shot.split("_")[-1]: verdict.note for verdict in verdicts}
    assert [shot.name.split("_")[-1] for shot in shots] == ["first", "second", "late", "fast"]
    assert "another person" in notes["other"] and "do not fit" in notes["swapped"] and "do not fit" in notes["far"]
    assert notes["silent"] == "no speech" and "too small" in notes["small"]
    for late, name in ((shots[2], "late"), (shots[3], "fast")):
        moved = (shots[0].times_s - late.times_s) * 25
        assert abs(moved + 6).max() < 0.7 and abs(float(notes[name].split()[3]) + 6) < 1.0, "240 ms are 6 frames"
    everyone, _ = vet_shots(tmp_path, read_entries(tmp_path), None, one_person=True)
    assert "other" in [shot.name.split("_")[-1] for shot in everyone]


def test_the_tail_is_held_out_and_no_frame_is_in_both():
    mel, times = np.zeros((80, 400), np.float32), np.arange(100) / 25
    shots = [
        Shot(f"{n}", f"{n}", "a", np.full((100, 2, 2, 3), n), np.zeros((100, 68, 2)), times, mel) for n in range(3)
    ]
    train, held = hold_out_tail(shots, 0.2, 25, 300)
    assert [len(shot) for shot in train] == [100, 100, 30] and [len(shot) for shot in held] == [60]
    assert held[0].times_s[0] - train[-1].times_s[-1] > 0.4 and held[0].name != train[-1].name
    train, held = hold_out_tail(shots, 0.5, 25, 300)
    assert sum(map(len, held)) >= 150 and not {shot.name for shot in train} & {shot.name for shot in held}
    [alone], [tail] = hold_out_tail(shots[:1], 0.15, 25, 300)
    assert len(alone) == 65 and len(tail) == 25


def test_a_tuned_file_stands_alone_and_tells_its_making(tuned, clips):
    out, report, lines = tuned
    models, note = load(out), load_checkpoint(out).info["speaker"]
    assert note["base"] == {"name": "g4g-tiny", "sha256": "seeded"} and note["improved"] == report.improved
    [learnt] = note["clips"]
    assert (
        learnt["file"] == "first.mkv" and len(learnt["sha256"]) == 64 and learnt["seconds"] == pytest.approx(3, abs=0.1)
    )
    assert set(note["before"]) == set(note["after"]) == {"mouth_psnr_db", "sync", "foreign_sync", "seam_levels"}
    assert (models.gallery is not None) == report.improved
    text = str(report)
    assert "broken.mp4" in text and "another person" in text and "held-out" in text
    assert report.curve and len(lines) == 1 + len(report.curve) and report.finished
    assert "did not help" in str(replace(report, improved=False))
    assert note["settings"]["learning_rate"] > 0 and note["settings"]["preset"] == "all"
    saved = json.loads((out.parent / "r/report.json").read_text())
    assert (
        saved["verdicts"][0]["used"]
        and (out.parent / "r/curve.png").is_file()
        and (out.parent / "r/sheet.png").is_file()
    )


def test_a_run_goes_on_from_where_it_stood_and_from_nothing_else(tuned, clips):
    out, begun, _ = tuned
    again = {"steps": 4, "workers": 1, "resume": True, "log": lambda line: None}
    with pytest.raises(ConfigError, match="begun with another seed"):
        finetune([clips / "first.mkv"], out, weights="g4g-tiny", seed=2, **again)
    with pytest.raises(ConfigError, match=r"another base: g4g-tiny \(seeded\), not g4g-small \([0-9a-f]{12}\)"):
        finetune([clips / "first.mkv"], out, **again)
    with pytest.raises(DataError, match="nothing to resume"):
        finetune([clips / "first.mkv"], out.with_name("new.safetensors"), weights="g4g-tiny", **again)
    with pytest.raises(ConfigError, match="begun with other clips, usable of them: first.mkv"):
        finetune([clips / "first.mkv", clips / "second.mkv"], out, weights="g4g-tiny", **again)
    settings = out.with_name(f"{out.name}.work") / "run.json"
    older = json.loads(settings.read_text())
    del older["finer"]  # as before 2026-11-25
    settings.write_text(json.dumps(older))
    report = finetune([clips / "first.mkv"], out, weights="g4g-tiny", **again)
    assert report.curve[: len(begun.curve)] == begun.curve and len(report.curve) > len(begun.curve)
    assert {verdict.clip for verdict in report.verdicts} == {str(clips / "first.mkv")}


def test_only_a_better_checkpoint_replaces_the_file(tmp_path):
    tiny, out = load("g4g-tiny"), tmp_path / "a.safetensors"
    keeper = Keeper(out, tmp_path / "curve.json", tiny, {"clips": []}, _BASE, lambda line: None)
    networks = torch.nn.ModuleDict({"generator": tiny.generator, "fusion": tiny.fusion})
    look = lambda figures: keeper.look(networks, {**vars(figures), "minutes": 1.0, "steps": 1})  # noqa: E731
    look(replace(_BASE, mouth_psnr_db=24.0))
    look(replace(_BASE, mouth_psnr_db=25.01))
    look(replace(_BASE, mouth_psnr_db=30.0, sync=0.38))
    look(replace(_BASE, mouth_psnr_db=30.0, foreign_sync=0.2))
    look(replace(_BASE, mouth_psnr_db=30.0, seam_levels=1.2))
    assert not out.exists() and not keeper.improved
    look(replace(_BASE, mouth_psnr_db=26.0))
    look(replace(_BASE, mouth_psnr_db=25.5))
    assert load(out).info["speaker"]["after"]["mouth_psnr_db"] == 26.0 and keeper.improved and len(keeper.curve) == 7
    again = Keeper(out, tmp_path / "curve.json", tiny, {"clips": []}, _BASE, lambda line: None)
    again.remember()
    assert again.best == keeper.best and again.improved


def test_a_disk_that_refuses_leaves_the_last_file(tmp_path, monkeypatch):
    tiny, out = load("g4g-tiny"), tmp_path / "a.safetensors"
    keeper = Keeper(out, tmp_path / "curve.json", tiny, {"clips": []}, _BASE, lambda line: None)
    keeper.save(tiny)
    before = out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("g4g.checkpoints.atomic.os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        keeper.save(tiny)
    assert out.read_bytes() == before and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["empty.mkv"], "no face"),
        (["silent.mkv"], "0.0 s of usable video.*no speech"),
        (["mute.mkv"], "mute.mkv has no audio stream"),
        (["short.mkv"], "2.0 s of usable video, at least 3 s"),
        (["small.mkv"], "too small"),
        (["broken.mp4"], "broken.mp4"),
        (["two.mkv"], "two.mkv: two people at once.*--face"),
    ],
)
def test_clips_that_cannot_be_learnt_from_are_one_error_with_reasons(clips, tmp_path, files, words):
    with pytest.raises(G4GError, match=f"(?s){words}"):
        finetune([clips / f for f in files], tmp_path / "a.safetensors", weights="g4g-tiny", workers=1)
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"minutes": 0}, "more than 0 minutes"),
        ({"steps": 0}, "at least one step"),
        ({"workers": 0}, "at least one worker"),
        ({"preset": "half"}, "unknown preset"),
        ({"report": "taken"}, "cannot make the folder .*taken"),
        ({"out": "gone/a.safetensors"}, "gone does not exist"),
        ({"out": "."}, "it is a folder"),
        ({"weights": "ann.safetensors"}, "one speaker's already; start from its base"),
        ({"weights": "g4g-judge"}, "kind 'judge'"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(tmp_path, monkeypatch, settings, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    gallery = Gallery(np.zeros((1, 128, 128, 3), np.uint8), np.zeros((1, 68, 2), np.float32))
    save_models("ann.safetensors", replace(load("g4g-tiny"), gallery=gallery))
    with pytest.raises(G4GError, match=words):
        finetune(["clip.mp4"], **{"out": "a.safetensors", "weights": "g4g-tiny", **settings})


def test_ctrl_c_keeps_the_best_so_far_and_a_crash_goes_on(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("g4g.training.finetune._LOOK_EVERY_S", 0.0)
    settings = {"weights": "g4g-tiny", "workers": 1, "log": lambda line: None}
    before, steps = signal.getsignal(signal.SIGINT), []

    def at_the_second_step(act):
        def progress(stage, done, total):
            steps.append(stage)
            if steps.count("train") == 3:  # the first report comes before the first step
                act()

        return progress

    def crash():
        raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        finetune([clips / "first.mkv"], tmp_path / "a", steps=9, progress=at_the_second_step(crash), **settings)
    steps.clear()
    interrupt = at_the_second_step(lambda: signal.raise_signal(signal.SIGINT))
    report = finetune([clips / "first.mkv"], tmp_path / "a", steps=9, resume=True, progress=interrupt, **settings)
    assert signal.getsignal(signal.SIGINT) is before and not report.finished and "--resume goes on" in str(report)
    assert len(report.curve) == 3, "one look before the crash, two after it"
    assert load(tmp_path / "a").info["speaker"]["improved"] == report.improved


def test_an_interrupted_cutting_goes_on_where_it_was(clips, tmp_path, monkeypatch):
    (tmp_path / "shots").mkdir()
    job, followed, follow = (
        Job(clips / "first.mkv", "first", tmp_path, None, "mediapipe", None, 1),
        [],
        cutting.follow_faces,
    )

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


def test_ctrl_c_while_clips_are_prepared_ends_the_workers_at_once(clips, tmp_path, monkeypatch):
    def cut(job):
        if job.file.name == "broken.mp4":
            raise DataError("broken")
        time.sleep(600)

    def interrupt(*_):
        raise KeyboardInterrupt

    started = time.monotonic()
    monkeypatch.setattr("g4g.training.prepare.cut_shots", cut)
    with pytest.raises(KeyboardInterrupt):
        prepare([clips / "broken.mp4", clips / "first.mkv"], tmp_path, progress=interrupt)
    assert not multiprocessing.active_children() and time.monotonic() - started < 300


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


def test_other_people_are_replayed_in_turn_and_take_bounded_memory(monkeypatch):
    entries = [{"speaker": speaker, "frames": 2000} for speaker in "aaab"]
    monkeypatch.setattr("g4g.training.finetune.split_entries", lambda data: (entries, []))
    monkeypatch.setattr(
        "g4g.training.finetune.load_shot", lambda folder, entry, finer: entry["speaker"] * entry["frames"]
    )
    assert [shot[0] for shot in _load_replay("data", 1)] == ["a", "b"], "5,000 frames"


def test_of_two_people_the_named_one_is_learnt(clips, tmp_path):
    for side in ("left", "right"):
        prepare([clips / "two.mkv"], tmp_path / side, face=side)
    prepare([clips / "first.mkv"], tmp_path / "alone")
    left, right, alone = (load_shots(tmp_path / name)[0].crops[10] for name in ("left", "right", "alone"))
    likeness = [float(describe_likeness(crop) @ describe_likeness(alone)) for crop in (left, right)]
    assert likeness[0] > 0.95 > 0.8 > likeness[1]


def test_a_gallery_serves_its_speakers_face_only(clips, tmp_path):
    prepare([clips / "second.mkv"], tmp_path)
    [shot] = load_shots(tmp_path)
    wide = shot.landmarks.copy()
    wide[:, [65, 66, 67], 1] += 20  # as if the mouth were open wider than in any frame of the video
    models = replace(load("g4g-tiny"), gallery=make_gallery([shot.crops], [wide]))
    shown = []
    for some in (models, replace(models, gallery=None)):
        voices = {face: clips / "first.mkv" for face in (0, 1)}
        cast = Casting(some, "mediapipe", "cpu", Clock()).cast(
            clips / "two.mkv", None, voices, None, "video", None, None, None, raise_fault
        )
        shown.append([role.references[face][0].crops for face, role in enumerate(cast.roles)])
    (hers, theirs), (plain_hers, plain_theirs) = shown
    assert (hers != plain_hers).any() and (theirs == plain_theirs).all()


def test_the_command_line_learns_and_dubs(clips, tmp_path, capsys):
    out, video = tmp_path / "ann.safetensors", tmp_path / "out.mp4"
    steps = ["--weights", "g4g-tiny", "--steps", "1", "--workers", "1", "--preset", "decoder"]
    main(["finetune", str(clips / "second.mkv"), "-o", str(out), *steps])
    assert "learnt from 3 s of video" in capsys.readouterr().out
    files = [clips / "first.mkv", "--audio", clips / "second.mkv", "--weights", out, "-o", video]
    main(["dub", *map(str, files)])
    assert video.stat().st_size > 10_000
    with pytest.raises(SystemExit) as exit_code:
        main(["finetune", str(clips / "second.mkv"), "-o", str(out), "--preset", "half"])
    assert exit_code.value.code == 1 and "unknown preset" in capsys.readouterr().err


def test_a_sharp_video_is_learnt_with_256_px(clips, ffmpeg, tmp_path):
    ffmpeg("-i", clips / "first.mkv", "-vf", "scale=2*iw:-2", "-c:a", "copy", tmp_path / "sharp.mkv")
    settings = {"weights": "g4g-tiny", "steps": 2, "workers": 1, "log": lambda line: None}
    finetune([tmp_path / "sharp.mkv"], tmp_path / "a", finer=2, **settings)
    assert load_checkpoint(tmp_path / "a").info["speaker"]["settings"]["finer"] == 2
    with pytest.raises(ConfigError, match="another finer: 2, not 1"):
        finetune([tmp_path / "sharp.mkv"], tmp_path / "a", resume=True, **settings)
    models = load(tmp_path / "a")
    if models.gallery is not None:  # two steps may not have helped
        assert models.gallery.crops.shape[1] == models.generator.size == 256
