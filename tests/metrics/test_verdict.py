"""The verdict in words: planted figures, planted doubts; and a page that fits a phone."""

import re

from g4g.metrics.clip import ClipScores
from g4g.metrics.evaluate import Evaluation, format_evaluation
from g4g.metrics.kinds import KINDS
from g4g.metrics.tables import clip_figures, clip_table, summary_table
from g4g.metrics.verdict import reach_verdict


def make_clip(audio: str | None = None, **figures: float) -> ClipScores:
    dubbed = {"offset_frames": 0, "sharpness": 1.0, "jitter": 1.0, "edge_gradient": 2.0, "scored_share": 1.0} | figures
    rows = {"dubbed": dubbed, "real": {"edge_gradient": 2.0, "offset_frames": 0}}
    return ClipScores("dub.mp4", "talk.mp4", audio, 75, 75, rows=rows, is_heard=True)


def test_many_good_clips_are_good_without_a_doubt():
    verdict = reach_verdict(Evaluation("judge", [make_clip() for _ in range(10)]))
    assert verdict.headline == "Good in all 4 respects that were looked at."
    assert verdict.bad == verdict.unsure == []
    assert "lips and sound are within one frame of each other: 1.00 (0.9 or more is good)" in verdict.good[0]


def test_what_is_not_good_is_named_with_its_figure_and_the_limit():
    clip = make_clip(sharpness=0.6, jitter=1.4, offset_frames=4, edge_gradient=2.6)
    verdict = reach_verdict(Evaluation("judge", [clip]))
    words = "\n".join(verdict.bad)
    assert verdict.headline == "Good in 0 of 4 respects that were looked at." and not verdict.good
    assert "0.60 (0.85 to 1.15 is good)" in words and "1.40 (at most 1.1 is good)" in words
    assert "1.30 (at most 1.1 is good)" in words, "over the real row"
    assert "a single clip: another one may be better or worse" in verdict.unsure[0]


def test_failures_and_doubts_are_told():
    unheard = make_clip("voice.wav", scored_share=0.5)
    unheard.is_heard = False
    del unheard.rows["dubbed"]["offset_frames"]
    verdict = reach_verdict(Evaluation("judge", [unheard, ClipScores("a.mp4", "b.mp4", None, error="unreadable")]))
    doubts = "\n".join(verdict.unsure)
    assert "1 of 2 dubs could not be measured" in verdict.bad[0]
    assert "the judge cannot hear even the real video of 1 of 2 clips" in doubts
    assert "50% of the frames show no face" in doubts and "nobody knows the true mouth" in doubts


def test_a_clip_that_the_judge_cannot_hear_counts_neither_way():
    unheard = make_clip()
    unheard.is_heard = False
    del unheard.rows["dubbed"]["offset_frames"]
    clips = [make_clip(), unheard, ClipScores("a.mp4", "b.mp4", None, error="unreadable")]
    assert Evaluation("judge", clips).summarise()["dubbed"]["in_sync"] == 0.5


def test_nothing_measured_is_said():
    verdict = reach_verdict(Evaluation("judge", [ClipScores("a.mp4", "b.mp4", None, error="unreadable")]))
    assert verdict.headline.startswith("Good in 0 of 1") and "sync could not be scored" in verdict.unsure


def test_every_table_has_units():
    clip = make_clip(mouth_psnr=30.0)
    evaluation = Evaluation("judge", [clip])
    for table in (summary_table(evaluation), clip_figures(clip), clip_table(evaluation)):
        names = re.findall(r"<t[dh]>([a-z ]+) [^<a-z]*<small>([^<]+)</small>", table)
        assert len(names) >= 3, table
        for name, unit in names:
            kind = KINDS.get(name.strip().replace(" ", "_"))
            assert unit == ((kind.unit or "plain number") if kind else "share")
    text = format_evaluation(evaluation).splitlines()
    assert text[0].split()[-1] == "unit" and ["up", "dB"] in [line.split()[-2:] for line in text]
