"""The causal speech encoder: features of speech from the last seconds of sound and 0.2 s ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.audio.features import SPEECH_RATE, count_speech_rows
from g4g.audio.mel import log_mel
from g4g.checkpoints import load_checkpoint, save_checkpoint
from g4g.config import AudioConfig
from g4g.errors import ConfigError

SPEECH_AUDIO = AudioConfig(n_fft=400, hop_length=160, window_mel_steps=20)
"""The encoder's mel: 100 steps/s, so that every second step is a row; AudioConfig's usual 80 steps/s do not divide into
50 rows/s, and its window of 50 ms blurs closures."""

MOST_LOOK_AHEAD_S = 0.2
"""A row may depend on no later sound than this: live dubbing waits for it."""

STEPS_PER_ROW = round(SPEECH_AUDIO.mel_rate / SPEECH_RATE)
"""Mel steps from one row to the next."""
STEM_STEPS = 2
"""Mel steps that the stem sees on either side of a row's own."""
_CHUNK_ROWS = 1000


@dataclass(frozen=True)
class SpeechConfig:
    """Sizes of the encoder. A block sees three rows, `dilation` apart; centred ones see the future, others the past."""

    size: int = 192
    """Values per row."""
    width: int = 256
    inner: int = 160
    """Width inside a block."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1, 2, 4, 8, 16, 1)
    centred_blocks: tuple[int, ...] = (0, 1, 2, 11)
    """Numbers of the blocks that see as far ahead as back."""

    def __post_init__(self) -> None:
        if not set(self.centred_blocks) <= set(range(len(self.dilations))):
            last = len(self.dilations) - 1
            raise ConfigError(f"centred_blocks are numbers from 0 to {last}, got {self.centred_blocks}")
        if self.look_ahead_s > MOST_LOOK_AHEAD_S:
            raise ConfigError(
                f"the encoder would look {self.look_ahead_s:.4f} s ahead, {MOST_LOOK_AHEAD_S} s are allowed: centre "
                "fewer blocks, or such with smaller dilations"
            )

    @property
    def rows_ahead(self) -> int:
        """Rows after its own that a row depends on."""
        return sum(self.dilations[i] for i in self.centred_blocks)

    @property
    def rows_back(self) -> int:
        """Rows before its own that a row depends on."""
        return 2 * sum(self.dilations) - self.rows_ahead

    @property
    def look_ahead_s(self) -> float:
        """The latest sound that a row depends on, in seconds after the row's time, the mel's window included."""
        steps = self.rows_ahead * STEPS_PER_ROW + STEM_STEPS
        return steps / SPEECH_AUDIO.mel_rate + SPEECH_AUDIO.n_fft / 2 / SPEECH_AUDIO.sample_rate


class SpeechEncoder(nn.Module):
    """Log-mel with its context to rows of features; nothing is padded inside, so any span gives what the whole gives.

    Source: our choice; gated residual dilated convolutions as in WaveNet (van den Oord et al. 2016), layer
    normalisation per row, which sees no other time.
    """

    def __init__(self, config: SpeechConfig = SpeechConfig()) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.ModuleList(
            [nn.Conv1d(SPEECH_AUDIO.n_mels, config.width, 3), nn.Conv1d(config.width, config.width, 3, STEPS_PER_ROW)]
        )
        self.blocks = nn.ModuleList(
            _Block(config.width, config.inner, dilation, number in config.centred_blocks)
            for number, dilation in enumerate(config.dilations)
        )
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.size)

    def forward(self, mel: Tensor) -> Tensor:
        """Encode (B, n_mels, steps), as `mel_span` says for the rows wanted, to (B, rows, size)."""
        rows = self.enter(mel)
        for block in self.blocks:
            rows = block(rows)
        return self.head(self.norm(rows))

    def enter(self, mel: Tensor) -> Tensor:
        """Bring (B, n_mels, steps) to what the first block takes, (B, rows, width); 2 steps at either end have none."""
        for conv in self.stem:
            mel = functional.gelu(conv(mel))
        return mel.transpose(1, 2)

    def mel_span(self, first_row: int, rows: int) -> tuple[int, int]:
        """Say which mel steps rows depend on: (first step, how many)."""
        first = (first_row - self.config.rows_back) * STEPS_PER_ROW - STEM_STEPS
        last = (first_row + rows - 1 + self.config.rows_ahead) * STEPS_PER_ROW + STEM_STEPS
        return first, last - first + 1

    def encode(self, waveform: np.ndarray, chunk_rows: int = _CHUNK_ROWS) -> np.ndarray:
        """Compute rows (S, size) of a sound; the result does not depend on `chunk_rows`, how many are computed at once.

        Raises:
            ConfigError: chunk_rows is below 1.
        """
        return np.concatenate(list(self.encode_parts(waveform, chunk_rows)))

    @torch.no_grad()
    def encode_parts(self, waveform: np.ndarray, chunk_rows: int = _CHUNK_ROWS) -> Iterator[np.ndarray]:
        """Yield the rows of `encode` as they are computed."""
        if chunk_rows < 1:
            raise ConfigError(f"chunk_rows must be 1 or more, got {chunk_rows}")
        total = count_speech_rows(len(waveform))
        for first in range(0, total, chunk_rows):
            span = self.mel_span(first, min(chunk_rows, total - first))
            mel = torch.from_numpy(log_mel(waveform, *span, SPEECH_AUDIO))[None].to(self.head.weight.device)
            yield self(mel)[0].float().cpu().numpy()


class _Block(nn.Module):
    """A gated convolution of three taps around a shortcut."""

    def __init__(self, width: int, inner: int, dilation: int, is_centred: bool) -> None:
        super().__init__()
        self.dilation, self.own = dilation, dilation if is_centred else 2 * dilation
        self.norm = nn.LayerNorm(width)
        self.taps = nn.Linear(3 * width, 2 * inner)
        self.out = nn.Linear(inner, width)

    def forward(self, rows: Tensor) -> Tensor:
        count = rows.shape[1] - 2 * self.dilation
        normed = self.norm(rows)
        taps = torch.cat([normed[:, i * self.dilation : i * self.dilation + count] for i in range(3)], -1)
        gate, value = self.taps(taps).chunk(2, -1)
        return rows[:, self.own : self.own + count] + self.out(functional.silu(gate) * value)


def save_speech_encoder(path: str | Path, encoder: SpeechEncoder, info: dict, *, half: bool = False) -> None:
    """Write the encoder with its config; `half` as for `save_checkpoint`."""
    save_checkpoint(path, encoder.state_dict(), asdict(encoder.config), "speech", info, half=half)


def load_speech_encoder(path: str | Path) -> SpeechEncoder:
    """Read an encoder that `save_speech_encoder` wrote, in evaluation mode. Raises CheckpointError."""
    checkpoint = load_checkpoint(path, "speech")
    config = {k: tuple(v) if isinstance(v, list) else v for k, v in checkpoint.config.items()}
    encoder = SpeechEncoder(SpeechConfig(**config))
    encoder.load_state_dict(checkpoint.tensors)
    return encoder.eval().requires_grad_(False)
