"""Which shots of a user's clips are used, what is said of them, and how an end is held out."""

import json

import numpy as np
import pytest

from g4g.aligner import Offset
from g4g.audio import log_mel
from g4g.training.data import Shot, read_entries
from g4g.training.prepare import prepare
from g4g.training.select_clips import SyncCheck, hold_out_tail, select_shots
from g4g.zoo import load


def _encode(waveform: np.ndarray) -> np.ndarray:
    mel = log_mel(waveform).reshape(16, 5, -1).mean(1)
    return mel[:, np.arange(0, mel.shape[1], 1.6).astype(int)].T


@pytest.fixture(scope="module")
def folder(data_dir, in_process, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    with in_process():
        prepare([data_dir / "grid/s1/bbaf3s.mp4", data_dir / "grid/s26/pbbg5p.mpg"], folder, crop_px=128)
    return folder


@pytest.fixture
def nobody() -> SyncCheck:
    """Nobody measures offsets."""
    return SyncCheck(None, "toy", _encode)


def test_sync_is_told_and_refuses_nothing(folder, nobody):
    check = SyncCheck(load("g4g-tiny").aligner, "toy", _encode)
    entries = read_entries(folder)[:1]
    shots, [verdict] = select_shots(folder, entries, check)
    assert verdict.used and len(shots) == 1 and "peak" in verdict.note
    shots, [verdict] = select_shots(folder, entries, nobody)
    assert verdict.used and verdict.note == "" and shots[0].times_s[0] == 0 and shots[0].speech.shape[1] == 16


def test_a_clear_offset_is_put_right_and_told(folder, monkeypatch):
    offsets = iter([Offset(6.0, 9.0, True), Offset(6.0, 1.0, False)])
    monkeypatch.setattr("g4g.training.select_clips.measure_offset", lambda *_: next(offsets))
    check = SyncCheck(load("g4g-tiny").aligner, "toy", _encode)
    (late, unclear), verdicts = select_shots(folder, read_entries(folder), check, one_person=True)
    assert late.times_s[0] == pytest.approx(-6 / 25) and unclear.times_s[0] == 0
    assert "shifted by +6.0 frames (peak 9.0)" in verdicts[0].note and "not clear (peak 1.0)" in verdicts[1].note


def test_a_small_face_is_used_and_told_but_silence_is_left_out(folder, nobody, monkeypatch):
    monkeypatch.setattr("g4g.training.select_clips._SMALL_FACE_PX", 1000)
    shots, [verdict] = select_shots(folder, read_entries(folder)[:1], nobody)
    assert len(shots) == 1 and "small face" in verdict.note
    monkeypatch.setattr("g4g.training.select_clips._SILENT", 9.0)
    shots, [verdict] = select_shots(folder, read_entries(folder)[:1], nobody)
    assert not shots and not verdict.used and verdict.note == "no speech"


def test_another_person_is_set_aside_unless_all_are_one(folder, nobody):
    entries = read_entries(folder)
    shots, verdicts = select_shots(folder, entries, nobody)
    assert len(shots) == 1 and "another person" in next(v.note for v in verdicts if not v.used)
    assert len(select_shots(folder, entries, nobody, one_person=True)[0]) == 2


def test_no_shots_are_no_error(folder, nobody):
    assert select_shots(folder, [], nobody) == ([], [])
    assert json.loads((folder / "index.json").read_text())["crop_px"] == 128


def test_the_end_is_held_out_with_a_gap():
    def shot(n):
        crops, mesh = np.zeros((100, 2, 2, 3)), np.zeros((100, 478, 3))
        return Shot(f"{n}", f"{n}", "a", crops, mesh, np.arange(100) / 25, np.zeros(9))

    train, held = hold_out_tail([shot(0), shot(1)], 0.2, 25, 1000)
    assert [len(part) for part in train] == [100, 50] and [len(part) for part in held] == [40]
    assert held[0].times_s[0] == pytest.approx(60 / 25) and len(held[0].crops) == 40
