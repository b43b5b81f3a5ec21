"""Teach a trained sound encoder other voices, rooms and noise: it shall say of them what it says of the clean sound."""

from __future__ import annotations

import copy
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from torch import Tensor

from g4g.aligner import Aligner
from g4g.audio import mel_windows
from g4g.training.data import Shot, augment_mel, speaker_chances
from g4g.training.loop import Stage

_CLIPS, _WINDOWS = 8, 24
_PLAIN = 0.25
"""Share of clips whose sound stays as it is."""
_VALIDATION_CLIPS, _VERSIONS = 24, 3


class EarStage(Stage):
    """The sound encoder learns from itself as it was: its space stays, so lips and generator still fit.

    Pictures play no part. Source: our choice; knowledge distillation (Hinton et al. 2015) with augmented inputs.
    """

    def __init__(self, aligner: Aligner, train: list[Shot], validation: list[Shot]) -> None:
        super().__init__()
        self.aligner, self._train_shots, self._validation = aligner, train, validation
        self.teacher = copy.deepcopy(aligner).eval().requires_grad_(False)
        self._chances = speaker_chances(train)

    def trained(self) -> Aligner:
        return self.aligner

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        self.aligner.eval()  # batch normalisation keeps its figures, as in use
        shots = [self._train_shots[i] for i in rng.choice(len(self._train_shots), size=_CLIPS, p=self._chances)]
        pairs = [_draw_windows(shot, rng, rng.random() < _PLAIN) for shot in shots]
        clean, heard = (
            torch.from_numpy(np.concatenate(part)).to(self.aligner.log_scale.device)
            for part in zip(*pairs, strict=True)
        )
        with torch.no_grad():
            meant = self.teacher.embed_audio(clean)
        return {"apart": 1 - (self.aligner.embed_audio(heard) * meant).sum(1).mean()}

    def validate(self, network: Aligner, sheet: Path) -> dict[str, float]:
        """Measure the cosine to what was said of clean sound, of clean and of changed sound; draw all as strips."""
        clean, changed, rows = [], [], []
        for shot in self._validation[:: max(len(self._validation) // _VALIDATION_CLIPS, 1)]:
            device = network.log_scale.device
            meant = self.teacher.embed_audio(torch.from_numpy(mel_windows(shot.mel, shot.times_s)).to(device))
            for version in range(1 + _VERSIONS):
                mel = augment_mel(shot.mel, np.random.default_rng(version)) if version else shot.mel
                said = network.embed_audio(torch.from_numpy(mel_windows(mel, shot.times_s)).to(device))
                alike = (said * meant).sum(1).cpu().numpy()
                (changed if version else clean).append(alike.mean())
                rows.append(alike[:60])
        matplotlib.image.imsave(sheet, np.kron(np.stack([np.resize(row, 60) for row in rows]), np.ones((4, 4))))
        return {"clean_cosine": np.mean(clean), "changed_cosine": np.mean(changed)}


def _draw_windows(shot: Shot, rng: np.random.Generator, plain: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw sync windows of a shot's sound, clean and changed: twice (N, n_mels, steps)."""
    times = rng.uniform(shot.times_s[0], shot.times_s[-1], _WINDOWS)
    return mel_windows(shot.mel, times), mel_windows(shot.mel if plain else augment_mel(shot.mel, rng), times)
