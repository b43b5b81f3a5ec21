"""Preparation and training on real clips: the tiny networks, seconds."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from g4g.audio import mel_windows
from g4g.dubbing import Dubber
from g4g.errors import ConfigError, DataError
from g4g.training.data import Shot, augment_mel, describe_data, load_shots, load_split, read_split, speaker_chances
from g4g.training.prepare import prepare
from g4g.training.sounds import Sounds
from g4g.training.stages import STAGES, train_stage
from g4g.zoo import load, save_models


@pytest.fixture(scope="module")
def prepared(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"not a video")
    clips = [data_dir / "grid/s1/bbaf3s.mp4", data_dir / "grid/s1/bbaf4p.mp4", broken]
    index = prepare(clips, folder)
    assert [failure["source"] for failure in index["failed"]] == [str(broken)]
    return folder


def test_prepared_shots_hold_what_training_reads(prepared):
    shots = load_shots(prepared)
    assert [len(shot) for shot in shots] == [75, 75] and shots[0].crops.shape == (75, 128, 128, 3)
    mouth = shots[0].landmarks[:, 48:68].mean((0, 1))
    assert abs(mouth[0] - 64) < 8 and 70 < mouth[1] < 100
    before = json.loads((prepared / "index.json").read_text())["shots"]
    assert prepare([shot["source"] for shot in before], prepared)["shots"] == before


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "ear"])
def test_a_stage_trains_and_resumes_to_the_same_weights(prepared, stage, tmp_path):
    run = lambda out, steps, **more: train_stage(  # noqa: E731
        stage,
        prepared,
        tmp_path / out,
        weights="g4g-tiny",
        steps=steps,
        minutes=100,
        device="cpu",
        log=lambda s: None,
        **more,
    )
    figures = run("whole.safetensors", 4)
    assert figures["steps"] == 4 and (tmp_path / "whole.png").stat().st_size > 1000
    trained, fresh = (getattr(load(w), stage).state_dict() for w in (tmp_path / "whole.safetensors", "g4g-tiny"))
    assert any((trained[k] - fresh[k]).abs().max() > 1e-4 for k in trained if trained[k].is_floating_point())
    again = getattr(load_run(run, tmp_path, stage), stage).state_dict()
    for key, value in trained.items():
        torch.testing.assert_close(again[key], value, atol=2e-3, rtol=1e-2)


def load_run(run, folder, stage):
    """Train 4 steps in two goes: the first is stopped by a step that raises KeyboardInterrupt's flag."""
    import signal

    from g4g.training import loop

    original, count = loop._follow, []

    def stop_after_two(*args):
        original(*args)
        count.append(1)
        if len(count) == 2:
            signal.raise_signal(signal.SIGINT)

    loop._follow = stop_after_two
    try:
        assert run("halved.safetensors", 4)["steps"] == 2
    finally:
        loop._follow = original
    assert run("halved.safetensors", 4, resume=True)["steps"] == 4
    return load(folder / "halved.safetensors")


def test_nothing_to_train_on_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="g4g prepare"):
        load_shots(tmp_path)
    with pytest.raises(DataError, match="no video given"):
        prepare([], tmp_path)


def test_the_split_never_mixes():
    split = read_split()
    names = [name for part in split.values() for name in part]
    assert len(names) == len(set(names)) and len(split["validation"]) == 50
    unseen = {name.split("_")[1] for name in split["unseen_speakers"]}
    assert not any(speaker in name for name in split["train"] for speaker in unseen)


def test_a_late_shot_of_a_held_out_clip_stays_held_out(prepared, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(prepared, folder)
    index = json.loads((folder / "index.json").read_text())
    held_clip = read_split()["validation"][3]
    index["shots"][1] |= {"name": f"{held_clip}_12", "clip": held_clip}
    (folder / "index.json").write_text(json.dumps(index))
    train, held = load_split(folder)
    assert [shot.clip for shot in train] == ["s1_bbaf3s"] and [shot.clip for shot in held] == [held_clip]


def test_augmented_sound_keeps_its_timing():
    mel = np.full((80, 100), -1, np.float32)
    mel[:, 40:60] = 0.2
    for seed in range(8):
        loud = augment_mel(mel, np.random.default_rng(seed)).mean(0)
        assert loud[45:55].mean() > max(loud[:30].mean(), loud[70:].mean()) + 0.05


def _name_shot(number: int, speaker: str) -> Shot:
    nothing = np.zeros((5, 1))
    return Shot(f"{speaker}{number}", "", speaker, nothing, nothing, nothing, nothing)


def test_a_speaker_comes_by_the_cube_root_of_its_shots():
    chances = speaker_chances([_name_shot(i, "many") for i in range(27)] + [_name_shot(0, "one")])
    assert chances.sum() == pytest.approx(1) and chances[-1] == pytest.approx(1 / 4)
    assert chances[0] == pytest.approx(3 / 4 / 27)


def test_a_weight_file_says_what_it_was_trained_on():
    assert describe_data(["b", "a"]) == describe_data(["a", "b"]) != describe_data(["a", "c"])


def test_the_plain_version_of_a_sound_is_what_a_dub_embeds(prepared):
    shot, aligner = load_shots(prepared, limit=1)[0], load("g4g-tiny").aligner

    class First:
        integers = staticmethod(lambda count: 0)

    frames = np.array([0, 7, 74])
    rows = Sounds(aligner, 5).draw(shot, First)[frames]
    times = (shot.times_s[frames, None] + (np.arange(5) - 2) / 25).ravel()
    expected = aligner.embed_audio(torch.from_numpy(mel_windows(shot.mel, times))).unflatten(0, (3, 5))
    torch.testing.assert_close(rows, expected, atol=2e-3, rtol=0)


def test_brain_floats_train(prepared, tmp_path):
    figures = train_stage("aligner", prepared, tmp_path / "out.safetensors", weights="g4g-tiny", steps=2, minutes=100,
                          device="cpu", precision="bf16-mixed", log=lambda line: None)  # fmt: skip
    assert np.isfinite(list(figures.values())).all()


def test_an_ear_learns_other_voices_and_leaves_the_rest(prepared, tmp_path):
    run = {"steps": 3, "minutes": 100, "device": "cpu", "log": lambda line: None}
    with pytest.raises(ConfigError, match="no trained aligner"):
        train_stage("ear", prepared, tmp_path / "ear.safetensors", weights="g4g-tiny", **run)
    for setting in ({"finer": 2}, {"picture_first": True}):
        with pytest.raises(ConfigError, match="only the generator"):
            train_stage("ear", prepared, tmp_path / "ear.safetensors", weights="g4g-tiny", **setting, **run)
    save_models(tmp_path / "ear.safetensors", replace(load("g4g-tiny"), info={"history": {"aligner": {}}}))
    before = load(tmp_path / "ear.safetensors").aligner.state_dict()
    figures = train_stage("ear", prepared, tmp_path / "ear.safetensors", **run)
    assert figures["changed_cosine"] < figures["clean_cosine"] <= 1
    taught = load(tmp_path / "ear.safetensors")
    assert set(taught.info["history"]) == {"aligner", "ear"}
    moved = {key.split(".")[0] for key, value in taught.aligner.state_dict().items() if not value.equal(before[key])}
    assert moved == {"audio_encoder"}


def test_a_resumed_run_keeps_its_schedule(prepared, tmp_path):
    run = lambda out, **more: train_stage(  # noqa: E731
        "generator", prepared, tmp_path / out, minutes=100, device="cpu", log=lambda line: None, **more
    )
    noted = lambda out: load(tmp_path / out).info["history"]["generator"]["continued"]  # noqa: E731
    run("first", weights="g4g-tiny", steps=1)
    for steps, resume in ((1, False), (2, True)):
        run("more", weights=tmp_path / "first", steps=steps, resume=resume)
        run("anew", weights=tmp_path / "first", steps=steps, resume=resume, picture_first=True)
        assert noted("more") and not noted("anew")
    run("more", weights="g4g-tiny", steps=3, resume=True)
    assert noted("more"), "whatever it began from"


def test_a_finer_generator_is_grown_trained_and_dubs(data_dir, prepared, tmp_path):
    video, settings = data_dir / "grid/s1/bbaf3s.mp4", {"minutes": 100, "device": "cpu", "log": lambda line: None}
    data, out = tmp_path / "data", tmp_path / "fine.safetensors"
    prepare([video], data, finer=2)
    with pytest.raises(DataError, match="other crops"):
        prepare([video], data)
    [shot] = load_split(data, 2)[0]
    assert shot.fine.shape == (75, 256, 256, 3) and shot.crops.shape == (75, 128, 128, 3)
    assert np.abs(shot.crops.astype(float) - load_shots(prepared, limit=1)[0].crops).mean() < 3
    with pytest.raises(DataError, match="--finer 2"):
        train_stage("generator", prepared, out, weights="g4g-tiny", finer=2, steps=1, **settings)
    train_stage("generator", data, out, weights="g4g-tiny", finer=2, steps=2, **settings)
    train_stage("generator", data, out, steps=2, **settings)
    models = load(out)
    assert models.generator.size == 256 and models.generator.refine_full[-1].weight.abs().max() > 0
    train_stage("aligner", data, out, steps=1, **settings)
    result = Dubber(models).dub(video, video, tmp_path / "dubbed.mp4", end_s=0.4)
    assert result.frames_dubbed == 10 and (tmp_path / "dubbed.mp4").stat().st_size > 1000


def test_an_aligner_whose_generator_is_trained_keeps_its_ear(prepared, tmp_path):
    settings = {"steps": 2, "minutes": 100, "device": "cpu", "log": lambda line: None}
    heard = lambda path: load(path).aligner.audio_encoder.state_dict()  # noqa: E731
    seen = lambda path: load(path).aligner.lip_encoder[0][0].weight  # noqa: E731
    first = tmp_path / "first.safetensors"
    train_stage("generator", prepared, first, weights="g4g-tiny", **settings)
    train_stage("aligner", prepared, tmp_path / "second.safetensors", weights=first, **settings)
    before, after = heard(first), heard(tmp_path / "second.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not torch.equal(seen(first), seen(tmp_path / "second.safetensors"))
