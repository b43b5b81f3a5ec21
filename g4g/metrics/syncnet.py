"""The field's official SyncNet score, for users who have `syncnet_v2.model`; never mixed with the judge's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.fft import dct
from scipy.signal import medfilt
from torch import Tensor, nn
from torch.nn import functional

from g4g.errors import CheckpointError, ShapeError
from g4g.metrics.sync import SyncScore, lip_sync_error

SIZE_PX = 224
SAMPLE_RATE = 16_000
COEFFICIENTS = 13
WINDOW_FRAMES = 5
WINDOW_STEPS = 20
"""MFCC steps of 10 ms in a window of 5 frames at 25 fps."""

MIN_OFFICIAL_FRAMES = 100
"""The official pipeline gives shorter clips no score."""

_STEPS_PER_FRAME = 4
_SAMPLES_PER_FRAME = 640
_BATCH = 20
_FOREHEAD, _MARGIN, _GREY, _SMOOTHING_FRAMES = 0.2, 0.4, 110, 13
_FRAME_SAMPLES, _HOP_SAMPLES, _N_FFT, _FILTERS, _LIFTER, _PRE_EMPHASIS = 400, 160, 512, 26, 22, 0.97


class SyncNet(nn.Module):
    """The public network of Chung & Zisserman 2016; the names of its parts are those of the public weight file."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_block2(1, 64, 3, padding=1), nn.MaxPool2d(1, 1),
            *_block2(64, 192, 3, padding=1), nn.MaxPool2d(3, (1, 2)),
            *_block2(192, 384, 3, padding=1), *_block2(384, 256, 3, padding=1), *_block2(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2), *_block2(256, 512, (5, 4)),
        )  # fmt: skip
        self.netfcaud = _head()
        self.netcnnlip = nn.Sequential(
            *_block3(3, 96, (5, 7, 7), stride=(1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block3(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_block3(256, 256, (1, 3, 3), padding=(0, 1, 1)), *_block3(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_block3(256, 256, (1, 3, 3), padding=(0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block3(256, 512, (1, 6, 6)),
        )  # fmt: skip
        self.netfclip = _head()

    def embed_lips(self, windows: Tensor) -> Tensor:
        """Embed windows of face crops (B, 3, 5, 224, 224), BGR in [0, 255], as (B, 1024), not normalised."""
        return self.netfclip(self.netcnnlip(windows).flatten(1))

    def embed_audio(self, windows: Tensor) -> Tensor:
        """Embed MFCC windows (B, 1, 13, 20) as (B, 1024), not normalised."""
        return self.netfcaud(self.netcnnaud(windows).flatten(1))


def load_syncnet(path: str | Path) -> SyncNet:
    """Read the public weight file without running anything that it may contain.

    Args:
        path: `syncnet_v2.model`, a state dict saved by torch.
    Raises:
        CheckpointError: no such file, one that holds more than tensors, or other tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; get syncnet_v2.model from the SyncNet project and give its path")
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as a plain state dict ({type(error).__name__}); give the original syncnet_v2.model"
        ) from error
    network = SyncNet()
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not hold SyncNet's tensors: {str(error).splitlines()[-1].strip()}"
        ) from error
    return network.eval().requires_grad_(False)


@torch.no_grad()
def score_official(network: SyncNet, crops: Iterable[np.ndarray], waveform: np.ndarray) -> SyncScore:
    """Score one clip by the official protocol; memory does not hold the crops.

    Args:
        network: as `load_syncnet` reads it.
        crops: face crops at 25 fps in order, each (224, 224, 3) RGB uint8, as `cut_head` cuts them.
        waveform: their sound at 16 kHz, mono, float in [-1, 1], starting with the first crop.
    Returns:
        LSE-D, LSE-C and offset over shifts of 15 frames, sound beyond the ends being zeros.
    Raises:
        ShapeError: other crops, or less than 6 frames of picture or sound.
    Source:
        Chung & Zisserman 2016, as their public `SyncNetInstance.evaluate` computes it.
    """
    heard = len(waveform) // _SAMPLES_PER_FRAME
    rows = [network.embed_lips(batch) for batch in _stack_windows(crops)]
    # One window less than fits: the official loop ends before the last one.
    count = min(sum(map(len, rows)) - 1, heard - WINDOW_FRAMES)
    if count < 1:
        raise ShapeError(f"expected more than {WINDOW_FRAMES} frames of picture and of sound; score a longer clip")
    features = torch.from_numpy(speech_mfcc(waveform).T.astype(np.float32))[None, None]
    steps = [slice(i * _STEPS_PER_FRAME, i * _STEPS_PER_FRAME + WINDOW_STEPS) for i in range(count)]
    audio = network.embed_audio(torch.cat([features[..., step] for step in steps]))
    return lip_sync_error(torch.cat(rows)[:count], audio)


def _stack_windows(crops: Iterable[np.ndarray]) -> Iterator[Tensor]:
    """Batch windows of neighbouring crops as (B, 3, 5, 224, 224), BGR."""
    held: list[Tensor] = []
    for crop in crops:
        if crop.shape != (SIZE_PX, SIZE_PX, 3):
            raise ShapeError(f"expected crops ({SIZE_PX}, {SIZE_PX}, 3), got {crop.shape}; resize them")
        held.append(torch.from_numpy(np.ascontiguousarray(crop[..., ::-1])).permute(2, 0, 1).float())
        if len(held) == _BATCH + WINDOW_FRAMES - 1:
            yield _windows_of(held)
            held = held[_BATCH:]
    if len(held) >= WINDOW_FRAMES:
        yield _windows_of(held)


def _windows_of(pictures: list[Tensor]) -> Tensor:
    count = len(pictures) - WINDOW_FRAMES + 1
    return torch.stack([torch.stack(pictures[i : i + WINDOW_FRAMES], 1) for i in range(count)])


def frame_heads(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find centre (T, 2) and half size (T,) of the head's square in frame px, smoothed over time.

    Args:
        landmarks: of neighbouring frames, shape (T, 68, 2), px.
    Source:
        Median of 13 frames as in the official pipeline. Its S3FD box is stood in for by the landmarks' box, grown
        upwards by a fifth of its height for the forehead (our choice).
    """
    low, high = landmarks.min(1), landmarks.max(1)
    low[:, 1] -= _FOREHEAD * (high[:, 1] - low[:, 1])
    values = np.column_stack([(low + high) / 2, (high - low).max(1) / 2])
    x, y, half = (medfilt(column, _SMOOTHING_FRAMES) if len(column) > _SMOOTHING_FRAMES else column
                  for column in values.T.astype(np.float64))  # fmt: skip
    return np.column_stack([x, y]), half


def cut_head(frame: np.ndarray, centre: np.ndarray, half: float) -> np.ndarray:
    """Cut the head as the official pipeline does: more below than above, grey beyond the frame; (224, 224, 3)."""
    border = int(half * (1 + 2 * _MARGIN))
    padded = np.pad(frame, ((border, border), (border, border), (0, 0)), constant_values=_GREY)
    x, y = centre + border
    rows = slice(max(int(y - half), 0), max(int(y + half * (1 + 2 * _MARGIN)), 1))
    columns = slice(max(int(x - half * (1 + _MARGIN)), 0), max(int(x + half * (1 + _MARGIN)), 1))
    picture = torch.from_numpy(padded[rows, columns]).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(picture, (SIZE_PX, SIZE_PX), mode="bilinear", align_corners=False)
    return resized[0].permute(1, 2, 0).round().byte().numpy()


def speech_mfcc(waveform: np.ndarray) -> np.ndarray:
    """Compute MFCCs as python_speech_features 0.6 does by default, which SyncNet was trained on.

    Args:
        waveform: 16 kHz, mono, float in [-1, 1], shape (N,).
    Returns:
        Shape (steps, 13), 100 steps per second; the first coefficient is the logarithm of the energy.
    Raises:
        ShapeError: not one-dimensional, or empty.
    Source:
        python_speech_features 0.6 (MIT): 25 ms rectangular windows, 26 filters, lifter 22, energy in place of c0.
    """
    if waveform.ndim != 1 or not len(waveform):
        raise ShapeError(f"expected a mono waveform (N,), got {waveform.shape}; mix the channels first")
    samples = np.round(np.asarray(waveform, np.float64) * 32767)
    samples = np.append(samples[0], samples[1:] - _PRE_EMPHASIS * samples[:-1])
    steps = 1 + max(int(np.ceil((len(samples) - _FRAME_SAMPLES) / _HOP_SAMPLES)), 0)
    samples = np.pad(samples, (0, max((steps - 1) * _HOP_SAMPLES + _FRAME_SAMPLES - len(samples), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME_SAMPLES)[::_HOP_SAMPLES][:steps]
    power = np.abs(np.fft.rfft(frames, _N_FFT)) ** 2 / _N_FFT
    tiny = np.finfo(float).eps
    energy = power.sum(1)
    bands = power @ _filterbank().T
    cepstrum = dct(np.log(np.where(bands == 0, tiny, bands)), type=2, axis=1, norm="ortho")[:, :COEFFICIENTS]
    cepstrum *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstrum[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return cepstrum


def _filterbank() -> np.ndarray:
    """Triangles between whole FFT bins, (26, 257)."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, _FILTERS + 2) / 2595) - 1)
    edges = np.floor((_N_FFT + 1) * hertz / SAMPLE_RATE)
    bins = np.arange(_N_FFT // 2 + 1)
    low, middle, high = (edges[start : start + _FILTERS, None] for start in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    inside_left, inside_right = (bins >= low) & (bins < middle), (bins >= middle) & (bins < high)
    return np.where(inside_left, rising, np.where(inside_right, falling, 0.0))


def _block2(inputs: int, outputs: int, kernel: int | tuple, padding: int = 0) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU(True)


def _block3(inputs: int, outputs: int, kernel: tuple, **more: tuple) -> tuple[nn.Module, ...]:
    return nn.Conv3d(inputs, outputs, kernel, **more), nn.BatchNorm3d(outputs), nn.ReLU(True)


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))
