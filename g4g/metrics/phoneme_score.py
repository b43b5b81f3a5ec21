"""Do lips do what each known sound asks for: meet at p, b, m, open at a, touch the teeth at f, narrow at u, in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from g4g.config import SCORE_FPS
from g4g.metrics.mouth import MouthTrace
from g4g.metrics.phonemes import CLOSE_VOWELS, Phoneme

CLOSED_GAP = 0.03
"""The inner lips meet below this gap, over the distance of the outer eye corners."""
MAX_LAG_FRAMES = 6
MIN_COUNT = 3
"""A figure needs at least this many sounds of each kind that it compares."""

_CHANCE_SHIFTS = 8
"""Chance is the mean over the same mouth with its motion moved by this many equal parts of its length."""
_OPENINGS = {"open": 1.0, "vowel": 0.6, "close": 0.35, "consonant": 0.3, "labiodental": 0.1, "closure": 0.0}
"""How far a mouth opens for which sound, roughly: only their order matters for the lag."""
_PAUSE_OPENING = 0.05
_STEP_S = 0.005
_BLUR_S = 0.04
"""Lips need some time from sound to sound."""


@dataclass(frozen=True)
class PhonemeScore:
    """What the lips do at known sounds; None where there are fewer than MIN_COUNT sounds of a kind.

    Attributes:
        closed_share: share of p, b, m at which the inner lips meet. closed_chance: the same for lips that move as
            far, but at other times: a mouth that is mostly closed has much by chance.
        closure_auc: how surely the gap tells p, b, m (its smallest value) from open vowels (its largest): 1 always,
            0.5 for a still mouth. closure_auc_chance: the same at other times; above 0.5, since a smallest value lies
            below a largest one.
        middle_auc: the same by the mean gap of their middle halves; chance is 0.5.
        open_gap: mean of the largest gaps at open vowels: lips that hardly open are closed for nothing.
        labiodental_auc: how surely the lower lip is nearer to the teeth at f and v than at vowels; chance is 0.5.
        rounding_auc: how surely the mouth is narrower at rounded vowels and w than at other vowels; chance is 0.5.
        lag_frames: the shift, in frames of 1/25 s, at which the opening fits best; > 0: the lips come after the sound.
        lag_correlation: how well it fits there.
        closures, open_vowels, labiodentals, vowels, rounded, unrounded: how many sounds were measured.
    """

    closed_share: float | None
    closed_chance: float | None
    closure_auc: float | None
    closure_auc_chance: float | None
    middle_auc: float | None
    open_gap: float | None
    labiodental_auc: float | None
    rounding_auc: float | None
    lag_frames: int | None
    lag_correlation: float | None
    closures: int
    open_vowels: int
    labiodentals: int
    vowels: int
    rounded: int
    unrounded: int


def score_phonemes(phonemes: Sequence[Phoneme], mouth: MouthTrace) -> PhonemeScore:
    """Score the lips of a video against the phonemes of its sound.

    Args:
        phonemes: with times on the video's clock.
        mouth: as `measure_mouth` makes it, T >= 2 frames in order; a sound during which no face was found is left out.
    Returns:
        PhonemeScore.
    Source:
        Our choice. Lips meet within a phoneme's time widened by a frame on both sides; f, v and rounded vowels are
        measured by the mean of their middle half, so that nothing favours either side.
    Example:
        >>> times = np.arange(50) / 25
        >>> gap = np.where(times % 0.4 < 0.2, 0.0, 0.2)
        >>> sounds = [Phoneme("pa"[i % 2], 0.2 * i, 0.2 * i + 0.2) for i in range(10)]
        >>> score_phonemes(sounds, MouthTrace(times, gap, gap, gap)).closed_share
        1.0
    """
    closed, opened = _find_extremes(phonemes, mouth.times_s, mouth.gap)
    chance = [_find_extremes(phonemes, mouth.times_s, gap) for gap in _move_elsewhere(mouth.gap)]
    shut = _measure_middles(phonemes, lambda p: p.is_closure, mouth.times_s, mouth.gap)
    ajar = _measure_middles(phonemes, lambda p: p.is_open_vowel, mouth.times_s, mouth.gap)
    near = _measure_middles(phonemes, lambda p: p.is_labiodental, mouth.times_s, mouth.lower_lip)
    far = _measure_middles(phonemes, lambda p: p.is_vowel, mouth.times_s, mouth.lower_lip)
    narrow = _measure_middles(phonemes, lambda p: p.is_rounded is True, mouth.times_s, mouth.width)
    wide = _measure_middles(phonemes, lambda p: p.is_rounded is False, mouth.times_s, mouth.width)
    lag_frames, lag_correlation = find_lag(phonemes, mouth)
    return PhonemeScore(
        _share_closed(closed), _mean([_share_closed(low) for low, _ in chance]), rank_auc(closed, opened),
        _mean([rank_auc(low, high) for low, high in chance]), rank_auc(shut, ajar),
        float(opened.mean()) if len(opened) >= MIN_COUNT else None, rank_auc(near, far), rank_auc(narrow, wide),
        lag_frames, lag_correlation, len(closed), len(opened), len(near), len(far), len(narrow), len(wide),
    )  # fmt: skip


def rank_auc(low: np.ndarray, high: np.ndarray) -> float | None:
    """Tell how often a value of `low` lies below one of `high`, equal ones counting half.

    Args:
        low, high: (N,) and (M,).
    Returns:
        0 to 1, 0.5 by chance; None with fewer than MIN_COUNT values on a side.
    Source:
        Area under the ROC curve, as Mann and Whitney 1947 count it.
    """
    if min(len(low), len(high)) < MIN_COUNT:
        return None
    pairs = np.asarray(low)[:, None], np.asarray(high)[None]
    return float((pairs[0] < pairs[1]).mean() + 0.5 * (pairs[0] == pairs[1]).mean())


def expect_opening(phonemes: Sequence[Phoneme], times_s: np.ndarray) -> np.ndarray:
    """Draw how far a mouth would open for the phonemes: 0 closed, 1 wide open, smooth over time.

    Args:
        phonemes: in order.
        times_s: (T,), when.
    Returns:
        (T,).
    Source:
        Our choice.
    """
    grid = np.arange(-1.0, max((p.stop_s for p in phonemes), default=0.0) + 1.0, _STEP_S)
    opening = np.full(len(grid), _PAUSE_OPENING)
    for phoneme in phonemes:
        opening[(grid >= phoneme.start_s) & (grid < phoneme.stop_s)] = _OPENINGS[_kind_of(phoneme)]
    return np.interp(times_s, grid, gaussian_filter1d(opening, _BLUR_S / _STEP_S, mode="nearest"))


def find_lag(phonemes: Sequence[Phoneme], mouth: MouthTrace) -> tuple[int | None, float | None]:
    """Find by how many frames of 1/25 s the lips come after the sound.

    Args:
        phonemes, mouth: as for `score_phonemes`.
    Returns:
        The lag of at most MAX_LAG_FRAMES whose `expect_opening` correlates best with the gap, and that correlation;
        None twice for a mouth that never moves, or with fewer than MIN_COUNT phonemes or frames.
    Source:
        Our choice; steadier than the AUC, which is 1 at several lags of a good mouth.
    """
    seen = np.isfinite(mouth.gap)
    gap, times_s = mouth.gap[seen], mouth.times_s[seen]
    if min(len(gap), len(phonemes)) < MIN_COUNT or np.ptp(gap) < 1e-6:
        return None, None
    lags = range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)
    fits = [np.corrcoef(gap, expect_opening(phonemes, times_s - lag / SCORE_FPS))[0, 1] for lag in lags]
    best = int(np.nanargmax(fits))
    return lags[best], float(fits[best])


def _kind_of(phoneme: Phoneme) -> str:
    if phoneme.is_closure:
        return "closure"
    if phoneme.is_labiodental:
        return "labiodental"
    if phoneme.is_open_vowel:
        return "open"
    if phoneme.letters[:1] in CLOSE_VOWELS:
        return "close"
    return "vowel" if phoneme.is_vowel else "consonant"


def _find_extremes(phonemes: Sequence[Phoneme], times_s: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest gap at each closure and the largest at each open vowel, a frame more on both sides."""
    frame_s = float(np.median(np.diff(times_s)))
    found: dict[bool, list[float]] = {True: [], False: []}
    for phoneme in phonemes:
        if phoneme.is_closure or phoneme.is_open_vowel:
            near = gap[(times_s >= phoneme.start_s - frame_s) & (times_s < phoneme.stop_s + frame_s)]
            near = near[np.isfinite(near)]
            if len(near):
                found[phoneme.is_closure].append(near.min() if phoneme.is_closure else near.max())
    return np.array(found[True]), np.array(found[False])


def _measure_middles(
    phonemes: Sequence[Phoneme], wanted: Callable[[Phoneme], bool], times_s: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Average values (T,) over the middle half of each wanted phoneme; one with a lost frame there is left out."""
    frame_s = float(np.median(np.diff(times_s)))
    means = []
    for phoneme in filter(wanted, phonemes):
        moments = phoneme.start_s + np.linspace(0.25, 0.75, 5) * (phoneme.stop_s - phoneme.start_s)
        if np.abs(times_s[None] - moments[:, None]).min(1).max() <= frame_s:
            means.append(np.interp(moments, times_s, values).mean())
    found = np.array(means)
    return found[np.isfinite(found)]


def _move_elsewhere(gap: np.ndarray) -> list[np.ndarray]:
    """Return the gap moved round by equal parts of its length."""
    shifts = np.linspace(0, len(gap), _CHANCE_SHIFTS + 1)[1:-1].round().astype(int)
    return [np.roll(gap, shift) for shift in shifts]


def _share_closed(closed: np.ndarray) -> float | None:
    return float((closed < CLOSED_GAP).mean()) if len(closed) >= MIN_COUNT else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
