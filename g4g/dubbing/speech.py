"""How well each face's lips fit a video's own sound: told by the aligner, where several faces share a scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from g4g.aligner import Aligner, embed_lips_at, lip_geometry, speech_windows
from g4g.aligner.windows import GEOMETRY_FRAMES
from g4g.audio import log_mel, mel_windows, shared_windows, window_starts
from g4g.config import MAX_OFFSET_FRAMES, SCORE_FPS, AudioConfig
from g4g.dubbing.people import Appearance
from g4g.faces import FaceTracks, fit_pose

_STEP_S = 3 / SCORE_FPS
_MOST_WINDOWS = 100
"""Of each scene every third window is compared; of long scenes at most this number, further apart."""
_FEWEST_WINDOWS = 10
"""Fewer do not tell speech from chance."""
_NEAR = 5
"""Frames: the sound of a speaker is off by at most this; chance is the median of all shifts that are tried."""


def embed_sound(aligner: Aligner, waveform: np.ndarray, times_s: np.ndarray, count: int, device: str) -> torch.Tensor:
    """Embed `count` sync windows of mel: only the first generator's mouths call it, and it goes with them."""
    times, where = shared_windows(times_s, count)
    starts = window_starts(times)
    first = int(starts[0])
    mel = log_mel(waveform, first, int(starts[-1]) + AudioConfig().window_mel_steps - first)
    sound = torch.from_numpy(mel_windows(mel, times, first_step=first)).to(device)
    return aligner.embed_audio(sound)[where]


def needs_sound(appearances: list[Appearance]) -> bool:
    """Tell whether any scene has several faces."""
    return max(Counter(a.scene for a in appearances).values(), default=0) > 1


def measure_fit(
    tracks: FaceTracks, appearances: list[Appearance], speech: np.ndarray, aligner: Aligner
) -> list[Appearance]:
    """Measure how well lips fit the old sound, for each face that is not alone in its scene.

    Args:
        tracks: all faces.
        appearances: as `list_appearances` gives them.
        speech: features of the video's own sound, on its clock, (S, D).
        aligner: in evaluation mode.
    Returns:
        The appearances, with `fit`: best mean similarity within 0.2 s less the median of shifts up to 0.6 s.
    Source:
        Our choice; SyncNet (Chung & Zisserman 2016) finds the active speaker in the same way.
    """
    crowd = Counter(a.scene for a in appearances)
    return [
        replace(a, fit=_measure_one(tracks, a, speech, aligner)) if crowd[a.scene] > 1 and len(speech) else a
        for a in appearances
    ]


def _measure_one(tracks: FaceTracks, appearance: Appearance, speech: np.ndarray, aligner: Aligner) -> float:
    rows = appearance.rows
    times_s = tracks.times_s[tracks.frames[rows]]
    moments = _list_moments(tracks.times_s, times_s)
    if len(moments) < _FEWEST_WINDOWS:
        return 0.0
    eye = embed_lips_at(aligner, lip_geometry(fit_pose(tracks.mesh[rows])[1]), times_s, moments)
    shifts = np.arange(-MAX_OFFSET_FRAMES, MAX_OFFSET_FRAMES + 1) / SCORE_FPS
    curve = np.zeros(len(shifts))
    for row, moment in zip(eye, moments, strict=True):
        curve += (_embed_sound(aligner, speech, moment + shifts) @ row).numpy() / len(moments)
    near = curve[MAX_OFFSET_FRAMES - _NEAR : MAX_OFFSET_FRAMES + _NEAR + 1]
    return float(near.max() - np.median(curve))


@torch.no_grad()
def _embed_sound(aligner: Aligner, speech: np.ndarray, moments_s: np.ndarray) -> torch.Tensor:
    windows = torch.from_numpy(speech_windows(speech, moments_s))
    return aligner.embed_audio(windows.to(aligner.log_scale.device)).cpu()


def _list_moments(all_times_s: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Lay windows over a scene; those count in which the face is seen all the time.

    Args:
        all_times_s: of every frame of the video, (T,).
        times_s: of the frames that hold the face, (N,).
    """
    moments = np.arange(times_s[0], times_s[-1], max(_STEP_S, (times_s[-1] - times_s[0]) / _MOST_WINDOWS))
    reach = GEOMETRY_FRAMES / 2 / SCORE_FPS
    count = lambda of, at: np.searchsorted(of, at)  # noqa: E731
    seen = count(times_s, moments + reach) - count(times_s, moments - reach)
    shown = count(all_times_s, moments + reach) - count(all_times_s, moments - reach)
    return moments[seen == shown]
