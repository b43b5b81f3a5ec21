"""The judge: a second aligner of another architecture, other points and another sound, which no training ever sees."""

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
from g4g.faces import fit_crop, transform_points
from g4g.faces.landmarks import MOUTH
from g4g.metrics.mfcc import COEFFICIENTS, SOUND, mfcc, mfcc_windows
from g4g.metrics.sync import SyncScore, lip_sync_error
from g4g.options import JUDGE_WEIGHTS
from g4g.zoo import load_part, settings_from_json

KIND = "judge"

HALF_WINDOW_FRAMES = SOUND.window_frames // 2
_LOWER_JAW = slice(4, 13)
_POINTS = MOUTH.stop - MOUTH.start + _LOWER_JAW.stop - _LOWER_JAW.start


@dataclass(frozen=True)
class JudgeConfig:
    """Sizes of the judge (our choice)."""

    embedding: int = 96
    point_channels: int = 160
    audio_channels: tuple[int, int, int] = (128, 160, 192)


class Judge(nn.Module):
    """Embed mouth and jaw of the 68 points (convolutions over nine frames) and MFCCs as unit vectors."""

    def __init__(self, config: JudgeConfig = JudgeConfig()) -> None:
        super().__init__()
        self.config = config
        wide = config.point_channels
        # Four kernels of 3 without padding: 9 frames give one row, and neighbouring windows share the work.
        self.point_encoder = nn.Sequential(
            *_layer(2 * _POINTS, wide), *_layer(wide, wide), *_layer(wide, wide), nn.Conv1d(wide, config.embedding, 3)
        )
        e, f, g = config.audio_channels
        self.audio_encoder = nn.Sequential(
            *_layer(2 * COEFFICIENTS, e, 1, 1), *_layer(e, f, 2, 1), *_layer(f, g, 2, 1), nn.Flatten(),
            nn.Dropout(0.2), nn.Linear(g * SOUND.window_mel_steps // 4, config.embedding),
        )  # fmt: skip
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward_points(self, points: Tensor) -> Tensor:
        """Embed runs of standardised points (B, T, P, 2) as unit rows (B, T - 8, D)."""
        rows = self.point_encoder(points.flatten(2).transpose(1, 2)).transpose(1, 2)
        return functional.normalize(rows.float(), dim=-1)

    def forward_audio(self, windows: Tensor) -> Tensor:
        """Embed MFCC windows (B, 40, 36), as `mfcc_windows` cuts them, as unit rows (B, D)."""
        return functional.normalize(self.audio_encoder(windows).float(), dim=1)

    @torch.no_grad()
    def embed_points(self, landmarks: np.ndarray) -> Tensor:
        """Embed the lips of every whole window of a clip.

        Args:
            landmarks: of neighbouring frames at 25 fps, px, shape (T, 68, 2), T >= 9.
        Returns:
            Unit rows (T - 8, D); row i is the window whose middle is frame i + 4.
        Raises:
            ShapeError: not such landmarks, or fewer than 9.
        """
        if landmarks.shape[1:] != (68, 2) or len(landmarks) < SOUND.window_frames:
            raise ShapeError(
                f"expected landmarks (T, 68, 2) of at least {SOUND.window_frames} frames, got {landmarks.shape}; "
                "a shorter clip has no sync score"
            )
        points = torch.from_numpy(standardise(landmarks)).to(self.log_scale.device)
        return self.forward_points(points[None])[0].cpu()

    @torch.no_grad()
    def embed_audio(self, waveform: np.ndarray, times_s: np.ndarray) -> Tensor:
        """Embed the 0.36 s of sound around each frame time.

        Args:
            waveform: mono at 16 kHz, shape (N,).
            times_s: frame times in seconds on the waveform's clock, shape (T,).
        Returns:
            Unit rows (T, D).
        """
        windows = torch.from_numpy(mfcc_windows(mfcc(waveform), times_s))
        return self.forward_audio(windows.to(self.log_scale.device)).cpu()

    def score(self, landmarks: np.ndarray, waveform: np.ndarray, times_s: np.ndarray) -> SyncScore:
        """Score one clip: landmarks (T, 68, 2) px at 25 fps, their sound (N,), and their times (T,) on its clock."""
        return lip_sync_error(self.embed_points(landmarks), self.embed_audio(waveform, middle_times(times_s)))


def middle_times(times_s: np.ndarray) -> np.ndarray:
    """Keep the times (T - 8,) of the frames in the middle of whole windows."""
    return np.asarray(times_s)[HALF_WINDOW_FRAMES : len(times_s) - HALF_WINDOW_FRAMES]


def standardise(landmarks: np.ndarray) -> np.ndarray:
    """Take head and person out of a clip's landmarks.

    Args:
        landmarks: (T, 68, 2) px.
    Returns:
        Mouth and lower jaw off their median, in distances of the outer eye corners, (T, P, 2), float32.
    """
    config = CropConfig()
    points = transform_points(fit_crop(landmarks, [(0, len(landmarks))], config), landmarks.astype(np.float64))
    points = np.concatenate([points[:, MOUTH], points[:, _LOWER_JAW]], axis=1)
    return ((points - np.median(points, axis=0)) / (config.eye_distance * config.size)).astype(np.float32)


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


def _layer(inputs: int, outputs: int, stride: int = 1, padding: int = 0) -> tuple[nn.Module, ...]:
    return (
        nn.Conv1d(inputs, outputs, 3, stride, padding, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.1, True)
    )  # fmt: skip
