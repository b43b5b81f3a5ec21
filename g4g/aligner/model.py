"""The three encoders of the aligner: a window of speech features, lip pictures of five frames, lip geometry of nine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.aligner.windows import GEOMETRY_FRAMES, SPEECH_ROWS
from g4g.config import AudioConfig, CropConfig
from g4g.faces.canonical import LIPS
from g4g.nn import ConvNormAct, ResidualConv

_DROPPED = 0.1


@dataclass(frozen=True)
class AlignerConfig:
    """Sizes of the aligner (our choice); `speech` is the width of the speech features."""

    speech: int = 192
    embedding: int = 128
    audio_channels: int = 192
    geometry_channels: int = 256
    lip_channels: tuple[int, int, int, int] = (24, 48, 96, 128)


class Aligner(nn.Module):
    """Embed sound, lip pictures and lip geometry as unit vectors of one space."""

    def __init__(self, config: AlignerConfig = AlignerConfig(), crop: CropConfig = CropConfig()) -> None:
        super().__init__()
        self.config = config
        wide = config.audio_channels
        rows = (SPEECH_ROWS - 1) // 2 - 2
        self.audio_encoder = nn.Sequential(
            nn.LayerNorm(config.speech), _Swap(), nn.Dropout1d(_DROPPED), nn.Conv1d(config.speech, wide, 3, 2),
            nn.GELU(), nn.Conv1d(wide, wide, 3), nn.GELU(), nn.Flatten(), nn.Linear(wide * rows, wide), nn.GELU(),
            nn.Linear(wide, config.embedding),
        )  # fmt: skip
        wide, values = config.geometry_channels, 2 * len(LIPS)
        self.geometry_encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(GEOMETRY_FRAMES * values, wide), nn.GELU(), nn.Dropout(_DROPPED),
            nn.Linear(wide, wide), nn.GELU(), nn.Linear(wide, config.embedding),
        )  # fmt: skip
        a, b, c, d = config.lip_channels
        left, top, right, bottom = (round(x * crop.size) for x in crop.lips_box)
        cells = -(-(bottom - top) // 16) * -(-(right - left) // 16)
        self.lip_encoder = nn.Sequential(
            ConvNormAct(3 * AudioConfig().window_frames, a, 5, 2), ConvNormAct(a, b, 3, 2), ConvNormAct(b, b),
            ConvNormAct(b, c, 3, 2), ConvNormAct(c, c), ResidualConv(c), ConvNormAct(c, d, 3, 2), ResidualConv(d),
            nn.Flatten(), nn.Linear(cells * d, config.embedding),
        )  # fmt: skip
        self.log_scale = nn.Parameter(torch.tensor(2.7))

    def embed_audio(self, windows: Tensor) -> Tensor:
        """Embed windows of speech features (B, SPEECH_ROWS, speech) as unit rows (B, D)."""
        return functional.normalize(self.audio_encoder(windows).float(), dim=1)

    def embed_geometry(self, windows: Tensor) -> Tensor:
        """Embed windows of lip geometry (B, GEOMETRY_FRAMES, 40, 2) as unit rows (B, D)."""
        return functional.normalize(self.geometry_encoder(10 * windows).float(), dim=1)

    def embed_lips(self, lips: Tensor) -> Tensor:
        """Embed pictures (B, window_frames * 3, h, w) in [-1, 1] of `CropConfig.lips_box` as unit rows (B, D)."""
        return functional.normalize(self.lip_encoder(lips).float(), dim=1)


class _Swap(nn.Module):
    """(B, rows, C) to (B, C, rows)."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.transpose(1, 2)
