"""The judge: a second aligner of another architecture and audio feature, which no training of a generator ever sees."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.checkpoints import find_weights, load_checkpoint, save_checkpoint
from g4g.config import CropConfig
from g4g.errors import ShapeError
from g4g.metrics.mfcc import COEFFICIENTS, SOUND, mfcc, mfcc_windows
from g4g.metrics.sync import SyncScore, lip_sync_error
from g4g.zoo import load_part, settings_from_json

JUDGE_WEIGHTS = "g4g-judge"
KIND = "judge"

_REACH_FRAMES = SOUND.window_frames // 2
_CHUNK_FRAMES = 256


@dataclass(frozen=True)
class JudgeConfig:
    """Sizes of the judge (our choice); `mouth` is (x1, y1, x2, y2) as shares of the crop's side."""

    embedding: int = 192
    lip_channels: tuple[int, int, int, int] = (16, 40, 80, 160)
    audio_channels: tuple[int, int, int] = (128, 192, 256)
    mouth: tuple[float, float, float, float] = (0.21875, 0.46875, 0.78125, 0.90625)


class Conv3Frames(nn.Module):
    """3-D convolution over 3 frames without padding in time, stride 2 in space, normalisation, ReLU.

    It is computed as a 2-D convolution of stacked frames, which CPUs train several times faster.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3 * inputs, outputs, kernel, 2, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, frames: Tensor) -> Tensor:
        """Map (B, T, C, h, w) to (B, T - 2, outputs, h / 2, w / 2)."""
        count = frames.shape[1] - 2
        stacked = torch.cat([frames[:, start : start + count] for start in range(3)], dim=2)
        result = self.convolution(stacked.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return functional.relu(self.norm(result)).unflatten(0, (-1, count))


class Judge(nn.Module):
    """Embed grey mouths (3-D convolutions over neighbouring frames) and MFCCs (1-D convolutions) as unit vectors."""

    def __init__(self, config: JudgeConfig = JudgeConfig()) -> None:
        super().__init__()
        self.config = config
        self.mouth_box = tuple(round(x * CropConfig().size) for x in config.mouth)
        left, top, right, bottom = self.mouth_box
        a, b, c, d = config.lip_channels
        # Two temporal kernels of 3 without padding: 5 frames give one row, and neighbouring windows share the work.
        self.lip_frames = nn.ModuleList([Conv3Frames(1, a, 5), Conv3Frames(a, b, 3)])
        cells = -(-(bottom - top) // 16) * -(-(right - left) // 16)
        self.lip_picture = nn.Sequential(
            *_block(b, c, 2), *_block(c, c, 1), *_block(c, d, 2), nn.Flatten(), nn.Linear(cells * d, config.embedding)
        )
        e, f, g = config.audio_channels
        self.audio_encoder = nn.Sequential(
            nn.Conv1d(2 * COEFFICIENTS, e, 3, padding=1, bias=False), nn.BatchNorm1d(e), nn.ReLU(True),
            nn.Conv1d(e, f, 3, 2, 1, bias=False), nn.BatchNorm1d(f), nn.ReLU(True),
            nn.Conv1d(f, g, 3, 2, 1, bias=False), nn.BatchNorm1d(g), nn.ReLU(True),
            nn.Flatten(), nn.Linear(g * SOUND.window_mel_steps // 4, config.embedding),
        )  # fmt: skip
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward_lips(self, mouths: Tensor) -> Tensor:
        """Embed runs of standardised grey mouths (B, T, h, w) as unit rows (B, T - 4, D)."""
        features = mouths[:, :, None]
        for layer in self.lip_frames:
            features = layer(features)
        rows = self.lip_picture(features.flatten(0, 1))
        return functional.normalize(rows.float(), dim=1).unflatten(0, features.shape[:2])

    def forward_audio(self, windows: Tensor) -> Tensor:
        """Embed MFCC windows (B, 40, 20), as `mfcc_windows` cuts them, as unit rows (B, D)."""
        return functional.normalize(self.audio_encoder(windows).float(), dim=1)

    def embed_lips(self, crops: np.ndarray) -> Tensor:
        """Embed the lips of every whole 5-frame window of a clip.

        Args:
            crops: neighbouring face crops at 25 fps, shape (T, size, size, 3), RGB uint8, T >= 5.
        Returns:
            Unit rows (T - 4, D); row i is the window whose middle is frame i + 2.
        Raises:
            ShapeError: not such crops, or fewer than 5.
        """
        if crops.ndim != 4 or crops.shape[-1] != 3 or len(crops) < SOUND.window_frames:
            raise ShapeError(
                f"expected at least {SOUND.window_frames} crops (T, size, size, 3), got {crops.shape}; "
                "a shorter clip has no sync score"
            )
        return self.embed_mouths(cut_mouths(crops, self.mouth_box))

    @torch.no_grad()
    def embed_mouths(self, mouths: np.ndarray) -> Tensor:
        """Embed the windows of a clip's mouths (T, h, w) uint8, as `cut_mouths` cuts them: unit rows (T - 4, D)."""
        mouths = torch.from_numpy(standardise(mouths)).to(self.log_scale.device)
        both = 2 * _REACH_FRAMES
        spans = (mouths[start : start + _CHUNK_FRAMES + both] for start in range(0, len(mouths) - both, _CHUNK_FRAMES))
        return torch.cat([self.forward_lips(span[None])[0].cpu() for span in spans])

    @torch.no_grad()
    def embed_audio(self, waveform: np.ndarray, times_s: np.ndarray) -> Tensor:
        """Embed the 0.2 s of sound around each frame time.

        Args:
            waveform: mono at 16 kHz, shape (N,).
            times_s: frame times in seconds on the waveform's clock, shape (T,).
        Returns:
            Unit rows (T, D).
        """
        windows = torch.from_numpy(mfcc_windows(mfcc(waveform), times_s))
        return self.forward_audio(windows.to(self.log_scale.device)).cpu()

    def score(self, crops: np.ndarray, waveform: np.ndarray, times_s: np.ndarray) -> SyncScore:
        """Score one clip: crops (T, size, size, 3) at 25 fps, their sound (N,), and their times (T,) on its clock."""
        return lip_sync_error(self.embed_lips(crops), self.embed_audio(waveform, middle_times(times_s)))

    def score_mouths(self, mouths: np.ndarray, waveform: np.ndarray, times_s: np.ndarray) -> SyncScore:
        """Score one clip of which only the mouths (T, h, w) uint8, cut by `cut_mouths`, were kept."""
        return lip_sync_error(self.embed_mouths(mouths), self.embed_audio(waveform, middle_times(times_s)))


def middle_times(times_s: np.ndarray) -> np.ndarray:
    """Keep the times (T - 4,) of the frames in the middle of whole 5-frame windows."""
    return np.asarray(times_s)[_REACH_FRAMES : len(times_s) - _REACH_FRAMES]


def cut_mouths(crops: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Cut the box (x1, y1, x2, y2) out of crops (T, size, size, 3) uint8 as grey (BT.601) mouths (T, h, w) uint8."""
    left, top, right, bottom = box
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.round(crops[:, top:bottom, left:right].astype(np.float32) @ weights).astype(np.uint8)


def standardise(mouths: np.ndarray) -> np.ndarray:
    """Give a clip's grey mouths (T, h, w) mean 0 and deviation 1, float32: its light and contrast do not count."""
    values = mouths.astype(np.float32)
    return (values - values.mean()) / (values.std() + 1.0)


def load_judge(name: str | Path = JUDGE_WEIGHTS, device: str = "cpu") -> Judge:
    """Load the judge ready to score.

    Args:
        name: a name of the manifest, or a file.
        device: torch device.
    Raises:
        CheckpointError: unknown, damaged, or not a judge.
    """
    checkpoint = load_checkpoint(find_weights(name), KIND)
    judge = Judge(JudgeConfig(**settings_from_json(checkpoint.config)))
    load_part(judge, checkpoint.tensors, f"judge {name}")
    return judge.to(device).eval().requires_grad_(False)


def save_judge(path: str | Path, judge: Judge, info: dict) -> None:
    """Write a judge as one float16 file of kind "judge", which no other training accepts."""
    save_checkpoint(path, judge.state_dict(), asdict(judge.config), KIND, info, half=True)


def _block(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
