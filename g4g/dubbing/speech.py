"""How well each face's lips fit a video's own sound: told by the aligner, where several faces share a scene."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from g4g.aligner import Aligner, cut_lips
from g4g.audio import log_mel, mel_windows, shared_windows, window_starts
from g4g.config import SCORE_FPS, AudioConfig
from g4g.dubbing.people import Appearance
from g4g.faces import FaceTracks, crop_face
from g4g.faces.track import TimedFrame

_STEP_S = 3 / SCORE_FPS
_MOST_WINDOWS = 100
"""Of each scene every third sync window is compared; of long scenes as many, further apart."""
_FEWEST_WINDOWS = 10
"""Fewer do not tell speech from chance."""
_REACH, _NEAR = 15, 5
"""Shifts tried, in frames of 1/25 s: chance is the median of all, a speaker's sound is off by at most the near ones."""


def embed_sound(aligner: Aligner, waveform: np.ndarray, times_s: np.ndarray, count: int, device: str) -> torch.Tensor:
    """Embed `count` sync windows, 1/25 s apart, around each time, (B, count, D); only the span needed is analysed."""
    times, where = shared_windows(times_s, count)
    starts = window_starts(times)
    first = int(starts[0])
    mel = log_mel(waveform, first, int(starts[-1]) + AudioConfig().window_mel_steps - first)
    sound = torch.from_numpy(mel_windows(mel, times, first_step=first)).to(device)
    return aligner.embed_audio(sound)[where]


def needs_sound(appearances: list[Appearance]) -> bool:
    """Tell whether any scene has several faces."""
    return max(Counter(a.scene for a in appearances).values(), default=0) > 1


@dataclass
class _Listener:
    """What is gathered for an appearance: windows' times, the frames of each, rows of FaceTracks and lips by frame."""

    times_s: np.ndarray
    windows: np.ndarray
    rows: dict[int, int]
    lips: dict[int, np.ndarray] = field(default_factory=dict)


@torch.no_grad()
def measure_fit(
    tracks: FaceTracks, appearances: list[Appearance], frames: Iterable[TimedFrame], waveform: np.ndarray,
    aligner: Aligner, size: int, device: str = "cpu",
) -> list[Appearance]:  # fmt: skip
    """Measure how well lips fit the old sound, for each face that is not alone in its scene.

    Args:
        tracks: all faces.
        appearances: as `list_appearances` gives them.
        frames: the video in order, read once; memory holds the lips of one scene (at most 5 MB per face).
        waveform: its own sound, mono 16 kHz, on its clock.
        aligner: trained.
        size: of the crops that it knows, px.
        device: torch device.
    Returns:
        The appearances, with `fit`: best mean similarity within 0.2 s less the median of shifts up to 0.6 s.
    Source:
        Our choice; SyncNet (Chung & Zisserman 2016) finds the active speaker in the same way.
    """
    crowd = Counter(a.scene for a in appearances)
    found = list(appearances)
    by_scene = defaultdict(list)
    for number, appearance in enumerate(appearances):
        if crowd[appearance.scene] > 1:
            listener = _plan_windows(tracks, appearance)
            if len(listener.times_s) >= _FEWEST_WINDOWS:
                by_scene[appearance.scene].append((number, listener))
    scenes = tracks.scenes
    for frame_number, item in enumerate(frames):
        scene = int(scenes[frame_number])
        for _, listener in by_scene.get(scene, ()):
            if (row := listener.rows.get(frame_number)) is not None:
                crop = crop_face(item.frame, tracks.frame_to_crop[row], size)
                listener.lips[frame_number] = cut_lips(torch.from_numpy(crop).permute(2, 0, 1)).numpy()
        if frame_number + 1 == len(tracks) or scenes[frame_number + 1] != scene:
            for number, listener in by_scene.pop(scene, ()):
                found[number] = replace(found[number], fit=_fit(listener, waveform, aligner, device))
        if not by_scene:
            break
    return found


def _plan_windows(tracks: FaceTracks, appearance: Appearance) -> _Listener:
    """Lay sync windows over a scene; those count in which the face is seen all the time."""
    times_s = tracks.times_s
    frames = tracks.frames[appearance.rows]
    first_s, last_s = times_s[frames[0]], times_s[frames[-1]]
    centres = np.arange(first_s, last_s, max(_STEP_S, (last_s - first_s) / _MOST_WINDOWS))
    reach = AudioConfig().window_frames // 2
    wanted = centres[:, None] + np.arange(-reach, reach + 1) / SCORE_FPS
    after = np.clip(np.searchsorted(times_s, wanted), 1, max(len(times_s) - 1, 1))
    after = np.minimum(after, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(wanted - times_s[before] < times_s[after] - wanted, before, after)
    whole = np.isin(nearest, frames).all(1)
    rows = dict(zip(frames.tolist(), appearance.rows.tolist(), strict=True))
    used = np.unique(nearest[whole]).tolist()
    return _Listener(centres[whole], nearest[whole], {frame: rows[frame] for frame in used})


def _fit(listener: _Listener, waveform: np.ndarray, aligner: Aligner, device: str) -> float:
    lips = np.stack([[listener.lips[frame] for frame in window] for window in listener.windows.tolist()])
    pictures = torch.from_numpy(lips).to(device).float().flatten(1, 2) / 127.5 - 1
    shifts = 2 * _REACH + 1
    # Windows far apart share no sound: between them nothing is analysed.
    far = np.flatnonzero(np.diff(listener.times_s) > shifts / SCORE_FPS) + 1
    parts = np.split(listener.times_s, far)
    sound = torch.cat([embed_sound(aligner, waveform, part, shifts, device) for part in parts])
    curve = torch.einsum("bd,bsd->s", aligner.embed_lips(pictures), sound).cpu().numpy() / len(lips)
    return float(curve[_REACH - _NEAR : _REACH + _NEAR + 1].max() - np.median(curve))
