"""Evaluation of real clips with planted faults, of pairs by name, and of what failed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from g4g.errors import DataError, FaceError
from g4g.media import FrameFormat, NewSound, VideoWriter, probe, read_frames
from g4g.metrics import Judge, JudgeConfig, Phoneme, save_judge, write_phonemes
from g4g.metrics import evaluate as evaluation_module
from g4g.metrics.clip import ClipScores, measure_clip
from g4g.metrics.evaluate import Evaluation, evaluate, format_evaluation, match_files, read_list
from g4g.metrics.extras import Extras
from g4g.metrics.page import write_page
from g4g.metrics.syncnet import SyncNet

TINY = JudgeConfig(embedding=32, point_channels=32, audio_channels=(32, 32, 32))


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return Judge(TINY).eval()


@pytest.fixture(autouse=True)
def hears_all(monkeypatch):
    """The random judge of these tests hears nothing: let its scores pass."""
    monkeypatch.setattr("g4g.metrics.clip_sync.HEARD_LSE_C", -1.0)


@pytest.fixture(scope="module")
def short_clip(ffmpeg, grid_clip, tmp_path_factory):
    """1.6 s of the real clip, bit by bit the same pictures at every run."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    ffmpeg("-t", 1.6, "-i", grid_clip, "-crf", 12, path)
    return path


def _rewrite(clip: Path, out: Path, change) -> Path:
    info = probe(clip)
    with VideoWriter(out, FrameFormat(info.width, info.height, info.fps), NewSound(clip)) as writer:
        first = None
        for item in read_frames(clip):
            first = item.frame if first is None else first
            writer.write(change(item.frame, first))
    return out


def test_a_clip_against_itself_is_perfect(grid_clip, judge):
    scores = measure_clip(grid_clip, grid_clip, judge)
    dubbed = scores.rows["dubbed"]
    assert scores.frames == scores.frames_scored == 75
    assert dubbed["mouth_psnr"] == dubbed["frame_psnr"] == math.inf
    for name in ("mouth_ssim", "sharpness", "articulation", "opening_correlation", "jitter"):
        assert dubbed[name] == pytest.approx(1, abs=1e-6), name
    for name in ("seam", "colour_step", "mouth_distance"):
        assert dubbed[name] == pytest.approx(0, abs=1e-9), name
    for name in ("lse_d", "edge_gradient", "edge_step"):
        assert dubbed[name] == pytest.approx(scores.rows["real"][name], abs=1e-4), name
    assert dubbed["closures"] == 1
    assert math.isfinite(scores.rows["copied"]["mouth_psnr"])


def test_a_clip_that_the_judge_cannot_hear_has_no_sync_score_and_a_page(short_clip, judge, tmp_path, monkeypatch):
    monkeypatch.setattr("g4g.metrics.clip_sync.HEARD_LSE_C", 99.0)
    scores = measure_clip(short_clip, short_clip, judge)
    assert scores.is_heard is False and scores.distances == {} and "articulation" in scores.rows["dubbed"]
    assert not any("lse_c" in row or "offset_frames" in row for row in scores.rows.values())
    page = write_page(tmp_path / "report", Evaluation("g4g-judge", [scores])).read_text()
    assert "the judge cannot hear even the real video of this clip" in page and "Offsets" not in page


def test_a_frozen_mouth_and_a_blurred_one_show(short_clip, judge, tmp_path):
    frozen = measure_clip(_rewrite(short_clip, tmp_path / "frozen.mp4", lambda now, first: first), short_clip, judge)
    assert frozen.rows["dubbed"]["articulation"] < 0.05 and frozen.rows["dubbed"]["jitter"] < 0.5

    def blur(frame, first):
        wide = np.stack([np.roll(frame, shift, axis) for axis in (0, 1) for shift in (-1, 0, 1)]).astype(float)
        return wide.mean(0).round().astype(np.uint8)

    blurred = measure_clip(_rewrite(short_clip, tmp_path / "blurred.mp4", blur), short_clip, judge)
    plain = measure_clip(_rewrite(short_clip, tmp_path / "plain.mp4", lambda now, first: now), short_clip, judge)
    assert blurred.rows["dubbed"]["sharpness"] < 0.7 * plain.rows["dubbed"]["sharpness"]
    assert blurred.rows["dubbed"]["mouth_psnr"] < plain.rows["dubbed"]["mouth_psnr"]


def test_foreign_sound_has_no_true_mouth(short_clip, judge, voice_file):
    scores = measure_clip(short_clip, short_clip, judge, voice_file)
    assert "mouth_psnr" not in scores.rows["dubbed"] and "copied" not in scores.rows
    assert {"sharpness", "seam", "lse_c", "articulation"} <= set(scores.rows["dubbed"])


def test_what_fails_stays_and_what_is_known_is_not_measured_again(short_clip, judge, tmp_path, monkeypatch):
    judge_file, figures = tmp_path / "judge.safetensors", tmp_path / "figures.json"
    save_judge(judge_file, judge, {})
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    run = lambda: evaluate([short_clip, broken], [short_clip] * 2, judge=judge_file, json_file=figures)  # noqa: E731
    result = run()
    assert [bool(clip.error) for clip in result.clips] == [False, True]
    assert result.summarise()["dubbed"]["in_sync"] <= 0.5
    assert "2 clips, 1 failed" in format_evaluation(result) and str(broken) in format_evaluation(result)
    content = json.loads(figures.read_text())
    assert content["version"] == 4 and content["failed"] == 1
    assert content["clips"][0]["rows"]["dubbed"]["mouth_psnr"] is None, "infinity is no JSON"
    measured = []
    note = lambda *job, **more: measured.append(job) or ClipScores("", "", None)  # noqa: E731
    monkeypatch.setattr(evaluation_module, "measure_clip", note)
    again = run()
    assert len(measured) == 1 and str(measured[0][0]) == str(broken)
    assert again.clips[0].rows == content["clips"][0]["rows"] and again.summarise()["dubbed"]["articulation"] == 1


def test_a_mirrored_or_a_wrong_reference_is_noticed(short_clip, data_dir, judge, ffmpeg, tmp_path):
    ffmpeg("-t", 1, "-i", short_clip, "-vf", "hflip", tmp_path / "mirrored.mp4")
    ffmpeg("-t", 1, "-i", data_dir / "grid/s1/bbaf3s.mp4", tmp_path / "other.mp4")
    for wrong in (tmp_path / "mirrored.mp4", tmp_path / "other.mp4"):
        with pytest.raises(FaceError, match=r"by \d+ grey levels outside the mouth.*neither mirrored nor recoloured"):
            measure_clip(wrong, short_clip, judge)


def test_means_leave_out_what_a_clip_lacks():
    clips = [ClipScores("a", "a", None, rows={"dubbed": {"lse_c": 0.2, "offset_frames": 0}}),
             ClipScores("b", "b", None, rows={"dubbed": {"lse_c": 0.4, "offset_frames": 2, "seam": 3.0}}),
             ClipScores("c", "c", None, error="unreadable")]  # fmt: skip
    dubbed = Evaluation("judge", clips).summarise()["dubbed"]
    assert dubbed["lse_c"] == pytest.approx(0.3) and dubbed["seam"] == 3 and dubbed["in_sync"] == pytest.approx(1 / 3)


def test_files_are_matched_by_order_or_by_name(tmp_path):
    for name in ("dubs/talk-german.mp4", "dubs/news.mp4", "sources/talk.mov", "sources/news.mp4", "sources/ta.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pairs = match_files([tmp_path / "dubs"], [tmp_path / "sources"])
    assert [(dub.name, source.name) for dub, source, _ in pairs] == [
        ("news.mp4", "news.mp4"), ("talk-german.mp4", "talk.mov"),
    ]  # fmt: skip
    one = match_files([tmp_path / "dubs/news.mp4"], [tmp_path / "sources/ta.mp4"], ["x.wav"])
    assert one == [(tmp_path / "dubs/news.mp4", tmp_path / "sources/ta.mp4", Path("x.wav"))]
    with pytest.raises(DataError, match="no reference for talk-german.mp4"):
        match_files([tmp_path / "dubs"], [tmp_path / "sources/news.mp4"])
    with pytest.raises(DataError, match="no dubbed video"):
        match_files([], [])


def test_a_list_names_dubs_and_sources(tmp_path):
    file = tmp_path / "pairs.txt"
    file.write_text("# dubs\na-de.mp4, a.mp4\n\nb-de.mp4\tb.mp4  # the second\n")
    assert read_list(file) == [(tmp_path / f"{x}-de.mp4", tmp_path / f"{x}.mp4") for x in "ab"]
    file.write_text("a.mp4 b.mp4\n")
    with pytest.raises(DataError, match="line 1"):
        read_list(file)
    file.write_text("# none yet\n")
    with pytest.raises(DataError, match="lists nothing"):
        read_list(file)


def test_the_page_carries_all_that_it_shows(short_clip, judge, tmp_path):
    judge_file, broken = tmp_path / "judge.safetensors", tmp_path / "<broken>.mp4"
    save_judge(judge_file, judge, {})
    broken.write_bytes(b"no video")
    result = evaluate([short_clip, broken], [short_clip, short_clip], judge=judge_file)
    page = write_page(tmp_path / "report", result, "g4g evaluate").read_text()
    assert "data:video/mp4;base64," in page and "data:image/png;base64," in page and page.count("<svg") == 3
    assert "&lt;broken&gt;.mp4" in page and "<broken>" not in page
    assert "1 failed" in page and "src='http" not in page and "<script" not in page
    assert json.loads((tmp_path / "report" / "figures.json").read_text())["failed"] == 1


def test_the_official_score_stands_beside_the_judges(short_clip, voice_file, judge, ffmpeg, tmp_path, monkeypatch):
    monkeypatch.setattr("g4g.metrics.clip_sync.MIN_OFFICIAL_FRAMES", 45)  # 100 by itself
    torch.manual_seed(0)
    official = Extras(syncnet=SyncNet().eval())
    long, back = tmp_path / "long.mp4", "reverse,trim=start_frame=1,setpts=PTS-STARTPTS"
    to_and_fro = f"[0:v]split[a][b];[b]{back}[c];[a][c]concat=n=2:v=1:a=0[v]"
    inputs = ("-i", short_clip, "-i", voice_file, "-filter_complex", to_and_fro)
    ffmpeg(*inputs, "-map", "[v]", "-map", "1:a", "-t", 2, "-crf", 12, long)
    rows = measure_clip(long, short_clip, judge, voice_file, extras=official).rows
    dubbed = rows["dubbed"]
    assert {"syncnet_lse_d", "lse_d"} <= set(dubbed) and dubbed["syncnet_lse_d"] != dubbed["lse_d"]
    # The source played to and fro has no sound of its own; a clip that is too short has no official score.
    assert "lse_d" not in rows["real"]
    assert "syncnet_lse_d" not in measure_clip(short_clip, short_clip, judge, extras=official).rows["dubbed"]


def test_known_sounds_are_scored_for_the_dub_and_its_source(short_clip, judge, voice_file, tmp_path):
    sounds = [Phoneme("pafa"[i % 4], 0.1 * i, 0.1 * i + 0.1) for i in range(16)]
    own = measure_clip(short_clip, short_clip, judge, phonemes=sounds).rows
    names = [name for name in own["dubbed"] if name.startswith("phoneme_")]
    assert {"phoneme_closed_share", "phoneme_middle_auc", "phoneme_labiodental_auc", "phoneme_lag_frames"} <= set(names)
    assert "phoneme_rounding_auc" not in names, "no rounded vowel, no figure"
    assert [own["dubbed"][name] for name in names] == pytest.approx([own["real"][name] for name in names])
    foreign = measure_clip(short_clip, short_clip, judge, voice_file, phonemes=sounds).rows
    assert "phoneme_middle_auc" in foreign["undubbed"] and "phoneme_middle_auc" not in foreign["real"]

    judge_file, file = tmp_path / "judge.safetensors", tmp_path / "sounds.json"
    save_judge(judge_file, judge, {})
    write_phonemes(file, sounds)
    clips = evaluate([short_clip, short_clip], [short_clip, short_clip], judge=judge_file, phonemes=[file]).clips
    assert all(clip.rows["dubbed"]["phoneme_middle_auc"] == own["dubbed"]["phoneme_middle_auc"] for clip in clips)
    assert str(file) in clips[0].stamp
    with pytest.raises(DataError, match="does not exist"):
        evaluate([short_clip], [short_clip], judge=judge_file, phonemes=[tmp_path / "none.json"])
