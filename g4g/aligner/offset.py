"""By how much a clip's sound is early or late, as the aligner hears and sees it, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from g4g.aligner.model import Aligner
from g4g.aligner.windows import SPEECH_HZ, geometry_windows, measure_lips, speech_windows
from g4g.config import MAX_OFFSET_FRAMES, SCORE_FPS

SAME_PEAK_FRAMES = 3
"""Shifts no further from the best one belong to its peak."""
SPEECH_WINDOWS = 16
"""Neighbouring windows say much the same: only one in this many counts as independent (our measurement)."""
CLEAR_PEAK = 2.75
"""An offset is clear if its peak is this high: 1 of 200 wrong sounds has as much, no clip of 110 with its own
sound has less (our measurement)."""
_LEAST_SPREAD = 0.01
"""Similarities that differ by less are those of silence, or of a face at rest."""
FEWEST_WINDOWS = 25
"""In less than a second one offset looks like another."""
_FEWEST_SHARE = 1 / 3
"""A shift counts where at least this share of the lips has sound."""
_BLOCK = 250
"""So many moments are embedded at a time."""


@dataclass(frozen=True)
class Offset:
    """How far lips and sound are apart, and how sure that is.

    Attributes:
        frames: of 1/25 s, > 0: the matching sound lies earlier than its lips.
        peak: by how much the best shift is above the middle between the mean and the best of the others, in deviations
            that chance has at a shift.
        is_clear: the peak is no chance; where it is not, `frames` means nothing.
    """

    frames: float
    peak: float
    is_clear: bool


def measure_offset(
    aligner: Aligner, mesh: np.ndarray, times_s: np.ndarray, speech: np.ndarray, start_s: float = 0.0
) -> Offset:
    """Measure the offset of one person's stretch of video by the geometry of the lips.

    Args:
        aligner: in evaluation mode.
        mesh: of neighbouring frames, px, (T, 478, 3).
        times_s: of the frames, rising, (T,).
        speech: features of the sound, (S, D); more of it than the frames last is welcome.
        start_s: when the first row of `speech` is heard, on the clock of `times_s`.
    Returns:
        The offset; not clear where the stretch is too short to tell.
    """
    moments = score_moments(times_s)
    if len(moments) < FEWEST_WINDOWS or not len(speech):
        return Offset(0.0, 0.0, False)
    lips = measure_lips(mesh)
    eye = embed_lips_at(aligner, lips, times_s, moments)
    return find_offset(compare_shifts(eye, *embed_sound_around(aligner, speech, moments - start_s)), len(moments))


def score_moments(times_s: np.ndarray) -> np.ndarray:
    """List the moments, 1/25 s apart, at which lips and sound are compared, in seconds, (N,)."""
    return np.arange(times_s[0], times_s[-1] + 1e-6, 1 / SCORE_FPS)


def nearest_frames(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the frames of the 25 fps copy in which lips and sound are compared.

    Args:
        times_s: of the frames, shape (T,), T >= 1, rising.
    Returns:
        The number of the frame nearest to each moment from the first frame on, and the moments in seconds, both (N,).
    Example:
        >>> nearest_frames(np.array([0.0, 0.02, 0.04, 0.06, 0.08]))[0].tolist()
        [0, 2, 4]
    """
    moments = score_moments(times_s)
    return np.searchsorted((times_s[1:] + times_s[:-1]) / 2, moments), moments


@torch.no_grad()
def embed_lips_at(aligner: Aligner, lips: np.ndarray, times_s: np.ndarray, moments_s: np.ndarray) -> Tensor:
    """Embed lip geometry (T, 40, 2) at moments (N,): unit rows (N, D) on the CPU."""
    device = aligner.log_scale.device
    parts = [
        aligner.embed_geometry(torch.from_numpy(geometry_windows(lips, times_s, some_s)).to(device)).cpu()
        for some_s in _split_moments(moments_s)
    ]
    return torch.cat(parts)


@torch.no_grad()
def embed_sound_around(aligner: Aligner, speech: np.ndarray, moments_s: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Embed the sound at moments 1/25 s apart and MAX_OFFSET_FRAMES before and after them.

    Args:
        aligner: in evaluation mode.
        speech: features, (S, D).
        moments_s: on the clock of `speech`, (N,).
    Returns:
        Unit rows (N + 2 * MAX_OFFSET_FRAMES, D) on the CPU, and which of them lie within the sound.
    """
    steps = np.arange(-MAX_OFFSET_FRAMES, len(moments_s) + MAX_OFFSET_FRAMES)
    wanted = moments_s[0] + steps / SCORE_FPS
    half_row = 0.5 / SPEECH_HZ
    known = (wanted > -half_row) & (wanted < (len(speech) - 0.5) / SPEECH_HZ)
    device = aligner.log_scale.device
    parts = [
        aligner.embed_audio(torch.from_numpy(speech_windows(speech, some_s)).to(device)).cpu()
        for some_s in _split_moments(wanted)
    ]
    return torch.cat(parts), known


def _split_moments(moments_s: np.ndarray) -> list[np.ndarray]:
    """Cut moments (N,) into blocks: windows around all of a long video would fill the memory."""
    return np.split(moments_s, range(_BLOCK, len(moments_s), _BLOCK))


def compare_shifts(eye: Tensor, sound: Tensor, known: np.ndarray) -> np.ndarray:
    """Measure how alike lips and sound are at each shift of up to MAX_OFFSET_FRAMES.

    Args:
        eye: unit rows of the lips at N moments, (N, D).
        sound: unit rows of the sound at the same and MAX_OFFSET_FRAMES moments before and after, (N + 30, D).
        known: which of these lie within the sound, (N + 30,), bool.
    Returns:
        Mean similarity at each shift, (2 * MAX_OFFSET_FRAMES + 1,), less what each lip and each sound has with all, in
        deviations of all pairs: curves of several eyes can be averaged. NaN where too few lips have a sound.
    """
    means = np.full(2 * MAX_OFFSET_FRAMES + 1, np.nan)
    if not known.any():
        return means
    # Still lips are like all silence, at any shift: so the means are taken out. The table of all pairs is never made,
    # since it grows with the square of the length; products of the columns tell its deviation.
    lips, sounds = (rows.double().numpy() for rows in (eye, sound))
    lips, sounds = lips - lips.mean(0), sounds - sounds[known].mean(0)
    heard = sounds[known]
    spread = np.sqrt(max(((lips.T @ lips) * (heard.T @ heard)).sum(), 0) / (len(lips) * len(heard)))
    rows = np.arange(len(eye))
    for place, shift in enumerate(range(-MAX_OFFSET_FRAMES, MAX_OFFSET_FRAMES + 1)):
        columns = rows + MAX_OFFSET_FRAMES - shift
        inside = known[columns]
        if inside.mean() >= _FEWEST_SHARE:
            alike = np.einsum("nd,nd->n", lips[rows[inside]], sounds[columns[inside]])
            means[place] = alike.mean() / max(spread, _LEAST_SPREAD)
    return means


def find_offset(means: np.ndarray, windows: int, most_frames: int = MAX_OFFSET_FRAMES) -> Offset:
    """Find the offset in a curve.

    Args:
        means: as `compare_shifts` gives them, of one stretch or averaged over several.
        windows: how many windows were compared in all.
        most_frames: the best shift is looked for up to here.
    """
    near = np.where(abs(np.arange(len(means)) - MAX_OFFSET_FRAMES) <= most_frames, means, np.nan)
    if np.isnan(near).all():
        return Offset(0.0, 0.0, False)
    best = int(np.nanargmax(near))
    others = means[abs(np.arange(len(means)) - best) > SAME_PEAK_FRAMES]
    if np.isnan(others).all():
        return Offset(0.0, 0.0, False)
    # The height above the mean, or the lead over the next best, tells right and wrong sounds apart less well alone.
    height = means[best] - (np.nanmean(others) + np.nanmax(others)) / 2
    peak = float(height * np.sqrt(windows / SPEECH_WINDOWS))
    is_inside = 0 < best < len(means) - 1 and not np.isnan(means[best - 1 : best + 2]).any()
    frames = best - MAX_OFFSET_FRAMES + (_find_top(*means[best - 1 : best + 2]) if is_inside else 0.0)
    return Offset(float(frames), peak, bool(is_inside and peak >= CLEAR_PEAK))


def _find_top(before: float, top: float, after: float) -> float:
    """Place the top of a parabola through three neighbours, in frames off the middle one."""
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
