"""The judge on drawn mouths and made sound: what it sees, when it hears, and that it learns a planted sync."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from g4g.aligner import contrast_windows
from g4g.errors import CheckpointError, DataError, ShapeError
from g4g.faces import load_canonical, to_landmarks
from g4g.metrics import Judge, JudgeConfig, load_judge, save_judge
from g4g.metrics.judge import middle_times, standardise
from g4g.metrics.mfcc import mfcc, mfcc_windows
from g4g.training.data import INDEX_VERSION, read_split
from g4g.training.judge import SEED, train_judge
from g4g.training.loop import Plan
from g4g.training.stages import train_stage
from g4g.zoo import load

TINY = JudgeConfig(embedding=32, point_channels=32, audio_channels=(32, 32, 32))
RATE = 16_000
_LOWER_LIP_AND_CHIN = (17, 84, 314, 14, 87, 317, 152, 148, 377)


def draw_clip(seed: int, frames: int = 75) -> dict[str, np.ndarray]:
    """A mouth that opens as the sound grows loud, both following one random curve."""
    rng = np.random.default_rng(seed)
    knots = rng.uniform(0, 1, frames // 3 + 4)
    curve = lambda t: np.interp(np.asarray(t) * 25 / 3, np.arange(len(knots)), knots)  # noqa: E731
    times_s = np.arange(frames) / 25
    samples_s = np.arange(frames * RATE // 25) / RATE
    tone = np.sin(2 * np.pi * (150 + 900 * curve(samples_s)) * samples_s) + 0.1 * rng.normal(size=len(samples_s))
    mesh = np.zeros((frames, 478, 3), np.float32)
    mesh[:, :468] = load_canonical().points * 58 + [64, 32, 0]
    mesh[:, _LOWER_LIP_AND_CHIN, 1] += 14 * curve(times_s)[:, None]
    waveform = tone * (0.05 + 0.3 * curve(samples_s))
    return {
        "crops": np.zeros((frames, 64, 64, 3), np.uint8), "mesh": mesh, "times_s": times_s,
        "waveform": (waveform * 32767).astype(np.int16),
    }  # fmt: skip


def hear(clip) -> np.ndarray:
    return clip["waveform"].astype(np.float32) / 32767


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Prepared shots under names of the fixed split: 12 to train on, 4 held out."""
    split = read_split()
    return write_shots(tmp_path_factory.mktemp("drawn"), split["train"][:12] + split["validation"][:4])


def write_shots(folder, names: list[str], frames: int = 75):
    """Write prepared data of drawn clips."""
    (folder / "shots").mkdir()
    for number, name in enumerate(names):
        save_file(draw_clip(number, frames), folder / "shots" / f"{name}.safetensors")
    about = {"speaker": "drawn", "kind": "video", "start_s": 0.0}
    shots = [{"name": name, "clip": name, "file": f"shots/{name}.safetensors", **about} for name in names]
    (folder / "index.json").write_text(json.dumps({"version": INDEX_VERSION, "shots": shots, "failed": []}))
    return folder


def make_judge() -> Judge:
    torch.manual_seed(0)
    return Judge(TINY).eval()


def test_a_row_sees_its_nine_frames_alone() -> None:
    judge, points = make_judge(), torch.randn(1, 24, 29, 2)
    changed = points.clone()
    changed[:, 12] += 1
    moved = (judge.forward_points(points) - judge.forward_points(changed)).abs().amax(2)[0] > 1e-6
    # Row i holds frames i ... i + 8.
    assert moved.nonzero().flatten().tolist() == list(range(4, 13))


def test_rows_are_unit_vectors_one_per_whole_window() -> None:
    clip = draw_clip(0)
    lips = make_judge().embed_points(to_landmarks(clip["mesh"]))
    sound = make_judge().embed_audio(hear(clip), middle_times(clip["times_s"]))
    assert lips.shape == sound.shape == (67, 32)
    torch.testing.assert_close(lips.norm(dim=1), torch.ones(67))
    torch.testing.assert_close(sound.norm(dim=1), torch.ones(67))
    np.testing.assert_array_equal(middle_times(np.arange(11)), [4, 5, 6])


def test_where_the_head_is_and_how_loud_do_not_count() -> None:
    clip, judge = draw_clip(2), make_judge()
    landmarks = to_landmarks(clip["mesh"])
    turned = landmarks @ np.array([[0.9, 0.3], [-0.3, 0.9]]) * 2.2 + [300, 40]
    np.testing.assert_allclose(standardise(turned), standardise(landmarks), atol=1e-4)
    times = middle_times(clip["times_s"])
    loud, quiet = (judge.embed_audio(hear(clip) * np.float32(gain), times) for gain in (1.0, 0.1))
    assert (loud * quiet).sum(1).min() > 0.98


def test_a_click_is_heard_in_the_windows_around_its_time() -> None:
    waveform = np.zeros(3 * RATE, np.float32)
    waveform[round(1.5 * RATE)] = 1.0
    windows = mfcc_windows(mfcc(waveform)[:20], np.arange(75) / 25)
    quiet = windows[0][:, :1]
    heard = np.flatnonzero((np.abs(windows - quiet) > 1).any((1, 2)))
    assert heard.tolist() == list(range(heard[0], heard[-1] + 1)) and 9 <= len(heard) <= 10
    assert abs((heard[0] + heard[-1]) / 2 - 37.5) <= 1 and windows.shape == (75, 20, 36)


def test_sound_beyond_its_end_is_its_end() -> None:
    features = np.arange(30, dtype=np.float32)[None]
    windows = mfcc_windows(features, np.array([0.0, 10.0]))
    assert windows[0, 0, 0] == 0 and (windows[1] == 29).all()


@pytest.mark.parametrize("shape", [(8, 68, 2), (20, 20, 2)])
def test_too_few_or_wrong_points_are_refused(shape: tuple) -> None:
    with pytest.raises(ShapeError, match="at least 9 frames"):
        make_judge().embed_points(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(0,), (10, 2)])
def test_sound_that_is_none_is_refused(shape: tuple) -> None:
    with pytest.raises(ShapeError, match="mono"):
        mfcc(np.zeros(shape, np.float32))


def test_the_loss_is_low_on_the_diagonal_and_blind_to_neighbours() -> None:
    rows, scale = torch.eye(6), torch.tensor(20.0)
    clip, time = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 2, 0, 1, 2])
    assert contrast_windows(rows, rows, clip, time, scale) < 1e-3
    # Sound one frame late puts every 1 on a cell that does not count, but for the jump between clips.
    late = torch.eye(6)[:, [1, 0, 2, 4, 3, 5]]
    near = contrast_windows(rows, late, clip, time, scale)
    far = contrast_windows(rows, rows[[2, 1, 0, 5, 4, 3]], clip, time, scale)
    assert near < 2 < 5 < far


def test_the_judge_learns_a_planted_sync(drawn, tmp_path) -> None:
    plan = Plan(minutes=100, steps=60, seed=SEED, device="cpu", log=lambda line: None)
    figures = train_judge(drawn, tmp_path / "judge.safetensors", plan, config=TINY)
    assert figures["clip_offset"] == 1.0 and figures["first_of_20"] > 0.3
    assert load_judge(tmp_path / "judge.safetensors").config == TINY


def test_the_judge_trains_one_step_in_brain_floats(drawn, tmp_path) -> None:
    plan = Plan(minutes=100, steps=1, seed=SEED, device="cpu", precision="bf16-mixed", log=lambda line: None)
    assert train_judge(drawn, tmp_path / "judge.safetensors", plan, config=TINY)["steps"] == 1


def test_nothing_to_judge_by_is_one_sentence(tmp_path) -> None:
    with pytest.raises(DataError, match="g4g prepare"):
        train_judge(tmp_path, tmp_path / "judge.safetensors", Plan(device="cpu"))


def test_a_single_video_of_anybody_teaches_a_judge(tmp_path) -> None:
    plan = Plan(steps=1, seed=SEED, device="cpu", log=lambda line: None)
    figures = train_judge(write_shots(tmp_path, ["anna_talk"]), tmp_path / "judge.safetensors", plan, config=TINY)
    assert figures["steps"] == 1 and load_judge(tmp_path / "judge.safetensors").config == TINY


def test_shots_that_are_too_short_for_the_judge_are_one_sentence(tmp_path) -> None:
    with pytest.raises(DataError, match="no shot of .* has sound and at least 45 frames"):
        train_judge(write_shots(tmp_path, ["anna_talk"], 30), tmp_path / "judge.safetensors", Plan(device="cpu"))


def test_a_judge_serves_no_dub_and_no_training(drawn, tmp_path) -> None:
    path = tmp_path / "judge.safetensors"
    save_judge(path, make_judge(), {})
    with pytest.raises(CheckpointError, match="kind 'judge'"):
        load(path)
    for stage in ("aligner", "generator", "fusion"):
        with pytest.raises(CheckpointError, match="kind 'judge'"):
            train_stage(stage, drawn, tmp_path / "out.safetensors", Plan(steps=1, device="cpu"), weights=path)


def test_only_a_judge_judges(tmp_path) -> None:
    from g4g.checkpoints import save_checkpoint

    path = tmp_path / "other.safetensors"
    save_checkpoint(path, make_judge().state_dict(), {}, "aligner", {})
    with pytest.raises(CheckpointError, match="'judge' is needed"):
        load_judge(path)
    save_checkpoint(path, make_judge().state_dict(), {}, "judge", {})
    with pytest.raises(CheckpointError, match="misfit"):
        load_judge(path)


def test_a_saved_judge_scores_as_before(tmp_path) -> None:
    judge, landmarks = make_judge(), to_landmarks(draw_clip(3)["mesh"])
    save_judge(tmp_path / "judge.safetensors", judge, {"seed": 777})
    again = load_judge(tmp_path / "judge.safetensors")
    torch.testing.assert_close(again.embed_points(landmarks), judge.embed_points(landmarks), atol=2e-2, rtol=0)
