"""The three encoders of the aligner: log-mel window, lips of five frames, lip landmarks of the same frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.config import AudioConfig, CropConfig
from g4g.nn import ConvNormAct, ResidualConv


@dataclass(frozen=True)
class AlignerConfig:
    """Sizes of the aligner (our choice)."""

    embedding: int = 256
    lip_channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    audio_channels: tuple[int, int, int, int] = (32, 64, 128, 192)


class Aligner(nn.Module):
    """Embed sound, lips and lip geometry as unit vectors of one space."""

    def __init__(self, config: AlignerConfig, audio: AudioConfig = AudioConfig(), crop: CropConfig = CropConfig()):
        super().__init__()
        self.config = config
        a, b, c, d = config.lip_channels
        left, top, right, bottom = (round(x * crop.size) for x in crop.lips_box)
        cells = -(-(bottom - top) // 16) * -(-(right - left) // 16)
        self.lip_encoder = nn.Sequential(
            ConvNormAct(3 * audio.window_frames, a, 5, 2), ConvNormAct(a, b, 3, 2), ConvNormAct(b, b),
            ConvNormAct(b, c, 3, 2), ConvNormAct(c, c), ResidualConv(c), ConvNormAct(c, d, 3, 2), ResidualConv(d),
            ResidualConv(d), nn.Flatten(), nn.Linear(cells * d, config.embedding),
        )  # fmt: skip
        a, b, c, d = config.audio_channels
        cells = (audio.n_mels // 16) * (audio.window_mel_steps // 8)
        self.audio_encoder = nn.Sequential(
            ConvNormAct(1, a), ConvNormAct(a, b, 3, (2, 1)), ConvNormAct(b, b, 3, 2), ConvNormAct(b, c, 3, 2),
            ResidualConv(c), ConvNormAct(c, d, 3, 2), ResidualConv(d), ResidualConv(d), nn.Flatten(),
            nn.Linear(cells * d, config.embedding),
        )  # fmt: skip
        points = audio.window_frames * 20 * 2
        self.landmark_encoder = nn.Sequential(
            nn.Linear(points, 256), nn.ReLU(True), nn.Linear(256, 256), nn.ReLU(True), nn.Linear(256, config.embedding)
        )
        self.log_scale = nn.Parameter(torch.tensor(2.7))

    def embed_audio(self, mel_windows: Tensor) -> Tensor:
        """Embed sync windows (B, n_mels, window_mel_steps) as unit rows (B, D)."""
        return functional.normalize(self.audio_encoder(mel_windows[:, None]).float(), dim=1)

    @torch.no_grad()
    def embed_silence(self) -> Tensor:
        """Embed a window of digital silence, (D,)."""
        audio = AudioConfig()
        silent = torch.full((1, audio.n_mels, audio.window_mel_steps), -1.0, device=self.log_scale.device)
        return self.embed_audio(silent)[0]

    def embed_lips(self, lips: Tensor) -> Tensor:
        """Embed lips (B, window_frames * 3, h, w) in [-1, 1], as `cut_lips` gives them, as unit rows (B, D)."""
        return functional.normalize(self.lip_encoder(lips).float(), dim=1)

    def embed_landmarks(self, landmarks: Tensor) -> Tensor:
        """Embed mouth landmarks (B, window_frames, 20, 2) px of the crop as unit rows (B, D)."""
        centred = landmarks - landmarks.mean((1, 2), keepdim=True)
        return functional.normalize(self.landmark_encoder(centred.flatten(1) / 16).float(), dim=1)


def cut_lips(crops: Tensor, config: CropConfig = CropConfig()) -> Tensor:
    """Cut the lips' box out of crops (..., size, size), the last two dimensions being rows and columns."""
    left, top, right, bottom = (round(x * config.size) for x in config.lips_box)
    return crops[..., top:bottom, left:right]


def window_frames_of(middle: np.ndarray, count: int, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """List the frames of sync windows around `middle` (B,) in a clip of `count`: (B, window_frames); ends repeat."""
    reach = config.window_frames // 2
    return np.clip(np.asarray(middle)[:, None] + np.arange(-reach, reach + 1), 0, count - 1)
