"""What may show a face in each of its poses, and which of it serves: candidates are tried on the video's own sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from g4g.dubbing.speech import embed_sound
from g4g.faces import FaceTrack, crop_scale
from g4g.generator import OVERSAMPLING, follow_pose, try_references
from g4g.zoo import Models

_MOST_FINER = 4
"""Mouths are drawn with at most so many times the networks' pixels each way: detail of faces up to 512 px."""
_FEWEST_TRIED, _MOST_TRIED, _TRIED_OUT_OF = 4, 8, 1500
"""Candidates are tried on so many frames, out of the first minute in this pose."""
_APART = 2
"""A frame so near a candidate resembles it."""


@dataclass(frozen=True)
class View:
    """A face in one pose.

    Attributes:
        role, face, track: whose.
        finer: references get so many times the networks' pixels each way.
        candidates: for each mouth shape frames that show it, (4, C), the best first.
        shares: how much each of the video's frames takes of this pose, (T,).
        tried: frames on which the candidates are tried; none where they are too few.
    """

    role: int
    face: int
    track: FaceTrack
    finer: int
    candidates: np.ndarray
    shares: np.ndarray
    tried: np.ndarray

    @property
    def candidate_pixels(self) -> int:
        """Pixels of all candidates' crops, in crops of the networks' size."""
        return self.candidates.size * self.finer**2

    def settle(self) -> View:
        """Take the first candidates untried."""
        return replace(self, candidates=self.candidates[:, :1], tried=self.tried[:0])

    def list_crops(self, painted: int) -> Iterator[tuple[int, int]]:
        """List the frames to be cut and how fine; tried ones as fine as is `painted`."""
        yield from ((row, self.finer) for row in np.unique(self.candidates).tolist())
        yield from ((row, painted) for row in self.tried.tolist())


def list_views(role: int, track: FaceTrack, faces: np.ndarray) -> Iterator[View]:
    """List the poses of each face that a role drives, `faces` (T,) says which in each frame, -1 for none."""
    for face in np.unique(faces[faces >= 0]).tolist():
        rows = np.flatnonzero(faces == face)
        candidates, shares = follow_pose(track.steady_landmarks[rows])
        finer = OVERSAMPLING * choose_finer(track.frame_to_crop[rows[candidates.ravel()]])
        for numbers, share in zip(candidates, shares.T, strict=True):
            everywhere = np.zeros(len(faces))
            everywhere[rows] = share
            tried = list_tried(share, numbers)
            yield View(role, face, track, finer, rows[numbers], everywhere, rows[tried])


def choose_finer(frame_to_crop: np.ndarray) -> int:
    """Say how many times finer mouths must be drawn to hold what the frames hold, affines (N, 2, 3)."""
    return int(np.clip(np.ceil(1 / crop_scale(frame_to_crop).mean()), 2, _MOST_FINER))


def list_tried(shares: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """List frames to try candidates on: those whose share (T,) is whole, none beside a candidate; or none at all."""
    apart = np.abs(np.arange(len(shares))[:, None] - candidates.ravel()).min(1) > _APART
    free = np.flatnonzero(apart & (shares == 1))[:_TRIED_OUT_OF]
    if len(free) < _FEWEST_TRIED:
        return free[:0]
    return np.unique(free[np.linspace(0, len(free) - 1, _MOST_TRIED).astype(int)])


def choose_tried(models: Models, view: View, crops: dict, waveform: np.ndarray, device: str) -> np.ndarray:
    """Choose among a view's candidates by trying them: frame numbers (4,).

    Args:
        models: the networks.
        view: with frames to try them on.
        crops: by frame, role and fineness, at least those that the view lists.
        waveform: the video's own sound, mono 16 kHz, on its clock.
        device: torch device.
    """
    tried, points, count = view.tried.tolist(), view.track.steady_landmarks, models.generator.config.audio_windows
    with torch.no_grad():  # one after the other: they may be minutes apart
        audio = [embed_sound(models.aligner, waveform, view.track.times_s[[row]], count, device) for row in tried]
    frames = np.stack([crops[row, view.role, models.generator.config.finer] for row in tried])
    pictures = [[crops[row, view.role, view.finer] for row in shape] for shape in view.candidates.tolist()]
    picked = try_references(
        models.generator, frames, points[tried], torch.cat(audio), np.array(pictures), points[view.candidates]
    )
    return view.candidates[np.arange(len(picked)), picked]
