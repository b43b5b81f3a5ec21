"""The benchmarks' own arithmetic, on planted answers; the figures themselves are for `python benchmarks/quality.py`."""

import math
from types import SimpleNamespace

import numpy as np
from dubs import mask_frame
from judging import report_rest, report_silence, report_sync
from pictures import report_closed
from sheets import sheet_columns

from g4g.metrics.clip import ClipScores
from g4g.metrics.evaluate import Evaluation


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
    paired = Evaluation("judge", [_clip(1, 0.3), _clip(0, 0, "no face")])
    figures = _by_name(report_sync(paired, None, "s1"))
    share = figures["paired dubs: offset within 1 frame of 0"]
    assert share.value == 0.5 and share.reached is False
    assert math.isclose(figures["paired dubs: LSE-C over real"].value, 0.75)
    assert not any(name.startswith("unpaired") for name in figures)


def test_a_mouth_that_rests_in_silence_has_no_deviation():
    figures = report_silence(Evaluation("judge", [_clip(0, 0.1)]), "s1")
    assert [figure.value for figure in figures] == [0.0, 0.0] and all(figure.reached for figure in figures)


def test_goals_with_two_sides_and_edges_over_the_source_s():
    clip = _clip(0, 0.4)
    clip.rows["dubbed"] |= {"sharpness": 1.2, "articulation": 1.1, "edge_gradient": 3.3, "edge_step": 6.0}
    clip.rows["real"] |= {"edge_gradient": 3.0, "edge_step": 5.0}
    verdicts = {figure.name.split(": ")[1]: figure.reached for figure in report_rest(Evaluation("judge", [clip]), "s1")}
    assert verdicts["sharpness of the mouth over the source's"] is False
    assert verdicts["articulation (range of the opening over real)"] is True
    assert verdicts["gradient across the mask's edge over real"] is True
    assert verdicts["colour step across the mask's edge over real"] is False


def test_the_frames_that_serve_as_reference_do_not_count():
    table = np.array([[1.0, 10.0, 0], [1.0, 10.0, 0], [1e-9, 0.0, 1]])
    above = _by_name(report_closed([table], "s1"))["generator: above copying the most closed, dB"]
    assert math.isclose(above.value, 10.0) and above.count == 2 and above.reached


def test_the_mask_on_a_frame_lies_where_the_crop_lies():
    jaw = np.stack([np.linspace(20, 108, 17), 64 + 50 * np.sin(np.linspace(0, np.pi, 17))], 1)
    landmarks = np.concatenate([jaw, np.full((51, 2), 64.0)]).astype(np.float32)
    shifted = np.array([[1.0, 0, -30], [0, 1.0, -10]])
    mask = mask_frame(landmarks, shifted, (200, 200))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert 30 <= columns[0] and columns[-1] < 158 and 10 + 48 <= rows[0] + 1 and rows[-1] < 138
    assert not mask_frame(landmarks, np.array([[1.0, 0, -900], [0, 1.0, 0]]), (200, 200)).any()


def test_a_sheet_shows_the_first_and_the_last_frame():
    assert sheet_columns(75)[0] == 0 and sheet_columns(75)[-1] == 74


def test_foreign_sound_is_never_the_own():
    from clips import choose_foreign

    clips = [SimpleNamespace(group="unseen", name=name) for name in "abcd"]
    pairs = [(clip.name, sound.name) for clip, sound in choose_foreign(clips)]
    assert len(pairs) == 12 and all(a != b for a, b in pairs)
