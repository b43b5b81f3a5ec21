"""Rows of a sound that is still being spoken: chunks in, rows out, the same as those of the whole sound."""

from __future__ import annotations

import copy

import numpy as np
import torch

from g4g.audio.causal import SPEECH_AUDIO, STEM_STEPS, STEPS_PER_ROW, SpeechEncoder
from g4g.audio.mel import log_mel
from g4g.errors import ShapeError

_LEFT_STEPS = 2
"""So many hops before a mel step's middle hold its window and the sample that the pre-emphasis needs."""


class SpeechStream:
    """Encodes one sound chunk by chunk; each row is computed once, as soon as the sound that it depends on is there.

    Before the first sample is silence, as for `SpeechEncoder.encode`; row i stands for time i / 50 s.
    """

    def __init__(self, encoder: SpeechEncoder) -> None:
        self._encoder = encoder
        self._samples, self._dropped = np.zeros(0, np.float32), 0
        self._next = -encoder.config.rows_back
        self._past: list[torch.Tensor | None] = [None] * len(encoder.blocks)
        self.push(self._samples)  # the silence before

    def fork(self) -> SpeechStream:
        """Return a stream that goes on from here on its own."""
        twin = copy.copy(self)
        twin._past = list(self._past)  # arrays and tensors are replaced, never changed
        return twin

    @torch.no_grad()
    def push(self, waveform: np.ndarray) -> np.ndarray:
        """Take the next samples.

        Args:
            waveform: mono, 16 kHz, (N,), float in [-1, 1]; N may be 0.
        Returns:
            Rows (S, size) float32 that are known now and were not before; often none.
        Raises:
            ShapeError: the waveform is not one-dimensional.
        """
        if waveform.ndim != 1:
            raise ShapeError(f"a chunk of sound must be a mono waveform (N,), got shape {waveform.shape}")
        self._samples = np.concatenate([self._samples, waveform.astype(np.float32, copy=False)])
        known = self._dropped + len(self._samples)
        last_step = (known - SPEECH_AUDIO.n_fft // 2) // SPEECH_AUDIO.hop_length
        count = (last_step - STEM_STEPS) // STEPS_PER_ROW + 1 - self._next
        if count <= 0:
            return np.zeros((0, self._encoder.config.size), np.float32)
        first, steps = self._next * STEPS_PER_ROW - STEM_STEPS, (count - 1) * STEPS_PER_ROW + 2 * STEM_STEPS + 1
        mel = log_mel(self._samples, first - self._dropped // SPEECH_AUDIO.hop_length, steps, SPEECH_AUDIO)
        self._next += count
        self._forget()
        return self._encode(torch.from_numpy(mel)[None])

    def _forget(self) -> None:
        """Drop samples that no later mel step sees."""
        first = self._next * STEPS_PER_ROW - STEM_STEPS - _LEFT_STEPS
        drop = max(first * SPEECH_AUDIO.hop_length - self._dropped, 0)
        self._samples, self._dropped = self._samples[drop:], self._dropped + drop

    def _encode(self, mel: torch.Tensor) -> np.ndarray:
        """Run the network over new mel steps (1, n_mels, steps), each block behind the rows that it saw last."""
        encoder = self._encoder
        rows = encoder.enter(mel.to(encoder.head.weight.device))
        for number, block in enumerate(encoder.blocks):
            past, seen = self._past[number], 2 * block.dilation
            rows = rows if past is None else torch.cat([past, rows], 1)
            self._past[number] = rows[:, -seen:].clone()
            if rows.shape[1] <= seen:
                return np.zeros((0, encoder.config.size), np.float32)
            rows = block(rows)
        return encoder.head(encoder.norm(rows))[0].float().cpu().numpy()
