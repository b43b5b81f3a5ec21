"""The benchmarks' own arithmetic, on planted answers; the figures themselves are for `python benchmarks/quality.py`."""

import math
from types import SimpleNamespace

import numpy as np
import torch
from dubs import mask_frame, sheet_columns
from judging import report_sync
from pictures import report_pictures

from g4g.metrics import SyncScore


def _score(offset: int, confidence: float) -> SyncScore:
    return SyncScore(1.0, confidence, offset, torch.zeros(31))


def _by_name(figures):
    return {figure.name: figure for figure in figures}


def test_a_failed_dub_counts_as_out_of_sync():
    scores = {"real clips": [_score(0, 0.4)] * 2, "paired dubs": [_score(1, 0.3), None], "unpaired dubs": []}
    figures = _by_name(report_sync(scores, "s1"))
    share = figures["paired dubs: offset within 1 frame of 0"]
    assert share.value == 0.5 and share.reached is False
    assert math.isclose(figures["paired dubs: LSE-C over real"].value, 0.75)
    assert figures["paired dubs: failed"].value == 1
    assert not any(name.startswith("unpaired") for name in figures)


def test_the_frames_that_serve_as_reference_do_not_count():
    table = np.array([[1.0, 10.0, 0], [1.0, 10.0, 0], [1e-9, 0.0, 1]])
    above = _by_name(report_pictures([table], "s1", "generator"))["generator: above copying, dB"]
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
