"""Learning a person from the video before its dub: once, kept in the avatar and for the user, and stopped at will."""

import os
import signal
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors import safe_open

import g4g
from g4g import dubbing
from g4g.avatar import Learnt
from g4g.avatar.prepare import make_avatar
from g4g.avatar.store import load_avatar
from g4g.avatar.unfinished import open_run
from g4g.cli import main
from g4g.options import Lesson
from g4g.training.adapt import cut_person, learn_person
from g4g.training.state import read_state
from g4g.zoo import load

_MINUTES = 0.02


@pytest.fixture(scope="module")
def models():
    return load("g4g-tiny")


@pytest.fixture(scope="module")
def avatar(models, grid_clip):
    return make_avatar(models, grid_clip)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("G4G_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refuse(*_):
    """Learn nobody."""
    raise AssertionError("learnt once more")


def make_learnt(models, minutes=1.0):
    motion = load("g4g-tiny").motion
    motion.shape.weight.mul_(0.5)
    return Learnt.of(models, replace(models, motion=motion), minutes, "was learnt: much")


def test_a_second_dub_learns_nothing_and_is_the_same(models, grid_clip, voice_file, cache):
    asked = []

    def learn(models, avatar, face, lesson, progress):
        asked.append((face, lesson.minutes))
        return make_learnt(models, lesson.minutes)

    dubber = dubbing.Dubber(models, learner=learn)
    dub = lambda minutes: dubber.generate_frames(  # noqa: E731
        grid_clip, voice_file, start_s=0, end_s=0.6, adapt_minutes=minutes
    )
    first, second, plain, _ = (np.stack([item.frame for item in islice(dub(m), 15)]) for m in (2, 2, 0, 3))
    assert asked == [(0, 2), (0, 3)], "longer than it was learnt for is learnt anew"
    assert {file.suffix for file in (cache / "learnt").iterdir()} == {".learnt"}
    assert np.array_equal(first, second) and not np.array_equal(first, plain)


def test_the_command_line_learns_and_says_so(grid_clip, voice_file, tmp_path, cache, monkeypatch, capsys):
    monkeypatch.setattr("g4g.training.adapt.learn_person", lambda models, *_: make_learnt(models))
    span = ["--start", "0", "--end", "0.4", "--adapt", "1", "--engine", "torch", "-o", str(tmp_path / "a.mp4")]
    main(["dub", str(grid_clip), "--audio", str(voice_file), "--weights", "g4g-tiny", *span])
    assert "face 0 was learnt: much" in capsys.readouterr().out


def test_an_avatar_file_keeps_what_was_learnt(models, grid_clip, voice_file, tmp_path, cache):
    teacher = dubbing.Dubber(models, learner=lambda models, *_: make_learnt(models, 2))
    made = teacher.make_avatar(grid_clip, tmp_path / "ann.avatar", adapt_minutes=2)
    kept = load_avatar(tmp_path / "ann.avatar", models).persons[0]
    name = "motion.shape.weight"
    assert np.array_equal(kept.learnt.tensors[name], make_learnt(models).tensors[name])
    assert kept.gain == made.persons[0].gain and "face 0 was learnt: much" in made.warnings
    nobody, out = dubbing.Dubber(models, learner=refuse), tmp_path / "a.mp4"
    report = nobody.dub(tmp_path / "ann.avatar", voice_file, out, start_s=0, end_s=0.4, adapt_minutes=2)
    assert "face 0 was learnt: much" in report.warnings
    found = g4g.inspect(out)
    assert found.dub["learnt"] == [{"face": 0, "sha256": kept.learnt.hash()}]
    assert f"face 0: networks learnt from this person, sha256 {kept.learnt.hash()}" in str(found)
    assert kept.learnt.hash() != replace(kept.learnt, tensors={name: -kept.learnt.tensors[name]}).hash()


def test_what_an_avatar_file_lacks_is_learnt_once(models, grid_clip, voice_file, tmp_path, cache):
    dubbing.Dubber(models).make_avatar(grid_clip, tmp_path / "ann.avatar")
    for number, learner in enumerate((lambda models, *_: make_learnt(models, 2), refuse)):
        dub = dubbing.Dubber(models, learner=learner).dub
        out = tmp_path / f"{number}.mp4"
        report = dub(tmp_path / "ann.avatar", voice_file, out, start_s=0, end_s=0.2, adapt_minutes=2)
        assert "face 0 was learnt: much" in report.warnings


def test_what_is_better_is_kept_and_what_is_not_is_told(models, avatar, monkeypatch):
    stages = []
    lesson = Lesson(_MINUTES)
    assert not any(name.startswith("generator") for name in learn_person(models, avatar, 0, lesson, None).tensors)
    monkeypatch.setattr("g4g.training.speaker.SpeakerFigures.is_better_than", lambda *_: True)
    learnt = learn_person(models, avatar, 0, lesson, lambda stage, done, total: stages.append((stage, total)))
    own, base = learnt.teach(models).generator, models.generator
    assert not all(torch.equal(a, b) for a, b in zip(own.parameters(), base.parameters(), strict=True))
    assert set(stages) == {("learn", round(_MINUTES * 60))} and learnt.summary.startswith("was learnt: mouth ")


def test_what_was_learnt_moves_and_paints_only_that_person(models, avatar):
    learnt = make_learnt(models)
    own = learnt.teach(models)
    assert own.generator is models.generator and own.motion is not models.motion
    assert own.motion.shape.weight.norm() == pytest.approx(0.5 * float(models.motion.shape.weight.norm()), rel=1e-2)
    assert Learnt.of(models, models, 1.0, "").tensors == {} and Learnt().teach(models).motion is models.motion


def test_ctrl_c_ends_learning_and_the_dub_is_made(models, grid_clip, voice_file, tmp_path, cache):
    stages = []

    def interrupt_once(stage, done, total):
        stages.append(stage)
        if stage == "learn" and stages.count("learn") == 2:  # the first report comes before the first step
            signal.raise_signal(signal.SIGINT)

    settings = {"adapt_minutes": 30, "start_s": 0, "end_s": 0.4, "progress": interrupt_once}
    g4g.Dubber(models).dub(grid_clip, voice_file, tmp_path / "a.mp4", **settings)
    assert stages.count("learn") == 2 and (tmp_path / "a.mp4").is_file()
    with safe_open(next((cache / "learnt").iterdir()), "np") as kept:
        assert float(kept.metadata()["minutes"]) < 1, "30 minutes are learnt anew"


def test_learning_that_crashed_goes_on(models, grid_clip, voice_file, tmp_path, cache, monkeypatch):
    monkeypatch.setattr("g4g.training.speaker_run.LOOK_EVERY_S", 0.0)
    stages, taken_up = [], []

    def crash(stage, done, total):
        stages.append(stage)
        if stages.count("learn") == 4:  # the first report comes before the first step
            raise RuntimeError("crash")

    def note_progress(path, kept):
        progress, batches = read_state(path, kept)
        taken_up.append(progress.step)
        return progress, batches

    monkeypatch.setattr("g4g.training.loop.read_state", note_progress)
    dub = lambda minutes, progress: g4g.Dubber(models).dub(  # noqa: E731
        grid_clip, voice_file, tmp_path / "a.mp4", start_s=0, end_s=0.4, adapt_minutes=minutes, progress=progress
    )
    with pytest.raises(RuntimeError, match="crash"):
        dub(30, crash)
    (run,) = (cache / "learning").iterdir()
    assert {file.suffix for file in run.iterdir()} >= {".state", ".json"} and not list(run.glob("*.crops"))
    monkeypatch.setattr("g4g.training.speaker_run.LOOK_EVERY_S", 60.0)
    dub(_MINUTES, None)
    assert taken_up == [2], "what was saved before the third step"
    assert not list((cache / "learning").iterdir()), "it came to its end"


def test_a_stopped_learning_waits_for_a_week_and_serves_one_process(cache):
    with open_run("ann") as run:
        (run.path / "run.state").write_bytes(b"half")
        with open_run("ann") as beside:
            assert beside.path.parent != run.path.parent, "somebody learns the same just now"
    with open_run("ann") as again, open_run("ben") as other:
        assert (again.path / "run.state").read_bytes() == b"half" and other.path.is_dir()
        other.is_finished = True
    assert not other.path.exists() and again.path.is_dir()
    for file in (*again.path.iterdir(), again.path):
        os.utime(file, (1, 1))
    with open_run("cid"):
        assert not again.path.exists(), "forgotten"


def test_a_video_without_sound_is_dubbed_as_it_is(models, grid_clip, voice_file, tmp_path, cache, ffmpeg):
    ffmpeg("-i", grid_clip, "-an", "-t", 0.6, tmp_path / "mute.mp4")
    report = g4g.Dubber(models).dub(
        tmp_path / "mute.mp4", voice_file, tmp_path / "a.mp4", end_s=0.4, start_s=0, adapt_minutes=1
    )
    assert "face 0 was not learnt: the video has no sound of its own to learn from" in report.warnings


def test_shots_are_cut_out_of_an_avatar_at_25_frames_a_second(avatar, tmp_path):
    (shot,) = cut_person(avatar, 0, tmp_path, 160)
    assert shot.crops.shape == (75, 160, 160, 3) and shot.speech is avatar.speech
    assert np.diff(shot.times_s) == pytest.approx(0.04, abs=1e-3)
    inner = shot.mesh[:, [13, 14], :2]
    assert ((inner > 40) & (inner < 128)).all(), "px of a crop of 128 px"
    assert shot.crops.std() > 20


def test_settings_that_cannot_work_are_one_sentence(models, grid_clip, voice_file, tmp_path):
    with pytest.raises(g4g.ConfigError, match="g4g.Dubber"):
        dubbing.Dubber(models).dub(grid_clip, voice_file, tmp_path / "a.mp4", adapt_minutes=1)
    with pytest.raises(g4g.ConfigError, match="0 minutes"):
        Lesson(-1)
    with pytest.raises(g4g.DataError, match="holds no index.json"):
        g4g.Dubber(models).dub(grid_clip, voice_file, tmp_path / "a.mp4", adapt_minutes=1, adapt_data=tmp_path)
