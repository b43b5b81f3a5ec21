"""Fine-tuning: what is learnt from, what is kept, what the file says; the tiny networks."""

import json
import signal
from dataclasses import replace

import pytest
import torch

import g4g
from g4g.avatar.store import load_avatar
from g4g.checkpoints import load_checkpoint
from g4g.cli import main
from g4g.errors import CheckpointError, ConfigError, DataError, G4GError
from g4g.training.best_checkpoint import BestCheckpoint
from g4g.training.data import load_shots
from g4g.training.finetune import finetune, load_replay
from g4g.training.prepare import prepare
from g4g.training.speaker import SpeakerFigures
from g4g.zoo import load, save_models

_BASE = SpeakerFigures(25.0, 0.2, 0.8, 0.7)


_TINY = {"weights": "g4g-tiny", "workers": 1, "device": "cpu"}
_QUIET = {"log": lambda line: None}


@pytest.fixture(scope="module", autouse=True)
def here(in_process):
    """Prepare clips in this process; test_prepare.py starts others."""
    with in_process():
        yield


@pytest.fixture(scope="module")
def tuned(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "ann.safetensors"
    lines = []
    files = [clips / "first.mkv", clips / "broken.mp4", clips / "other.mkv"]
    report = finetune(files, out, steps=2, report=out.parent / "r", log=lines.append, **_TINY)
    return out, report, lines


def test_a_tuned_file_stands_alone_and_tells_its_making(tuned):
    out, report, lines = tuned
    models, note = load(out), load_checkpoint(out).info["speaker"]
    assert set(models.parts()) == {"speech", "aligner", "motion", "generator", "fusion"}
    assert note["base"] == {"name": "g4g-tiny", "sha256": "seeded"} and note["improved"] == report.improved
    [learnt] = note["clips"]
    assert learnt["file"] == "first.mkv" and len(learnt["sha256"]) == 64
    assert learnt["seconds"] == pytest.approx(3, abs=0.1)
    assert set(note["before"]) == set(note["after"]) == {"mouth_psnr_db", "perceptual", "opening_r", "closures_met"}
    assert note["after"]["opening_r"] >= note["before"]["opening_r"]
    text = str(report)
    assert "broken.mp4" in text and "another person" in text and "held-out" in text and "more of it" in text
    assert report.curve and report.finished and [line for line in lines if line.startswith("motion:")]
    assert "the base's generator is kept" in str(replace(report, improved=False))
    saved = json.loads((out.parent / "r/report.json").read_text())
    assert saved["verdicts"][0]["used"] and (out.parent / "r/curve.png").is_file()
    assert (out.parent / "r/sheet.png").is_file()


def test_other_people_are_replayed_and_brain_floats_train(clips, tmp_path):
    data = tmp_path / "data"
    prepare([clips / "second.mkv", clips / "other.mkv"], data, crop_px=144)
    settings = {"steps": 1, "precision": "bf16-mixed", "data": data, **_TINY, **_QUIET}
    report = finetune([clips / "first.mkv"], tmp_path / "a", **settings)
    assert report.finished and load(tmp_path / "a").info["speaker"]["settings"]["replayed"] == 1
    assert len(load_shots(tmp_path / "a.work")[0].crops[0]) == 144, "crops are as large as those that are replayed"


def test_a_run_goes_on_from_where_it_stood_and_from_nothing_else(tuned, clips):
    out, begun, _ = tuned
    again = {"steps": 4, "resume": True, **_TINY, **_QUIET}
    with pytest.raises(ConfigError, match="begun with another seed"):
        finetune([clips / "first.mkv"], out, **again | {"seed": 2})
    with pytest.raises(ConfigError, match="begun with another crop_px: 192, not 144"):
        prepare([clips / "other.mkv"], out.parent / "data", crop_px=144)
        finetune([clips / "first.mkv"], out, **again | {"data": out.parent / "data"})
    with pytest.raises(DataError, match="nothing to resume"):
        finetune([clips / "first.mkv"], out.with_name("new.safetensors"), **again)
    with pytest.raises(ConfigError, match="begun with other clips, usable of them: first.mkv"):
        finetune([clips / "first.mkv", clips / "second.mkv"], out, **again)
    report = finetune([clips / "first.mkv"], out, **again)
    assert report.curve[: len(begun.curve)] == begun.curve and len(report.curve) > len(begun.curve)
    assert {verdict.clip for verdict in report.verdicts} == {str(clips / "first.mkv")}


def test_only_a_better_checkpoint_replaces_the_file(tmp_path):
    tiny, out = load("g4g-tiny"), tmp_path / "a.safetensors"
    best = BestCheckpoint(out, tmp_path / "curve.json", tiny, {"clips": []}, _BASE, lambda line: None)
    look = lambda figures: best.look(tiny.generator, {**vars(figures), "minutes": 1.0, "steps": 1})  # noqa: E731
    look(replace(_BASE, mouth_psnr_db=24.0))
    look(replace(_BASE, mouth_psnr_db=25.01))
    look(replace(_BASE, mouth_psnr_db=30.0, perceptual=0.21))
    look(replace(_BASE, mouth_psnr_db=24.8, perceptual=0.1))
    assert not out.exists() and not best.improved
    look(replace(_BASE, mouth_psnr_db=26.0))
    look(replace(_BASE, mouth_psnr_db=25.5))
    assert load(out).info["speaker"]["after"]["mouth_psnr_db"] == 26.0 and best.improved and len(best.curve) == 6
    look(replace(_BASE, perceptual=0.15))
    assert load(out).info["speaker"]["after"]["perceptual"] == 0.15, "worth more than one dB"
    again = BestCheckpoint(out, tmp_path / "curve.json", tiny, {"clips": []}, _BASE, lambda line: None)
    again.remember()
    assert again.best == best.best and again.improved


def test_a_disk_that_refuses_leaves_the_last_file(tmp_path, monkeypatch):
    tiny, out = load("g4g-tiny"), tmp_path / "a.safetensors"
    best = BestCheckpoint(out, tmp_path / "curve.json", tiny, {"clips": []}, _BASE, lambda line: None)
    best.save(tiny)
    before = out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("g4g.checkpoints.atomic.os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        best.save(tiny)
    assert out.read_bytes() == before and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["empty.mkv"], "no face"),
        (["silent.mkv"], "0.0 s of usable video.*no speech"),
        (["mute.mkv"], "mute.mkv has no audio stream"),
        (["glimpse.mkv"], "1.2 s of usable video, at least 1.4 s"),
        (["broken.mp4"], "broken.mp4"),
        (["two.mkv"], "two.mkv: two people at once.*--face"),
    ],
)
def test_clips_that_cannot_be_learnt_from_are_one_error_with_reasons(clips, tmp_path, files, words):
    with pytest.raises(G4GError, match=f"(?s){words}"):
        finetune([clips / f for f in files], tmp_path / "a.safetensors", **_TINY, **_QUIET)
    assert not (tmp_path / "a.safetensors").exists()


def test_short_and_small_clips_are_learnt_from(clips, tmp_path):
    files = [clips / "short.mkv", clips / "small.mkv"]
    report = finetune(files[:1], tmp_path / "a", steps=1, **_TINY, **_QUIET)
    assert sum(verdict.seconds for verdict in report.verdicts if verdict.used) == pytest.approx(2, abs=0.1)
    report = finetune(files[1:], tmp_path / "b", steps=1, **_TINY, **_QUIET)
    assert report.verdicts[0].used and "small face" in report.verdicts[0].note


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"minutes": 0}, "more than 0 minutes"),
        ({"steps": 0}, "at least one step"),
        ({"workers": 0}, "at least one worker"),
        ({"report": "taken"}, "cannot make the folder .*taken"),
        ({"out": "gone/a.safetensors"}, "gone does not exist"),
        ({"out": "."}, "it is a folder"),
        ({"weights": "ann.safetensors"}, "one speaker's already; start from its base"),
        ({"weights": "g4g-judge"}, "kind 'judge'"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(tmp_path, monkeypatch, settings, words):
    monkeypatch.chdir(tmp_path)
    for name in ("taken", "clip.mp4"):
        (tmp_path / name).write_text("a file")
    save_models("ann.safetensors", replace(load("g4g-tiny"), info={"speaker": {}}))
    with pytest.raises(G4GError, match=words):
        finetune(["clip.mp4"], **{"out": "a.safetensors", "weights": "g4g-tiny", **settings})


def test_ctrl_c_keeps_the_best_so_far_and_a_crash_goes_on(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("g4g.training.speaker_run.LOOK_EVERY_S", 0.0)
    settings = {**_TINY, **_QUIET}
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
    assert len(report.curve) == 6, "before each of two steps, twice, at the end, and half way there"
    assert load(tmp_path / "a").info["speaker"]["improved"] == report.improved


def test_other_people_are_replayed_in_turn_and_take_bounded_memory(monkeypatch):
    entries = [{"speaker": speaker, "frames": 2000, "kind": "video"} for speaker in "aaab"]
    monkeypatch.setattr("g4g.training.finetune.split_entries", lambda data: (entries, []))
    monkeypatch.setattr("g4g.training.finetune.load_shot", lambda folder, entry: entry["speaker"] * entry["frames"])
    monkeypatch.setattr("g4g.training.finetune.add_speech", lambda shots, *_: shots)
    shots = load_replay("data", load("g4g-tiny"))
    assert [shot[0] for shot in shots] == ["a", "b"], "5,000 frames"


def test_the_command_line_learns_and_dubs(clips, tmp_path, capsys):
    out, video = tmp_path / "ann.safetensors", tmp_path / "out.mp4"
    steps = ["--weights", "g4g-tiny", "--steps", "1", "--workers", "1"]
    main(["finetune", str(clips / "second.mkv"), "-o", str(out), *steps])
    assert "learnt from 3 s of video" in capsys.readouterr().out
    files = [clips / "first.mkv", "--audio", clips / "second.mkv", "--weights", out, "-o", video]
    main(["dub", *map(str, files)])
    assert video.stat().st_size > 10_000


def test_the_avatar_of_the_best_clip_brings_what_was_learnt(clips, tmp_path):
    out, kept, base = tmp_path / "ann.safetensors", tmp_path / "ann.avatar", load("g4g-tiny")
    finetune([clips / "short.mkv", clips / "second.mkv"], out, steps=1, avatar=kept, **_TINY, **_QUIET)
    avatar = load_avatar(kept, base)
    assert avatar.info.path.name == "second.mkv", "three seconds of it are used, and two of the other"
    learnt, tuned = avatar.persons[0].learnt.teach(base), load(out)
    for part in ("motion", "generator"):
        for a, b in zip(learnt.parts()[part].parameters(), tuned.parts()[part].parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)
    assert not torch.equal(learnt.motion.shape.weight, base.motion.shape.weight)
    report = g4g.Dubber(base).dub(kept, clips / "first.mkv", tmp_path / "out.mp4", end_s=0.4, start_s=0)
    assert g4g.inspect(report.output).dub["learnt"] == [{"face": 0, "sha256": avatar.persons[0].learnt.hash()}]
