"""Points 3 and 4: sync by the judge, what silence does, and what the mask spares."""

from __future__ import annotations

import numpy as np
from clips import Clip
from dubs import Dub

from g4g.metrics import SyncScore, jitter, mouth_distance, mouth_opening
from g4g.metrics.report import Figure

_CHANCE = 3 / 31
"""Offsets of -1, 0 and 1 among 31."""
_OFFSET_TARGETS = {"paired dubs": 0.98, "unpaired dubs": 0.95}
_LSE_C_SHARE = 0.85
_SILENCE_SHARE = 1 / 3


def report_sync(scores: dict[str, list[SyncScore | None]], group: str) -> list[Figure]:
    """Report sync of real clips, undubbed video with foreign sound, paired and unpaired dubs.

    Args:
        scores: kind of clip -> one score per clip; None for a dub that failed: it counts as out of sync.
    """
    real = _mean_confidence(scores["real clips"])
    figures = []
    for kind, results in scores.items():
        if not results:  # one clip alone has no foreign sound
            continue
        done = [score for score in results if score is not None]
        right = [score is not None and abs(score.offset_frames) <= 1 for score in results]
        share = float(np.mean(right))
        target = _OFFSET_TARGETS.get(kind) if group in ("s1", "unseen") else None
        confidence, distance = _mean_confidence(done), float(np.mean([s.lse_d for s in done])) if done else float("nan")
        wanted = _LSE_C_SHARE if kind in _OFFSET_TARGETS and group == "s1" else None
        count = len(results)
        figures += [
            Figure("3 sync", group, f"{kind}: offset within 1 frame of 0", share, count, _CHANCE, "chance", target),
            Figure("3 sync", group, f"{kind}: LSE-C (mean)", confidence, count, real, "real"),
            Figure("3 sync", group, f"{kind}: LSE-C over real", confidence / real, count, 1.0, "real", wanted),
            Figure("3 sync", group, f"{kind}: LSE-D (mean)", distance, count),
        ]
        if len(done) < count:
            figures.append(Figure("3 sync", group, f"{kind}: failed", count - len(done), count, target=0, wish="<="))
    return figures


def report_mask(dubs: list[Dub], group: str) -> Figure:
    """Report how many pixels outside the mask differ from the source."""
    changed, outside = sum(d.outside_changed for d in dubs), sum(d.outside for d in dubs)
    name = f"pixels outside the mask that changed, of {outside / 1e6:.1f} million"
    return Figure("4 mask", group, name, changed, len(dubs), target=0, wish="<=")


def report_silence(clips: list[Clip], silent: list[Dub], group: str) -> list[Figure]:
    """Report how much mouths move with digital silence as sound, against the real clips."""
    real = float(np.mean([mouth_opening(clip.shot.landmarks).std() for clip in clips]))
    still = float(np.mean([dub.openings.std() for dub in silent]))
    count, point = len(silent), "4 silence"
    return [
        Figure(point, group, "deviation of the mouth opening over the real clips'", still / real, count, 1.0, "real",
               _SILENCE_SHARE, "<="),
        Figure(point, group, "mean mouth opening", float(np.mean([dub.openings.mean() for dub in silent])), count,
               float(np.mean([mouth_opening(clip.shot.landmarks).mean() for clip in clips])), "real"),
    ]  # fmt: skip


def report_motion(clips: list[Clip], dubs: list[Dub], group: str) -> list[Figure]:
    """Report how far paired dubs open the mouth, how far it lies from the real one, and how much the face trembles."""
    opened, apart, trembles, lost = [], [], [], 0
    for clip, dub in zip(clips, dubs, strict=True):
        seen = np.isfinite(dub.landmarks[:, 0, 0])
        lost += int((~seen).sum())
        real = clip.frame_landmarks
        opened.append(dub.openings.std() / mouth_opening(real).std())
        apart.append(mouth_distance(dub.landmarks[seen], real[seen]).mean())
        if seen.all():
            trembles.append(jitter(dub.landmarks) / jitter(real))
    count, point = len(dubs), "beside"
    return [
        Figure(point, group, "paired: deviation of the mouth opening over real", _mean(opened), count, 1.0, "real"),
        Figure(point, group, "paired: mouth landmarks' distance over eyes'", _mean(apart), count, 0.0, "real"),
        Figure(point, group, "paired: jitter over real", _mean(trembles), len(trembles), 1.0, "real"),
        Figure(point, group, "paired: frames in which no face was found again", lost, count, target=0, wish="<="),
    ]


def _mean_confidence(scores: list[SyncScore]) -> float:
    return _mean([score.lse_c for score in scores])


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
