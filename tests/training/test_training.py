"""Preparation and training on real clips: the tiny networks, seconds."""

import json
import shutil

import numpy as np
import pytest
import torch

from g4g.audio import log_mel
from g4g.errors import ConfigError, DataError
from g4g.faces import to_landmarks
from g4g.training.data import (
    Shot,
    augment_mel,
    describe_data,
    group_of,
    load_shots,
    load_split,
    read_split,
    speaker_chances,
)
from g4g.training.loop import Plan
from g4g.training.prepare import prepare
from g4g.training.speech_features import add_speech, find_features
from g4g.training.stages import train_stage
from g4g.zoo import load


@pytest.fixture(scope="module")
def prepared(data_dir, portrait_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"not a video")
    clips = [data_dir / "grid/s1/bbaf3s.mp4", data_dir / "grid/s1/bbaf4p.mp4", broken, portrait_file]
    index = prepare(clips, folder, crop_px=144)
    assert [failure["source"] for failure in index["failed"]] == [str(broken)]
    add_speech(load_shots(folder), folder, "toy", encode_speech)
    return folder


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
    shots = load_shots(prepared, limit=1)
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
        "aligner", prepared, tmp_path / out, _plan(steps), weights="g4g-tiny", **more
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


def test_an_aligner_is_made_for_the_features_that_it_learns_from(prepared, tmp_path):
    shots = load_shots(prepared)
    add_speech(shots, prepared, "wide", lambda waveform: np.repeat(encode_speech(waveform), 2, axis=1))
    try:
        with pytest.raises(DataError, match="toy, wide"):
            train_stage("aligner", prepared, tmp_path / "a", _plan(1), weights="g4g-tiny")
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


def test_brain_floats_train(prepared, tmp_path):
    figures = train_stage(
        "aligner", prepared, tmp_path / "out", _plan(2, precision="bf16-mixed"), weights="g4g-tiny", speech="toy"
    )
    assert np.isfinite(list(figures.values())).all()
