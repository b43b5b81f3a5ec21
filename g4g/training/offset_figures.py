"""How well an aligner tells offsets: halves of real clips, planted shifts, wrong sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from g4g.aligner import (
    Aligner,
    Offset,
    compare_shifts,
    embed_lips_at,
    embed_sound_around,
    find_offset,
    lip_geometry,
    picture_frames,
)
from g4g.aligner.offset import score_moments
from g4g.aligner.windows import SPEECH_HZ
from g4g.config import SCORE_FPS
from g4g.training.aligner_batch import cut_lip_pictures, stack_pictures
from g4g.training.data import Shot

MOST_PLANTED = 10
"""Frames by which sounds are shifted for the test."""
_PLANTED, _WRONG = 4, 4
"""Shifts and wrong sounds that each clip is tried with."""

Eye = Literal["geometry", "pictures", "both"]


@dataclass(frozen=True)
class ClipOffsets:
    """What was measured of one clip: its offset, that of both halves, of its sound moved by `planted`, of others'."""

    name: str
    whole: Offset
    halves: tuple[Offset, Offset]
    planted: list[tuple[int, Offset]]
    wrong: list[Offset]

    @property
    def halves_agree(self) -> bool:
        return abs(self.halves[0].frames - self.halves[1].frames) <= 1

    @property
    def planted_found(self) -> float:
        """Share of the planted shifts that were found within one frame."""
        return float(np.mean([abs(o.frames - (self.whole.frames - by)) <= 1 for by, o in self.planted]))


def measure_offsets(aligner: Aligner, shots: list[Shot], eye: Eye = "geometry") -> dict[str, float]:
    """Sum up `measure_clips` over all shots."""
    return sum_up(measure_clips(aligner, shots, eye))


def sum_up(clips: list[ClipOffsets]) -> dict[str, float]:
    """Name the figures: shares of clips or sounds; peaks in deviations of wrong sounds."""
    wrong = [offset for clip in clips for offset in clip.wrong]
    return {
        "halves_agree": float(np.mean([clip.halves_agree for clip in clips])),
        "halves_clear": float(np.mean([half.is_clear for clip in clips for half in clip.halves])),
        "clear": float(np.mean([clip.whole.is_clear for clip in clips])),
        "peak": float(np.median([clip.whole.peak for clip in clips])),
        "least_peak": float(np.min([clip.whole.peak for clip in clips])),
        "planted_found": float(np.mean([clip.planted_found for clip in clips])),
        "wrong_clear": float(np.mean([offset.is_clear for offset in wrong] or [0.0])),
        "most_wrong_peak": float(np.max([offset.peak for offset in wrong] or [0.0])),
    }


def measure_clips(aligner: Aligner, shots: list[Shot], eye: Eye = "geometry", seed: int = 0) -> list[ClipOffsets]:
    """Measure shots that have speech features; wrong sounds are those of other speakers among them."""
    rng = np.random.default_rng(seed)
    return [_measure_clip(aligner, shot, shots, eye, rng) for shot in shots]


def _measure_clip(aligner: Aligner, shot: Shot, shots: list[Shot], eye: Eye, rng: np.random.Generator) -> ClipOffsets:
    eyes, moments = _embed_eyes(aligner, shot, eye)

    def tell(speech: np.ndarray, rows: slice = slice(None)) -> Offset:
        return _tell(aligner, eyes, moments, speech, rows)

    own, middle = shot.speech, len(moments) // 2
    others = [other.speech for other in shots if other.speaker != shot.speaker]
    wrong = rng.choice(len(others), min(_WRONG, len(others)), replace=False) if others else []
    shifts = rng.integers(-MOST_PLANTED, MOST_PLANTED + 1, _PLANTED).tolist()
    return ClipOffsets(
        shot.name, tell(own), (tell(own, slice(middle)), tell(own, slice(middle, None))),
        [(by, tell(_delay(own, by))) for by in shifts], [tell(others[i]) for i in wrong],
    )  # fmt: skip


@torch.no_grad()
def embed_shot(aligner: Aligner, shot: Shot, eye: Eye = "geometry") -> tuple[Tensor, Tensor]:
    """Embed lips and sound of a shot at 25 frames/s: unit rows, twice (N, D)."""
    (rows, *_), moments = _embed_eyes(aligner, shot, eye)
    sound, _ = embed_sound_around(aligner, shot.speech, moments)
    before = (len(sound) - len(moments)) // 2
    return rows, sound[before : before + len(moments)]


@torch.no_grad()
def embed_pictures_at(aligner: Aligner, crops: np.ndarray, times_s: np.ndarray, moments_s: np.ndarray) -> Tensor:
    """Embed lip pictures of crops (T, c, c, 3) uint8 at moments (N,): unit rows (N, D) on the CPU."""
    windows = torch.from_numpy(stack_pictures(cut_lip_pictures(crops), picture_frames(times_s, moments_s)))
    windows = windows.to(aligner.log_scale.device).contiguous(memory_format=torch.channels_last)
    return aligner.embed_lips(windows).cpu()


def _embed_eyes(aligner: Aligner, shot: Shot, eye: Eye) -> tuple[list[Tensor], np.ndarray]:
    moments, rows = score_moments(shot.times_s), []
    if eye != "pictures":
        rows.append(embed_lips_at(aligner, lip_geometry(shot.canonical), shot.times_s, moments))
    if eye != "geometry":
        rows.append(embed_pictures_at(aligner, shot.crops, shot.times_s, moments))
    return rows, moments


def _tell(aligner: Aligner, eyes: list[Tensor], moments: np.ndarray, speech: np.ndarray, rows: slice) -> Offset:
    sound, known = embed_sound_around(aligner, speech, moments[rows])
    curves = [compare_shifts(eye[rows], sound, known) for eye in eyes]
    return find_offset(np.mean(curves, axis=0), len(moments[rows]))


def _delay(speech: np.ndarray, frames: int) -> np.ndarray:
    """Let a sound begin later by `frames` of 1/25 s, or earlier; the ends repeat."""
    rows = np.arange(len(speech)) - round(frames * SPEECH_HZ / SCORE_FPS)
    return speech[rows.clip(0, len(speech) - 1)]
