"""The teacher of the speech encoder: the encoder of Whisper, read from a CTranslate2 model.bin, in torch."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.errors import DataError, ShapeError

SAMPLE_RATE = 16_000
"""Hz."""
TEACHER_RATE = 50
"""Rows per second: row i stands for time i / 50 s."""
TEACHER_WIDTH = 512
"""Values per row, Whisper base."""

_N_FFT, _HOP_LENGTH, _N_MELS = 400, 160, 80
_HEADS = 8
_SPAN_S = 30
"""The longest sound that the position table covers."""
_SILENCE_S = 8.0
"""Silence behind a short sound: the encoder was trained on padded sound, and needs some of it to see the end."""
_CONTEXT_S = 5.0
"""Of a long sound, windows overlap by this much on either side; only their middles are kept."""
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class WhisperTeacher(nn.Module):
    """Whisper's encoder: (B, 80, 2 S) log-mel to (B, S, 512) features; S may be shorter than the 1,500 rows of 30 s.

    Args:
        model_file: model.bin of Whisper base in CTranslate2's layout, version 6.
    Raises:
        DataError: no such file, or of another layout.
    Source:
        Radford et al. 2022 (Whisper); weights MIT.
    """

    def __init__(self, model_file: str | Path) -> None:
        super().__init__()
        for name, array in read_ctranslate2(model_file):
            if name.startswith("encoder/") and array.ndim:
                value = torch.from_numpy(array.astype(np.float32))
                self.register_buffer(name.removeprefix("encoder/").replace("/", ":"), value)
        self.layers = sum(name.endswith(":ffn:linear_0:weight") for name, _ in self.named_buffers())
        if not self.layers:
            raise DataError(f"{model_file} holds no Whisper encoder; make it as shared/models/README.md says")

    def forward(self, mel: Tensor) -> Tensor:
        rows = functional.gelu(self._convolve("conv1", mel, 1))
        rows = functional.gelu(self._convolve("conv2", rows, 2)).transpose(1, 2)
        rows = rows + self._get("position_encodings:encodings")[: rows.shape[1]]
        for number in range(self.layers):
            name = f"layer_{number}:"
            normed = self._norm(name + "self_attention:layer_norm", rows)
            parts = self._project(name + "self_attention:linear_0", normed).chunk(3, -1)  # query, key, value
            heads = [part.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for part in parts]
            mixed = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(-2)
            rows = rows + self._project(name + "self_attention:linear_1", mixed)
            inner = functional.gelu(self._project(name + "ffn:linear_0", self._norm(name + "ffn:layer_norm", rows)))
            rows = rows + self._project(name + "ffn:linear_1", inner)
        return self._norm("layer_norm", rows)

    @torch.no_grad()
    def encode(self, waveform: np.ndarray) -> np.ndarray:
        """Compute the features of a sound of any length.

        Args:
            waveform: mono, 16 kHz, shape (N,), float in [-1, 1].
        Returns:
            Shape (S, 512), float32, S = ceil(N / 320): row i stands for time i / 50 s.
        """
        mel = whisper_log_mel(waveform, pad_s=_SILENCE_S)
        count = -(-len(waveform) // (2 * _HOP_LENGTH))
        span, context = _SPAN_S * TEACHER_RATE, int(_CONTEXT_S * TEACHER_RATE)
        if mel.shape[1] <= 2 * span:
            return self(torch.from_numpy(mel)[None])[0, :count].numpy()
        parts, done = [], 0
        while done < count:
            first = max(0, min(done - context, mel.shape[1] // 2 - span))
            stop = count if first + span >= count else first + span - context
            rows = self(torch.from_numpy(mel[:, 2 * first : 2 * (first + span)])[None])[0]
            parts.append(rows[done - first : stop - first].numpy())
            done = stop
        return np.concatenate(parts)

    def _get(self, name: str) -> Tensor:
        return self._buffers[name]

    def _convolve(self, name: str, rows: Tensor, stride: int) -> Tensor:
        return functional.conv1d(rows, self._get(name + ":weight"), self._get(name + ":bias"), stride, padding=1)

    def _project(self, name: str, rows: Tensor) -> Tensor:
        return functional.linear(rows, self._get(name + ":weight"), self._get(name + ":bias"))

    def _norm(self, name: str, rows: Tensor) -> Tensor:
        gamma = self._get(name + ":gamma")
        return functional.layer_norm(rows, gamma.shape, gamma, self._get(name + ":beta"))


def whisper_log_mel(waveform: np.ndarray, pad_s: float = 0.0) -> np.ndarray:
    """Compute Whisper's log-mel of a sound with silence behind it.

    Args:
        waveform: mono, 16 kHz, shape (N,), float in [-1, 1].
        pad_s: seconds of silence put behind it.
    Returns:
        Shape (80, 2 S), float32, 100 steps per second, even in number.
    Raises:
        ShapeError: the waveform is not one-dimensional or empty.
    Source:
        openai/whisper, audio.py.
    """
    if waveform.ndim != 1 or not len(waveform):
        raise ShapeError(f"whisper_log_mel expects a mono waveform (N,), got shape {waveform.shape}")
    row = 2 * _HOP_LENGTH
    length = (-(-len(waveform) // row) + round(pad_s * TEACHER_RATE)) * row
    sound = torch.zeros(max(length, row))
    sound[: len(waveform)] = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
    window = torch.hann_window(_N_FFT)
    power = torch.stft(sound, _N_FFT, _HOP_LENGTH, window=window, return_complex=True)[:, :-1].abs().square()
    mel = (torch.from_numpy(_mel_filters()) @ power).clamp(min=1e-10).log10()
    return ((torch.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0).numpy()


def read_ctranslate2(path: str | Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) for every variable of a CTranslate2 model.bin of version 6, aliases included.

    Raises:
        DataError: no such file, or of another version.
    """
    if not Path(path).is_file():
        raise DataError(f"no Whisper weights at {path}; make model.bin as shared/models/README.md says")
    data, at, seen = memoryview(Path(path).read_bytes()), 0, {}

    def take(form: str) -> tuple:
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack_from(form, data, at - struct.calcsize(form))

    def text() -> str:
        return take(f"<{take('<H')[0]}s")[0].rstrip(b"\0").decode()

    if (version := take("<I")[0]) != 6:
        raise DataError(f"{path} is not a CTranslate2 file of version 6 (its version is {version})")
    text(), take("<I")  # kind and revision
    for _ in range(take("<I")[0]):
        name, shape = text(), take(f"<{take('<B')[0]}I")
        kind, size = take("<BI")
        seen[name] = np.frombuffer(data[at : at + size], _DTYPES[kind]).reshape(shape)
        at += size
        yield name, seen[name]
    for _ in range(take("<I")[0]):
        yield text(), seen[text()]


@lru_cache(maxsize=1)
def _mel_filters() -> np.ndarray:
    return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=_N_MELS).astype(np.float32)
