"""Preparation and training on real clips: the tiny networks, seconds."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from g4g.audio import SpeechConfig, SpeechEncoder, log_mel
from g4g.errors import ConfigError, DataError
from g4g.faces import to_landmarks
from g4g.motion import fit_neutral, move_mouth
from g4g.training.data import (
    Shot,
    describe_data,
    group_of,
    load_shots,
    load_split,
    read_split,
    speaker_chances,
)
from g4g.training.loop import Plan, warn_of_slow_precision
from g4g.training.motion import adapt_motion
from g4g.training.prepare import prepare
from g4g.training.speech_data import SpeechFolder
from g4g.training.speech_features import add_speech, find_features, name_encoder
from g4g.training.stages import train_stage
from g4g.zoo import load, save_models


@pytest.fixture(scope="module")
def prepared(data_dir, portrait_file, in_process, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"not a video")
    clips = [data_dir / "grid/s1/bbaf3s.mp4", data_dir / "grid/s1/bbaf4p.mp4", broken, portrait_file]
    with in_process():
        index = prepare(clips, folder, crop_px=144)
    assert [failure["source"] for failure in index["failed"]] == [str(broken)]
    add_speech(load_shots(folder), folder, "toy", encode_speech)
    return folder


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    """Let espeak-ng say little."""
    monkeypatch.setattr("g4g.training.spoken._LANGUAGES", ("de",))
    monkeypatch.setattr("g4g.training.spoken._FREE", 2)


def encode_speech(waveform: np.ndarray) -> np.ndarray:
    """Sixteen bands of the mel at 50 rows/s."""
    mel = log_mel(waveform).reshape(16, 5, -1).mean(1)
    return mel[:, np.arange(0, mel.shape[1], 1.6).astype(int)].T


def _plan(steps: int, **more) -> Plan:
    return Plan(minutes=100, steps=steps, device="cpu", log=lambda line: None, **more)


def test_prepared_shots_hold_what_training_reads(prepared):
    shots = load_shots(prepared)
    assert [len(shot) for shot in shots] == [75, 75, 1] and shots[0].crops.shape == (75, 144, 144, 3)
    mouth = shots[0].landmarks[:, 48:68].mean((0, 1))
    assert abs(mouth[0] - 64) < 8 and 70 < mouth[1] < 100
    assert shots[0].waveform.dtype == np.int16 and len(shots[0].waveform) == pytest.approx(3 * 16_000, abs=800)
    before = json.loads((prepared / "index.json").read_text())["shots"]
    assert prepare([shot["source"] for shot in before], prepared, crop_px=144)["shots"] == before


def test_a_mesh_is_kept_finely_and_lies_on_its_crop(prepared):
    shot = load_shots(prepared)[0]
    assert shot.mesh.dtype == np.float32 and shot.mesh.shape == (75, 478, 3)
    moved = np.abs(to_landmarks(shot.mesh) - shot.landmarks)
    assert moved[:, 48:].max() == 0 and 0 < moved[:, 17:48].max() < 6, "only the upper face is smoothed"
    assert shot.canonical.shape == (75, 468, 3) and len(shot.pose) == 75
    assert 0 <= shot.lip_gap.min() < 0.02 < shot.lip_gap.max() < 0.4
    back = shot.pose.project(shot.canonical)
    np.testing.assert_allclose(back, shot.mesh[:, :468], atol=0.01)
    lip, chin = (shot.landmarks[:, pair].mean((0, 1)) * 144 / 128 for pair in ([57, 66], [57, 8]))
    lip, chin = (shot.crops[:, round(y), round(x)].mean(0) for x, y in (lip, chin))
    assert lip[0] / lip[1] > chin[0] / chin[1] + 0.1, "lips are redder than the chin"


def test_a_still_is_one_frame_without_sound(prepared):
    still = load_shots(prepared)[2]
    assert still.kind == "still" and still.crops.shape == (1, 144, 144, 3) and len(still.waveform) == 0
    assert still.lip_gap.shape == (1,) and len(add_speech([still], prepared, "toy")[0].speech) == 0


def test_speech_features_are_computed_once(prepared):
    shots = load_shots(prepared)[:1]
    [heard] = add_speech(shots, prepared, "toy")
    assert heard.speech.shape == pytest.approx((150, 16), abs=2) and heard.speech.dtype == np.float16
    assert find_features(prepared) == "toy"
    with pytest.raises(DataError, match="give an encoder"):
        add_speech(shots, prepared / "elsewhere", "toy")
    with pytest.raises(DataError, match="no speech features"):
        find_features(prepared / "nowhere")


def test_older_folders_are_refused_with_a_sentence(prepared, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(prepared, folder)
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "version": 2}))
    source = index["shots"][0]["source"]
    for use in (load_shots, load_split, lambda path: prepare([source], path, crop_px=144)):
        with pytest.raises(DataError, match="another version.*prepare the videos again"):
            use(folder)
    with pytest.raises(DataError, match="other crops"):
        prepare([source], prepared, crop_px=128)
    with pytest.raises(ConfigError, match="64 to 512 px"):
        prepare([source], prepared, crop_px=9)


def test_a_stage_trains_and_resumes_to_the_same_weights(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("g4g.training.aligner._PICTURE_EVERY", 1)
    run = lambda out, steps, **more: train_stage(  # noqa: E731
        "aligner", prepared, tmp_path / out, _plan(steps), weights="g4g-tiny", speech="toy", **more
    )
    figures = run("whole.safetensors", 4)
    assert figures["steps"] == 4 and (tmp_path / "whole.png").stat().st_size > 100
    trained, fresh = (load(w).aligner.state_dict() for w in (tmp_path / "whole.safetensors", "g4g-tiny"))
    for encoder in ("audio_encoder", "geometry_encoder", "lip_encoder"):
        mine = [k for k in trained if k.startswith(encoder) and trained[k].is_floating_point()]
        assert any((trained[k] - fresh[k]).abs().max() > 1e-4 for k in mine), encoder
    again = load_run(run, tmp_path).aligner.state_dict()
    for key, value in trained.items():
        torch.testing.assert_close(again[key], value, atol=2e-3, rtol=1e-2)


def load_run(run, folder):
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


@pytest.mark.slow
def test_two_processes_train_a_network_of_the_bundle_as_one_does(prepared, tmp_path):
    plan = {"learning_rate": 1e-2, "warmup_steps": 1}
    run = lambda out, **more: train_stage(  # noqa: E731
        "fusion", prepared, tmp_path / out, _plan(3, **plan, **more), weights="g4g-tiny"
    )
    figures = [run("one.safetensors", batches=2), run("two.safetensors", devices=2)]
    assert figures[0]["steps"] == figures[1]["steps"] == 3
    one, two, fresh = (
        load(w).fusion.state_dict() for w in (tmp_path / "one.safetensors", tmp_path / "two.safetensors", "g4g-tiny")
    )
    assert max((one[key] - fresh[key]).abs().max() for key in one) > 5e-3
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, atol=1e-3, rtol=1e-2)
    with pytest.raises(ConfigError, match="motion is fitted"):
        train_stage("motion", prepared, tmp_path / "out", _plan(1, devices=2), weights="g4g-tiny")


def test_an_aligner_is_made_for_the_features_that_it_learns_from(prepared, tmp_path):
    shots = load_shots(prepared)
    add_speech(shots, prepared, "wide", lambda waveform: np.repeat(encode_speech(waveform), 2, axis=1))
    try:
        train_stage("aligner", prepared, tmp_path / "a", _plan(1), weights="g4g-tiny", speech="wide")
    finally:
        shutil.rmtree(prepared / "speech" / "wide")
    models = load(tmp_path / "a")
    assert models.aligner.config.speech == 32 and models.info["history"]["aligner"]["speech"] == "wide"


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
    assert not set(split["unseen_portraits"]) & set(split["train"]) and len(split["unseen_portraits"]) == 79


def test_one_function_tells_the_group_of_a_clip():
    groups = {"s1_bbaf3s": "train", "s4_swwc4a": "unseen_clips", "cremad_1001_DFA_SAD_XX": "unseen_clips"}
    groups |= {"wild_glasses": "measured_only", "my_clip": None}
    assert {clip: group_of(clip) for clip in groups} == groups


def test_a_late_shot_of_a_held_out_clip_stays_held_out(prepared, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(prepared, folder)
    index = json.loads((folder / "index.json").read_text())
    held_clip = read_split()["validation"][3]
    index["shots"][1] |= {"name": f"{held_clip}_12", "clip": held_clip}
    (folder / "index.json").write_text(json.dumps({**index, "shots": index["shots"][:2]}))
    train, held = load_split(folder)
    assert [shot.clip for shot in train] == ["s1_bbaf3s"] and [shot.clip for shot in held] == [held_clip]


def _name_shot(number: int, speaker: str) -> Shot:
    nothing = np.zeros((5, 1))
    return Shot(f"{speaker}{number}", "", speaker, nothing, nothing, nothing, nothing)


def test_a_speaker_comes_by_the_cube_root_of_its_shots():
    chances = speaker_chances([_name_shot(i, "many") for i in range(27)] + [_name_shot(0, "one")])
    assert chances.sum() == pytest.approx(1) and chances[-1] == pytest.approx(1 / 4)
    assert chances[0] == pytest.approx(3 / 4 / 27)


def test_a_weight_file_says_what_it_was_trained_on():
    assert describe_data(["b", "a"]) == describe_data(["a", "b"]) != describe_data(["a", "c"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("stage", ["aligner", "motion", "generator", "fusion"])
def test_every_stage_trains_one_step_in_both_precisions(prepared, tmp_path, monkeypatch, stage, precision):
    monkeypatch.setattr("g4g.training.motion_network._FEWEST_STEPS", 40)  # of motion's own loop
    lines = []
    plan = Plan(minutes=100, steps=1, device="cpu", precision=precision, log=lines.append)
    figures = train_stage(stage, prepared, tmp_path / "out", plan, weights="g4g-tiny")
    assert figures and np.isfinite(list(figures.values())).all()
    note = load(tmp_path / "out").info["history"][stage]
    assert note["figures"] and note["precision"] == precision
    if stage != "fusion":
        assert note["speech"] == name_encoder(load("g4g-tiny").speech)
        assert (prepared / "speech" / note["speech"]).is_dir()
    if stage == "motion":
        files = sorted((prepared / "spoken" / note["speech"]).glob("*.npz"))
        assert len(files) == note["spoken"] == 4, "two clips of GRID, two sentences"
        assert figures["opening_r"] > 0.3, "on a clip that it learnt from, what is held out being empty"
    if stage == "generator":
        assert [line for line in lines if "perceptual" in line and "efficientnet" in line], "its file is not at hand"
        assert note["perceptual"] == "none"


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_speech_encoder_is_taught_into_the_bundle(tmp_path, monkeypatch, precision):
    recordings, rng = SpeechFolder(tmp_path / "sounds"), np.random.default_rng(0)
    for name in ("kokoro_en_af_sky_00000", "s1_bbaf3s", "kokoro_en_af_bella_00002"):
        recordings.add(name, rng.normal(0, 0.1, 48_000).astype(np.float32), rng.normal(size=(150, 4)))
    small = SpeechConfig(size=4, width=16, inner=8, dilations=(1, 2, 4), centred_blocks=(0, 1))
    monkeypatch.setattr("g4g.training.stages.SpeechConfig", lambda: small)
    plan = _plan(1, precision=precision)
    figures = train_stage("speech", tmp_path / "sounds", tmp_path / "out", plan, weights="g4g-tiny")
    assert np.isfinite(list(figures.values())).all()
    models = load(tmp_path / "out")
    assert isinstance(models.speech, SpeechEncoder) and models.speech.config.size == 4


def test_a_fresh_file_hears_nothing(prepared, tmp_path):
    with pytest.raises(ConfigError, match="--weights g4g-small"):
        train_stage("motion", prepared, tmp_path / "new", _plan(1))
    with pytest.raises(ConfigError, match="unknown stage 'ear'"):
        train_stage("ear", prepared, tmp_path / "new", _plan(1))


def test_an_encoder_keeps_its_name_in_a_file(tmp_path):
    save_models(tmp_path / "a", load("g4g-tiny"))
    once = load(tmp_path / "a")
    save_models(tmp_path / "b", once)
    assert name_encoder(once.speech) == name_encoder(load(tmp_path / "b").speech)


def test_slow_precision_is_said(monkeypatch):
    lines = []
    warn_of_slow_precision("bf16-mixed", "cpu", lines.append)
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    told = len(lines)
    warn_of_slow_precision("32-true", "cpu", lines.append)
    warn_of_slow_precision("bf16-mixed", "cuda", lines.append)
    assert len(lines) == told
    warn_of_slow_precision("bf16-mixed", "cpu", lines.append)
    assert "slower here" in lines[-1] and len(lines) == told + 1


def test_motion_adapts_to_a_person_as_far_as_there_is_speech(prepared):
    motion, rng = load("g4g-tiny").motion, np.random.default_rng(0)
    [shot] = add_speech(load_shots(prepared)[:1], prepared, "toy")
    shot = replace(shot, speech=rng.normal(size=shot.speech.shape).astype(np.float32))
    near, far = (adapt_motion(motion, [shot], strength_s) for strength_s in (0.01, 1e9))
    error = lambda network: np.square(_shapes(network, shot)).mean()  # noqa: E731
    assert error(near) < 0.7 * error(motion), "the words of three seconds can be learnt by heart"
    ratio = far.shape.weight / motion.shape.weight
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), atol=1e-3, rtol=0)
    same = [name for name, value in near.state_dict().items() if torch.equal(value, motion.state_dict()[name])]
    kept = {"components", "doubts", "closed.0.weight", "closed.4.bias"}
    assert kept <= set(same), "when lips close is the base's word"
    assert "shape.weight" not in same


def _shapes(motion, shot):
    """What a network's shapes leave over of a shot's real ones."""
    faces, degrees = shot.canonical, shot.pose.degrees
    real = motion.space.encode(faces - fit_neutral(faces, degrees, motion.space).at(degrees))
    left = move_mouth(motion, shot.speech, shot.times_s)[0] - real
    return left - left.mean(0)
