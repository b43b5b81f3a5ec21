"""What a dub will do, frame by frame: when it is shown, and whether it is dubbed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from g4g.errors import CheckpointError, ConfigError, FaceError
from g4g.faces import FaceTrack, find_runs
from g4g.media.ping_pong import ping_pong_numbers

LENGTHS = ("audio", "video")
NO_FACE = "no face"
OTHER_FACE = "another face"
TURNED_AWAY = "turned away"
COVERED = "mouth covered"
NOT_ASKED = "outside start and end"
NO_NUMBERS = "a network gave no numbers"
"""Why frames pass through."""

FRAME_SLACK = 0.05
"""Sound that reaches only so far into one more frame (share of it) does not get that frame."""

EASE_FRAMES = 3
"""So many frames lead from the source's own mouth to the new one and back, where both follow each other in a scene."""

RATE_SLACK = 0.1
"""A frame may be off its constant rate by this share of a frame."""


SOUND_SLACK_S = 0.1
"""Two sounds that differ by no more last equally long: encoders add some hundredths of a second."""


@dataclass(frozen=True)
class Plan:
    """The frames of a dub: `times_s` (N,) is when each is shown, `passed` (N,) why it passes through or None.

    `shares` (N,) is how much of the new mouth each gets, 0 to 1; the new sound is heard in `span_s`, from when to when.
    """

    times_s: np.ndarray
    passed: tuple[str | None, ...]
    shares: np.ndarray
    span_s: tuple[float, float]
    duration_s: float

    def __len__(self) -> int:
        return len(self.times_s)


def plan_frames(
    track: FaceTrack, away: np.ndarray, fps: float, sound_s: float, length: str, start_s: float | None,
    end_s: float | None,
) -> Plan:  # fmt: skip
    """Decide what becomes of each frame.

    Args:
        track: the face in the video.
        away: why each of its frames cannot be dubbed, (T,) str, or None where it can.
        fps: the video's mean rate.
        sound_s: length of the new sound.
        length: "audio" or "video", as for `Dubber.dub`.
        start_s: where in the video the new sound starts; None: at its beginning.
        end_s: where it stops being used; None: where it ends.
    Returns:
        Plan; with start_s or end_s it has all frames of the video, once.
    Raises:
        ConfigError: unknown length, or a start or end that does not lie in the video, in this order.
    """
    if length not in LENGTHS:
        raise ConfigError(f"`length` must be one of {', '.join(LENGTHS)}, got {length!r}")
    is_part = start_s is not None or end_s is not None
    times_s = track.times_s if is_part or length == "video" else fit_times(track.times_s, fps, sound_s)
    duration_s = float(times_s[-1] + 1 / fps)
    start_s = start_s or 0.0
    if end_s is None:
        end_s = start_s + sound_s if is_part else duration_s
    end_s = min(end_s, duration_s)
    if not 0 <= start_s < end_s:
        raise ConfigError(
            f"start and end must lie in the video's {duration_s:.2f} s, in this order; got {start_s:g} and {end_s:g} s"
        )
    sources = ping_pong_numbers(len(track), len(times_s))
    asked = (times_s >= start_s) & (times_s < end_s)
    passed = np.where(asked, away[sources], NOT_ASKED)
    # Played backwards, a cut lies between the same two frames.
    cuts = np.concatenate([[False], track.cuts[np.maximum(sources[1:], sources[:-1])] & (np.diff(sources) != 0)])
    return Plan(times_s, tuple(passed), ease(np.equal(passed, None), cuts), (start_s, end_s), duration_s)


def join_plans(plans: list[Plan]) -> Plan:
    """Sum up what several plans of one video, one per sound, do: a frame passes through where it does in all."""
    passed = zip(*(plan.passed for plan in plans), strict=True)
    joined = tuple(None if None in reasons else _first_of(reasons) for reasons in passed)
    return replace(plans[0], passed=joined, shares=np.max([plan.shares for plan in plans], axis=0))


def check_result(passed: list[str | None], weights: str) -> None:
    """Refuse a dub that is none: why each frame passed through, None where it was dubbed.

    Raises:
        CheckpointError: the networks gave no numbers for any frame. FaceError: no frame could be dubbed.
    """
    if None in passed:
        return
    if NO_NUMBERS in passed:
        raise CheckpointError(
            f"the weights {weights} gave no numbers for any frame: they are damaged; fetch or train them again"
        )
    why = ", ".join(dict.fromkeys(reason for reason in passed if reason))
    raise FaceError(f"no frame could be dubbed ({why}): choose another `face`, or another part of the video")


def _first_of(reasons: tuple[str, ...]) -> str:
    """What is wrong with a face that is there says more than that there is none."""
    return next((why for why in (NOT_ASKED, TURNED_AWAY, COVERED, OTHER_FACE) if why in reasons), NO_FACE)


def ease(dubbed: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Tell how much of the new mouth each frame gets, so that it neither comes nor goes at once.

    Args:
        dubbed: shape (N,), bool.
        cuts: shape (N,), bool: with this frame a new scene begins; there the whole picture changes anyway.
    Returns:
        Shape (N,): 0 where not dubbed, 1 where dubbed, less within EASE_FRAMES of a frame that passes through.
    """
    shares = np.zeros(len(dubbed))
    for start, stop in find_runs(dubbed, cuts):
        rising = np.arange(1, stop - start + 1) / (EASE_FRAMES + 1)
        shares[start:stop] = 1
        if start > 0 and not cuts[start]:
            shares[start:stop] = np.minimum(shares[start:stop], rising)
        if stop < len(dubbed) and not cuts[stop]:
            shares[start:stop] = np.minimum(shares[start:stop], rising[::-1])
    return shares


def fit_times(own_s: np.ndarray, fps: float, duration_s: float) -> np.ndarray:
    """Tell when each frame of a dub is shown: at the video's own times once, then, played to and fro, every 1 / fps.

    Args:
        own_s: times of the video's frames, shape (T,), rising from 0.
        fps: its mean rate.
        duration_s: what the frames have to fill.
    Returns:
        times in seconds, shape (N,), N at least 1.
    """
    slack_s = FRAME_SLACK / fps
    kept = own_s[: max(int(np.searchsorted(own_s, duration_s - slack_s)), 1)]
    end_s = own_s[-1] + 1 / fps
    more = max(math.ceil((duration_s - slack_s - end_s) * fps), 0)
    return np.concatenate([kept, end_s + np.arange(more) / fps])


def compare_sounds(voice_s: float, sound_s: float) -> list[str]:
    """Say what becomes of a voice that does not last as long as the sound that is heard; mostly nothing."""
    if abs(voice_s - sound_s) <= SOUND_SLACK_S:
        return []
    then = "the lips rest after it" if voice_s < sound_s else "the rest of the voice is left out"
    return [f"the voice lasts {voice_s:.2f} s, the sound that is heard {sound_s:.2f} s: {then}"]


def has_constant_rate(times_s: np.ndarray, fps: float) -> bool:
    """Tell whether frames follow each other at `fps`, within the milliseconds to which some containers round."""
    return bool(np.abs(times_s * fps - np.arange(len(times_s))).max() < RATE_SLACK)
