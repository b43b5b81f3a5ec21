"""The benchmarks' own arithmetic, on planted answers; the figures themselves are for `python benchmarks/quality.py`."""

import math
from types import SimpleNamespace

import numpy as np
from clips import GROUPS, find_group
from command import format_groups
from dubs import mask_frame
from judging import report_copy, report_rest, report_silence, report_sync
from sheets import sheet_columns

from g4g.dubbing import DubbedFace
from g4g.metrics.clip import ClipScores
from g4g.metrics.evaluate import Evaluation
from g4g.metrics.report import Figure
from g4g.training.data import read_split


def _clip(offset: int, confidence: float, error: str = "") -> ClipScores:
    """A dub with one sync score, beside a real clip that is in sync."""
    real = {"offset_frames": 0, "lse_c": 0.4, "lse_d": 1.0, "open_share": 0.5}
    made = {"offset_frames": offset, "lse_c": confidence, "lse_d": 1.0, "open_share": 0.0}
    rows = {} if error else {"dubbed": made, "real": real, "undubbed": made}
    openings = {"dubbed": [0.1, 0.1], "real": [0.0, 0.4]}
    return ClipScores("dub", "source", None, rows=rows, openings=openings, error=error)


def _by_name(figures):
    return {figure.name: figure for figure in figures}


def test_a_failed_dub_counts_as_out_of_sync():
    own = Evaluation("judge", [_clip(1, 0.3), _clip(0, 0, "no face")])
    figures = _by_name(report_sync(own, None, "s1"))
    share = figures["own sound: offset within 1 frame of 0"]
    assert share.value == 0.5 and share.reached is False
    assert math.isclose(figures["own sound: LSE-C over real"].value, 0.75)
    assert not any(name.startswith("foreign") for name in figures)


def test_a_mouth_that_rests_in_silence_has_no_deviation():
    figures = report_silence(Evaluation("judge", [_clip(0, 0.1)]), "s1")
    assert [figure.value for figure in figures] == [0.0, 0.0] and all(figure.reached for figure in figures)


def test_goals_with_two_sides_and_edges_over_the_source_s():
    clip = _clip(0, 0.4)
    clip.rows["dubbed"] |= {"sharpness": 1.2, "articulation": 1.1, "edge_gradient": 3.2, "edge_step": 6.0}
    clip.rows["real"] |= {"edge_gradient": 3.0, "edge_step": 5.0}
    verdicts = {figure.name.split(": ")[1]: figure.reached for figure in report_rest(Evaluation("judge", [clip]), "s1")}
    assert verdicts["sharpness of the mouth over the source's, 128 px"] is False
    assert verdicts["articulation (range of the opening over real)"] is True
    assert verdicts["gradient across the mask's edge over real"] is True
    assert verdicts["colour step across the mask's edge over real"] is False


def test_own_sound_is_held_against_copying():
    clip = _clip(0, 0.4)
    clip.rows["dubbed"] |= {"mouth_psnr": 33.0, "opening_correlation": 0.9}
    clip.rows["copied"] = {"mouth_psnr": 27.0}
    above, opening = report_copy(Evaluation("judge", [clip]), "s1")
    assert above.value == 6.0 and above.reached and opening.value == 0.9 and opening.reached is False


def test_the_mask_on_a_frame_lies_where_the_crop_lies():
    taken = np.zeros((256, 256), np.float32)
    taken[100:200, 40:220] = 0.5
    face = DubbedFace(taken, np.array([[1.0, 0, -30], [0, 1.0, -10]]))
    mask = mask_frame(face, (200, 200))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # 2 px of the crop are 1 px of the frame; sampling reaches 2 px of the crop further.
    assert abs(rows[0] - (10 + 49)) <= 1 and abs(rows[-1] - (10 + 101)) <= 1
    assert abs(columns[0] - (30 + 19)) <= 1 and abs(columns[-1] - (30 + 111)) <= 1
    assert not mask_frame(DubbedFace(taken, np.array([[1.0, 0, -900], [0, 1, 0]])), (200, 200)).any()


def test_every_group_has_held_out_clips_and_no_other():
    split = read_split()
    assert {part for part, _ in GROUPS.values()} <= split.keys() - {"train"}
    assert find_group(split["train"][0], "s1") is None
    assert find_group(split["validation"][0], "s1") == "s1" and find_group("wild_glasses", "glasses") == "glasses"


def test_groups_stand_side_by_side_with_the_goal_and_what_misses_it():
    figures = [Figure("p", "a", "x", 0.5, 3, target=0.6), Figure("p", "b", "x", 0.7, 1, target=0.6)]
    figures.append(Figure("p", "b", "y", 2.0, 1))
    table = format_groups(figures).splitlines()
    assert table[0] == "|  | a (3) | b (1) | goal |"
    assert table[2:] == ["| x | 0.5 ! | 0.7 | >= 0.6 |", "| y |  | 2 |  |"]


def test_a_sheet_shows_the_first_and_the_last_frame():
    assert sheet_columns(75)[0] == 0 and sheet_columns(75)[-1] == 74


def test_foreign_sound_is_never_the_own():
    from clips import choose_foreign

    clips = [SimpleNamespace(group="unseen", name=name) for name in "abcd"]
    pairs = [(clip.name, sound.name) for clip, sound in choose_foreign(clips)]
    assert len(pairs) == 12 and all(a != b for a, b in pairs)
