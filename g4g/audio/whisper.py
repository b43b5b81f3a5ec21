"""The first layers of Whisper's encoder as speech encoder: they know every voice and language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.audio.features import count_speech_rows
from g4g.audio.mel_bands import mel_bands
from g4g.errors import ConfigError

_SAMPLE_RATE, _N_FFT, _HOP_LENGTH, _N_MELS = 16_000, 400, 160, 80
_SAMPLES_PER_ROW = 2 * _HOP_LENGTH
_MOST_ROWS = 1500
"""Whisper was trained on 30 s."""
_WINDOW_ROWS, _CONTEXT_ROWS = 1000, 100
"""Longer sounds are encoded in windows of 20 s, of which 2 s on either side are context."""
_SILENT_ROWS = 100
"""Silence behind every window: Whisper was trained on padded sound, and the last rows change without it."""


@dataclass(frozen=True)
class WhisperConfig:
    """Sizes of Whisper base. Four of its six layers: p, b, m are told from open vowels better than by all six (AUC of a
    linear probe 0.97 against 0.95, six languages), in two thirds of the time."""

    size: int = 192
    """Values per row, after the projection."""
    width: int = 512
    layers: int = 4
    heads: int = 8

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ConfigError(f"a width of {self.width} cannot be shared by {self.heads} heads and halved")


class WhisperEncoder(nn.Module):
    """Log-mel (B, 80, 2 S) to rows (B, S, size), S up to 1500 (30 s).

    Source: Radford et al. 2022 (Whisper), its encoder. The projection behind it is ours: Whisper's rows tell above all
    where in the 30 s they stand; the projection keeps what does not depend on that (`training/projection.py`).
    """

    def __init__(self, config: WhisperConfig = WhisperConfig()) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv1d(_N_MELS, config.width, 3, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(_Layer(config.width, config.heads) for _ in range(config.layers))
        self.head = nn.Linear(config.width, config.size)
        self.register_buffer("_places", _sinusoids(config.width), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        rows = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        rows = rows + self._places[: rows.shape[1]]
        for layer in self.layers:
            rows = layer(rows)
        return self.head(rows)

    def encode(self, waveform: np.ndarray) -> np.ndarray:
        """Compute rows (S, size) of a sound (N,): whole up to 20 s, in equal windows that overlap beyond."""
        return np.concatenate(list(self.encode_parts(waveform)))

    @torch.no_grad()
    def encode_parts(self, waveform: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the rows of `encode` as they are computed."""
        total = count_speech_rows(len(waveform))
        most = _WINDOW_ROWS if total <= _WINDOW_ROWS else _WINDOW_ROWS - 2 * _CONTEXT_ROWS
        borders = np.linspace(0, total, -(-total // most) + 1).round().astype(int)
        for first, stop in zip(borders[:-1], borders[1:], strict=True):
            start, end = max(first - _CONTEXT_ROWS, 0), min(stop + _CONTEXT_ROWS, total)
            sound = waveform[start * _SAMPLES_PER_ROW : end * _SAMPLES_PER_ROW]
            mel = whisper_log_mel(sound, end - start + _SILENT_ROWS)[None].to(self.head.weight.device)
            yield self(mel)[0, first - start : stop - start].float().cpu().numpy()


class _Layer(nn.Module):
    """Self-attention and a feed-forward network, each around a shortcut and behind a normalisation."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.inner_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, rows: Tensor) -> Tensor:
        parts = self.query_key_value(self.attention_norm(rows)).chunk(3, -1)
        heads = [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts]
        rows = rows + self.mixed(functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(-2))
        return rows + self.outer(functional.gelu(self.inner(self.inner_norm(rows))))


def whisper_log_mel(waveform: np.ndarray, rows: int) -> Tensor:
    """Compute Whisper's log-mel of a sound with silence behind it.

    Args:
        waveform: mono, 16 kHz, shape (N,), float in [-1, 1]; N is at most 320 * rows.
        rows: rows of the encoder wanted, 50 per second.
    Returns:
        Shape (80, 2 * rows), float32, 100 steps per second.
    Source:
        openai/whisper, audio.py.
    """
    sound = torch.zeros(rows * _SAMPLES_PER_ROW)
    sound[: len(waveform)] = torch.from_numpy(np.array(waveform, dtype=np.float32))
    window = torch.hann_window(_N_FFT)
    power = torch.stft(sound, _N_FFT, _HOP_LENGTH, window=window, return_complex=True)[:, :-1].abs().square()
    mel = (torch.from_numpy(_mel_bands()) @ power).clamp(min=1e-10).log10()
    return (torch.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0


def _sinusoids(width: int) -> Tensor:
    """Whisper's table of places: (1500, width), sines then cosines."""
    rates = torch.exp(-np.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(_MOST_ROWS)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


@lru_cache(maxsize=1)
def _mel_bands() -> np.ndarray:
    return mel_bands(_SAMPLE_RATE, _N_FFT, _N_MELS, 0.0, _SAMPLE_RATE / 2)
