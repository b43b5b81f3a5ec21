"""Clips that are each too short to tell their offset, and tell it together."""

import numpy as np

from g4g.training.select_clips import _tell_offsets

_SHIFTS = np.arange(-15, 16)


def _plant(offset: int, height: float, seed: int, noise: float = 0.05) -> np.ndarray:
    """Mean similarities at each shift, with a peak at an offset and chance elsewhere."""
    rng = np.random.default_rng(seed)
    return 0.4 + height * np.exp(-((_SHIFTS - offset) ** 2) / 2) + rng.normal(0, noise, len(_SHIFTS))


def test_what_is_clear_in_itself_is_told_for_itself():
    told = _tell_offsets({"a": _plant(3, 0.5, 0), "b": _plant(-4, 0.5, 1)})
    assert abs(told["a"] - 3) < 0.5 and abs(told["b"] + 4) < 0.5


def test_unclear_clips_of_one_camera_tell_their_offset_together():
    means = {f"clip{seed}": _plant(2, 0.1, seed) for seed in range(12)}
    alone = [_tell_offsets({name: row})[name] for name, row in means.items()]
    together = [offset for offset in _tell_offsets(means).values() if offset is not None]
    assert len(together) >= 12 - alone.count(None) + 4
    assert all(abs(offset - 2) < 1 for offset in together)


def test_sound_of_somebody_else_is_told_by_no_number_of_clips():
    means = {f"clip{seed}": _plant(0, 0.0, seed, noise=0.03) for seed in range(12)}
    assert list(_tell_offsets(means).values()) == [None] * 12


def test_a_clip_that_does_not_fit_the_others_stays_out():
    means = {f"clip{seed}": _plant(2, 0.1, seed) for seed in range(12)}
    means["other"] = 0.4 - 0.1 * np.exp(-((_SHIFTS - 2) ** 2) / 8)
    assert _tell_offsets(means)["other"] is None
