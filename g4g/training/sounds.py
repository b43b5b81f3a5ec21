"""Embeddings of the shots' sound by the frozen aligner, each computed once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from g4g.aligner import Aligner
from g4g.audio import mel_windows, shared_windows
from g4g.training.data import Shot, augment_mel

_VERSIONS = 4


class Sounds:
    """A shot's sound comes in a few versions: as it is, and augmented."""

    def __init__(self, aligner: Aligner, windows_per_frame: int) -> None:
        self._aligner, self._windows = aligner, windows_per_frame
        self._known: dict[tuple[str, int], Tensor] = {}

    @torch.no_grad()
    def draw(self, shot: Shot, rng: np.random.Generator) -> Tensor:
        """Embed what drives each frame of a shot, in a version drawn at random: (T, windows_per_frame, D)."""
        version = int(rng.integers(_VERSIONS))
        times, where = shared_windows(shot.times_s, self._windows)
        device = self._aligner.log_scale.device
        if (shot.name, version) not in self._known:
            mel = augment_mel(shot.mel, np.random.default_rng([version, len(shot)])) if version else shot.mel
            with torch.autocast(device.type, enabled=False):
                rows = self._aligner.embed_audio(torch.from_numpy(mel_windows(mel, times)).to(device))
            self._known[shot.name, version] = rows.half().cpu()
        return self._known[shot.name, version][where].float().to(device)
