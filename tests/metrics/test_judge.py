"""The judge on drawn mouths and made sound: what it sees, when it hears, and that it learns a planted sync."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn import functional

from g4g.aligner import contrast_windows
from g4g.errors import CheckpointError, DataError, ShapeError
from g4g.metrics import Judge, JudgeConfig, load_judge, save_judge
from g4g.metrics.judge import Conv3Frames, cut_mouths, middle_times, standardise
from g4g.metrics.mfcc import mfcc, mfcc_windows
from g4g.training.data import read_split
from g4g.training.judge import load_clips, train_judge
from g4g.training.stages import train_stage
from g4g.zoo import load

TINY = JudgeConfig(embedding=32, lip_channels=(8, 16, 16, 32), audio_channels=(32, 32, 32))
RATE = 16_000


def draw_clip(seed: int, frames: int = 75) -> dict[str, np.ndarray]:
    """A dark mouth that opens as the sound grows loud, both following one random curve."""
    rng = np.random.default_rng(seed)
    knots = rng.uniform(0, 1, frames // 3 + 4)
    curve = lambda t: np.interp(np.asarray(t) * 25 / 3, np.arange(len(knots)), knots)  # noqa: E731
    times_s = np.arange(frames) / 25
    samples_s = np.arange(frames * RATE // 25) / RATE
    tone = np.sin(2 * np.pi * (150 + 900 * curve(samples_s)) * samples_s) + 0.1 * rng.normal(size=len(samples_s))
    crops = np.full((frames, 128, 128, 3), 170 + rng.integers(-20, 20), np.uint8)
    rows = np.arange(128)[:, None]
    columns = np.arange(128)[None]
    for crop, opening in zip(crops, curve(times_s + 0.02), strict=True):
        crop[((rows - 88) / (2 + 16 * opening)) ** 2 + ((columns - 64) / 18) ** 2 < 1] = 40
    return {
        "crops": crops, "times_s": times_s, "waveform": (tone * (0.05 + 0.3 * curve(samples_s))).astype(np.float32),
        "landmarks": np.zeros((frames, 68, 2), np.float32),
    }  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Prepared shots under names of the fixed split: 12 to train on, 4 held out."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "shots").mkdir()
    split = read_split()
    names = split["train"][:12] + split["validation"][:4]
    for number, name in enumerate(names):
        save_file(draw_clip(number), folder / "shots" / f"{name}.safetensors")
    shots = [{"name": name, "clip": name, "file": f"shots/{name}.safetensors", "speaker": "drawn"} for name in names]
    (folder / "index.json").write_text(json.dumps({"version": 1, "shots": shots, "failed": []}))
    return folder


def make_judge() -> Judge:
    torch.manual_seed(0)
    return Judge(TINY).eval()


def test_stacked_frames_give_the_3d_convolution() -> None:
    torch.manual_seed(0)
    layer = Conv3Frames(2, 5, 3).eval()
    frames = torch.randn(2, 7, 2, 9, 12)
    # The stacked weight is (out, 3 frames * channels, ...): frame by frame, channels inside.
    weight = layer.convolution.weight.unflatten(1, (3, 2)).transpose(1, 2)
    expected = functional.conv3d(frames.transpose(1, 2), weight, stride=(1, 2, 2), padding=(0, 1, 1)).transpose(1, 2)
    expected = functional.relu(expected / np.sqrt(1 + layer.norm.eps))
    torch.testing.assert_close(layer(frames), expected, rtol=1e-4, atol=1e-5)


def test_a_row_sees_its_five_frames_alone() -> None:
    judge = make_judge()
    mouths = torch.randn(1, 20, 56, 72)
    changed = mouths.clone()
    changed[:, 10] += 1
    moved = (judge.forward_lips(mouths) - judge.forward_lips(changed)).abs().amax(2)[0] > 1e-6
    # Row i holds frames i ... i + 4.
    assert moved.nonzero().flatten().tolist() == [6, 7, 8, 9, 10]


def test_rows_are_unit_vectors_one_per_whole_window() -> None:
    clip = draw_clip(0)
    lips = make_judge().embed_lips(clip["crops"])
    sound = make_judge().embed_audio(clip["waveform"], middle_times(clip["times_s"]))
    assert lips.shape == sound.shape == (71, 32)
    torch.testing.assert_close(lips.norm(dim=1), torch.ones(71))
    torch.testing.assert_close(sound.norm(dim=1), torch.ones(71))
    np.testing.assert_array_equal(middle_times(np.arange(7)), [2, 3, 4])


def test_a_long_clip_gives_the_rows_of_one_piece(monkeypatch) -> None:
    crops, judge = draw_clip(1, 40)["crops"], make_judge()
    whole = judge.embed_lips(crops)
    monkeypatch.setattr("g4g.metrics.judge._CHUNK_FRAMES", 7)
    torch.testing.assert_close(judge.embed_lips(crops), whole, rtol=1e-4, atol=1e-5)


def test_light_and_loudness_do_not_count() -> None:
    clip, judge = draw_clip(2), make_judge()
    darker = (clip["crops"] * 0.5).astype(np.uint8)
    assert (judge.embed_lips(clip["crops"]) * judge.embed_lips(darker)).sum(1).min() > 0.98
    times = middle_times(clip["times_s"])
    loud, quiet = (judge.embed_audio(clip["waveform"] * np.float32(gain), times) for gain in (1.0, 0.1))
    assert (loud * quiet).sum(1).min() > 0.98


def test_only_the_mouth_is_seen_in_grey() -> None:
    crops = np.zeros((1, 128, 128, 3), np.uint8)
    crops[:, 60:116, 28:100] = [100, 150, 200]
    mouths = cut_mouths(crops, Judge(TINY).mouth_box)
    assert mouths.shape == (1, 56, 72) and (mouths == 141).all()
    assert standardise(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)).mean() == pytest.approx(0, abs=1e-6)


def test_a_click_is_heard_in_the_windows_around_its_time() -> None:
    waveform = np.zeros(3 * RATE, np.float32)
    waveform[round(1.5 * RATE)] = 1.0
    windows = mfcc_windows(mfcc(waveform)[:20], np.arange(75) / 25)
    quiet = windows[0][:, :1]
    heard = np.flatnonzero((np.abs(windows - quiet) > 1).any((1, 2)))
    # A window reaches from 80 ms before its frame's time to 120 ms after; a step's own 25 ms widen it a little.
    assert heard.tolist() == [35, 36, 37, 38, 39]
    assert windows.shape == (75, 20, 20)


def test_sound_beyond_its_end_is_its_end() -> None:
    features = np.arange(30, dtype=np.float32)[None]
    windows = mfcc_windows(features, np.array([0.0, 10.0]))
    assert windows[0, 0, 0] == 0 and (windows[1] == 29).all()


@pytest.mark.parametrize("shape", [(4, 128, 128, 3), (9, 128, 128)])
def test_too_few_or_wrong_crops_are_refused(shape: tuple) -> None:
    with pytest.raises(ShapeError, match="at least 5 crops"):
        make_judge().embed_lips(np.zeros(shape, np.uint8))


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


def test_the_judge_never_trains_on_held_out_shots(drawn, tmp_path) -> None:
    split = read_split()
    with pytest.raises(DataError, match="wanted shots of the split"):
        load_clips(drawn, set(split["unseen_speakers"]), Judge(TINY).mouth_box, 1, 0)
    with pytest.raises(DataError, match="g4g prepare"):
        train_judge(tmp_path, tmp_path / "judge.safetensors")


def test_a_judge_serves_no_dub_and_no_training(drawn, tmp_path) -> None:
    path = tmp_path / "judge.safetensors"
    save_judge(path, make_judge(), {})
    with pytest.raises(CheckpointError, match="kind 'judge'"):
        load(path)
    for stage in ("aligner", "generator", "fusion"):
        with pytest.raises(CheckpointError, match="kind 'judge'"):
            train_stage(stage, drawn, tmp_path / "out.safetensors", weights=path, steps=1)


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
    judge, clip = make_judge(), draw_clip(3)
    save_judge(tmp_path / "judge.safetensors", judge, {"seed": 777})
    again = load_judge(tmp_path / "judge.safetensors")
    torch.testing.assert_close(again.embed_lips(clip["crops"]), judge.embed_lips(clip["crops"]), atol=2e-2, rtol=0)
