"""The verdict of an evaluation in words: what is good, what is not, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field

from g4g.metrics.evaluate import Evaluation

MANY_CLIPS = 10
"""With fewer clips, one odd clip can turn a mean."""
_MOST_LEFT_OUT = 0.2
"""A larger share of frames that no figure counts is said."""


@dataclass(frozen=True)
class Rule:
    """When a mean figure of the dubs is good: within `lowest` and `highest`; `words` say what it is about.

    `over` names the row by which it is divided first: a figure that means something only beside the real video's.
    """

    figure: str
    words: str
    lowest: float = float("-inf")
    highest: float = float("inf")
    over: str = ""


RULES = (
    Rule("in_sync", "share of dubs whose lips and sound are within one frame of each other", lowest=0.9),
    Rule("phoneme_closed_share", "share of p, b, m at which the lips meet", lowest=0.9),
    Rule("closures", "share of the real mouth's closures at which the dub closes too", lowest=0.9),
    Rule("opening_correlation", "the mouth opens when the real one does (1 is perfect)", lowest=0.6),
    Rule("articulation", "how far the mouth moves, over the source's", 0.7, 1.3),
    Rule("jitter", "quiver of jaw and mouth, over the source's", highest=1.1),
    Rule("sharpness", "fine detail of the mouth, over the source's", 0.85, 1.15),
    Rule("edge_gradient", "edge of the new area, over the same place in the source", highest=1.1, over="real"),
    Rule("edge_step", "step of colour across that edge, over the source's", highest=1.1, over="real"),
    Rule("identity", "resemblance of the face (1 is the same picture)", lowest=0.9),
)
"""What the verdict looks at, the most telling first; the limits are our choice, and the goals of docs/figures.md."""


@dataclass
class Verdict:
    """Sentences: what is `good`, what is `bad`, and what makes both `unsure`."""

    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        looked = len(self.good) + len(self.bad)
        if not looked:
            return "Nothing could be measured."
        if not self.bad:
            return f"Good in all {looked} respects that were looked at."
        return f"Good in {len(self.good)} of {looked} respects that were looked at."

    def lines(self) -> list[str]:
        """All of it as lines of text."""
        groups = (("good", self.good), ("not good", self.bad), ("how sure", self.unsure))
        return [self.headline, *(f"  {name}: {words}" for name, group in groups for words in group)]


def reach_verdict(evaluation: Evaluation) -> Verdict:
    """Say in words what the figures of an evaluation mean."""
    summary, verdict = evaluation.summarise(), Verdict()
    dubbed, total = summary.get("dubbed", {}), len(evaluation.clips)
    failed = sum(bool(clip.error) for clip in evaluation.clips)
    if failed:
        verdict.bad.append(f"{failed} of {total} dubs could not be measured; each counts as out of sync")
    for rule in RULES:
        value = dubbed.get(rule.figure)
        base = summary.get(rule.over, {}).get(rule.figure) if rule.over else 1.0
        if value is None or not base:
            continue
        value /= base
        is_good = rule.lowest <= value <= rule.highest
        (verdict.good if is_good else verdict.bad).append(f"{rule.words}: {value:.2f} ({_wish(rule)})")
    verdict.unsure += _doubts(evaluation, dubbed, total)
    return verdict


def _wish(rule: Rule) -> str:
    if rule.lowest == float("-inf"):
        return f"at most {rule.highest:g} is good"
    if rule.highest == float("inf"):
        return f"{rule.lowest:g} or more is good"
    return f"{rule.lowest:g} to {rule.highest:g} is good"


def _doubts(evaluation: Evaluation, dubbed: dict[str, float], total: int) -> list[str]:
    doubts = []
    if total < MANY_CLIPS:
        clips = "a single clip" if total == 1 else f"{total} clips"
        doubts.append(f"{clips}: another one may be better or worse; {MANY_CLIPS} or more tell what to expect")
    if unheard := [clip for clip in evaluation.clips if clip.is_heard is False]:
        names = "this clip" if total == 1 else f"{len(unheard)} of {total} clips"
        doubts.append(
            f"the judge cannot hear even the real video of {names}: its lips and its own sound fit no better than by "
            "chance, so sync is not scored there"
        )
    if "in_sync" not in dubbed:
        doubts.append("sync could not be scored")
    left_out = 1 - dubbed.get("scored_share", 1.0)
    if left_out > _MOST_LEFT_OUT:
        doubts.append(f"{left_out:.0%} of the frames show no face in source and dub, and count in no figure")
    if not any(clip.audio is None for clip in evaluation.clips if not clip.error):
        unknown = "mouth_psnr, closures, opening_correlation"
        doubts.append(f"with a new sound nobody knows the true mouth: {unknown} do not exist")
    return doubts
