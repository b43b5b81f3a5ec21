"""What the benchmark of fine-tuning calls a gain."""

import pytest
from finetune import judge_gain, pick_best

from g4g.training.finetune_report import FinetuneReport
from g4g.training.speaker import SpeakerFigures

BEFORE = {"mouth_psnr_db": 25.0, "perceptual": 0.2, "opening_r": 0.8, "closures_met": 0.7}


@pytest.mark.parametrize(
    ("change", "minutes", "words"),
    [
        ({"mouth_psnr_db": 26.6}, 10, "+1.60 dB, perceptual +0% reached"),
        ({"mouth_psnr_db": 26.4}, 10, "+1.40 dB, perceptual +0% missed"),
        ({"perceptual": 0.15}, 10, "+0.00 dB, perceptual -25% reached"),
        ({"mouth_psnr_db": 25.8}, 2, "+0.80 dB, perceptual +0% reached"),
        ({"mouth_psnr_db": 25.8}, 1, "+0.80 dB, perceptual +0%"),
        ({"mouth_psnr_db": 27.0, "closures_met": 0.5}, 10, "+2.00 dB, perceptual +0% missed closures_met fell"),
    ],
)
def test_a_gain_is_held_against_the_goal_for_its_minutes(change, minutes, words):
    assert judge_gain(BEFORE, {**BEFORE, **change}, minutes) == words


def test_a_shorter_run_would_have_kept_its_best_look():
    base, good, best, later = (SpeakerFigures(db, 0.2, 0.8, 0.7) for db in (25.0, 25.5, 25.9, 26.5))
    curve = [(0.8, good), (1.5, best), (2.2, good), (9.0, later)]
    report = FinetuneReport("", True, True, base, later, curve, [])
    assert pick_best(report, 2) is best and pick_best(report, 10) is later and pick_best(report, 0.1) is base
