"""The aligner's training: plain contrast of many clips first, the diagonal-matrix loss of few clips at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from torch import Tensor

from g4g.aligner import Aligner, contrast_windows, diagonal_loss, measure_offset
from g4g.config import SCORE_FPS
from g4g.training.aligner_batch import AlignerClip, draw_windows
from g4g.training.data import Shot, speaker_chances
from g4g.training.loop import Stage
from g4g.training.offset_figures import embed_shot, measure_offsets
from g4g.training.processes import number_clips

_PLAIN_UNTIL = 0.7
"""Share of the run that contrasts windows of many clips; then the diagonal of few clips is sharpened."""
_PLAIN, _DIAGONAL = (24, 12), (8, 36)
"""Clips and windows of each, whose geometry meets their sound in one step."""
_PICTURE_CLIPS, _PICTURE_WINDOWS, _PICTURE_EVERY = 6, 10, 3
"""Pictures cost most: every third step has some."""
_CORRECT_FROM = 0.4
"""Share of the run after which the aligner puts the clips in sync: a quarter of them is half a frame off or more."""
_MOST_CORRECTED = 5.0
"""Frames; what is further off is seldom right."""
_STEADY_FROM = 0.7
"""Share of the run after which batch normalisation keeps its running figures, as in use: few clips have others."""
_VALIDATION_SHOTS = 40


class AlignerStage(Stage):
    """Each step: windows of a few clips, their geometry against their sound; now and then their pictures too."""

    def __init__(self, aligner: Aligner, train: list[Shot], validation: list[Shot], log: Callable = print) -> None:
        super().__init__()
        self.aligner, self._log, self._corrected = aligner, log, False
        self._clips = [AlignerClip(shot) for shot in train if shot.kind == "video"]
        self._validation = [shot for shot in validation if shot.kind == "video"]
        shots = [clip.shot for clip in self._clips]
        self._chances, self._numbers = speaker_chances(shots), number_clips([shot.clip for shot in shots])

    def trained(self) -> Aligner:
        return self.aligner

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        torch.manual_seed(int(rng.integers(2**31)))  # dropout of a run that resumes is that of one that does not
        if done >= _CORRECT_FROM and not self._corrected:
            self._put_in_sync()
        if done >= _STEADY_FROM:
            self.aligner.lip_encoder.eval()
        is_plain = done < _PLAIN_UNTIL
        terms = self._compare(rng, *(_PLAIN if is_plain else _DIAGONAL), is_plain, with_pictures=False)
        if rng.integers(_PICTURE_EVERY) == 0:
            terms |= self._compare(rng, _PICTURE_CLIPS, _PICTURE_WINDOWS, is_plain, with_pictures=True)
        return terms

    def validate(self, network: Aligner, sheet: Path) -> dict[str, float]:
        """Measure offsets of held-out clips by geometry; draw one clip's similarity of lips and sound."""
        shots = self._validation[:: max(len(self._validation) // _VALIDATION_SHOTS, 1)]
        eye, sound = embed_shot(network, shots[0])
        matplotlib.image.imsave(sheet, np.kron((eye @ sound.T).numpy(), np.ones((4, 4))))
        return measure_offsets(network, shots)

    def _compare(
        self, rng: np.random.Generator, clips: int, windows: int, is_plain: bool, with_pictures: bool
    ) -> dict[str, Tensor]:
        device, aligner = self.aligner.log_scale.device, self.aligner
        chosen = rng.choice(len(self._clips), size=clips, p=self.batch.keep_chances(self._chances, self._numbers))
        drawn = [draw_windows(self._clips[i], windows, rng, with_pictures) for i in chosen]
        parts = (torch.from_numpy(np.concatenate(part)).to(device) for part in zip(*drawn, strict=True))
        geometry, speech, pictures, time = parts
        clip = torch.arange(clips, device=device).repeat_interleave(windows)
        audio, scale = aligner.embed_audio(speech), aligner.log_scale.clamp(max=4.0).exp()
        if with_pictures:
            name, eye = "lips", aligner.embed_lips(pictures.contiguous(memory_format=torch.channels_last))
        else:
            name, eye = "geometry", aligner.embed_geometry(geometry)
        if is_plain:
            return {name: contrast_windows(eye, audio, clip, time, scale)}
        contrast, margin = diagonal_loss(eye, audio, clip, time, scale)
        return {name: contrast, f"{name}_margin": margin}

    def _put_in_sync(self) -> None:
        """Shift the times of clips whose offset is clear. Source: our choice, after Chung & Zisserman 2016."""
        self._corrected, moved = True, []
        self.aligner.eval()
        for clip in self._clips:
            shot = clip.shot
            offset = measure_offset(self.aligner, shot.mesh, shot.times_s, shot.speech)
            if offset.is_clear and abs(offset.frames) <= _MOST_CORRECTED:
                clip.shot = replace(shot, times_s=shot.times_s - offset.frames / SCORE_FPS)
                moved.append(abs(offset.frames))
        self.aligner.train()
        far = sum(frames > 0.5 for frames in moved)
        mean = float(np.mean(moved or [0.0]))
        self._log(f"{len(moved)} of {len(self._clips)} clips put in sync, mean {mean:.2f}, {far} by more than 0.5")
