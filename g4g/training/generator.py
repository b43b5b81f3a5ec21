"""Stage 2: the generator, picture first, sync late and small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from g4g.aligner import Aligner, cut_lips
from g4g.audio import mel_windows, shared_windows
from g4g.faces.landmarks import JAW, MOUTH
from g4g.generator import (
    Generator,
    choose_references,
    edge_weights,
    hide_lower_half,
    reconstruction_loss,
)  # fmt: skip
from g4g.metrics import cut_box, mean_squared_error, mouth_box, mse_to_psnr
from g4g.training.data import Shot, augment_mel
from g4g.training.loop import Stage

_CLIPS = 3
_FRAMES = 5
_ONE_REFERENCE = 0.15
"""Share of clips in training that have one reference four times, as a still picture does."""
_SYNC_FROM = 0.4
_WEIGHTS = {"pixels": 1.0, "edges": 0.3, "landmarks": 0.3, "perceptual": 0.1, "sync": 0.012}


class GeneratorStage(Stage):
    """A few clips per batch, five neighbouring frames each, so that the frozen aligner can judge their lips."""

    def __init__(self, generator: Generator, aligner: Aligner, train: list[Shot], validation: list[Shot]) -> None:
        super().__init__()
        self.generator, self.aligner = generator, aligner.eval().requires_grad_(False)
        self._train_shots, self._validation = train, validation

    def trained(self) -> Generator:
        return self.generator

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        device = next(self.generator.parameters()).device
        shots = [self._train_shots[i] for i in rng.integers(len(self._train_shots), size=_CLIPS)]
        parts = [_draw(shot, self.generator.config.audio_windows, rng) for shot in shots]
        *parts, windows, where = zip(*parts, strict=True)
        crops, landmarks, references, reference_landmarks = (
            torch.from_numpy(np.stack(part)).to(device) for part in parts
        )
        with torch.no_grad():
            embedded = [
                self.aligner.embed_audio(torch.from_numpy(w).to(device))[i] for w, i in zip(windows, where, strict=True)
            ]
        audio = torch.cat(embedded)
        sound = torch.stack([rows[_FRAMES // 2, rows.shape[1] // 2] for rows in embedded])
        people = self.generator.encode_references(references, reference_landmarks).repeat(_FRAMES)
        real, points = crops.flatten(0, 1), landmarks.flatten(0, 1)
        output = self.generator(hide_lower_half(real), points, audio, people)
        top = self.generator.top
        weights = edge_weights(points, top, real.shape[-1])
        terms = {}
        pictures = [*output.smaller, output.picture]
        terms["pixels"], terms["edges"] = reconstruction_loss(pictures, real[:, :, top:], weights)
        truth = torch.cat([points[:, JAW], points[:, MOUTH]], 1)
        terms["landmarks"] = (output.landmarks - truth).abs().mean() / 8
        if done > _SYNC_FROM:
            whole = torch.cat([real[:, :, :top], output.picture], 2)
            fake, true = (cut_lips(x).unflatten(0, (_CLIPS, _FRAMES)).flatten(1, 2) for x in (whole, real))
            terms["sync"] = 1 - (self.aligner.embed_lips(fake) * sound).sum(1).mean()
            terms["perceptual"] = self._perceptual(fake, true)
        return {name: value * _WEIGHTS[name] for name, value in terms.items()}

    def _perceptual(self, fake: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """Compare features of the aligner's lip encoder, for VGG19's weights may not be at hand."""
        loss = fake.new_zeros(())
        for layer in list(self.aligner.lip_encoder)[:4]:
            fake, true = layer(fake), layer(true).detach()
            loss = loss + (fake - true).abs().mean() / (true.abs().mean() + 1e-3)
        return loss / 4

    def validate(self, network: Generator, sheet: Path) -> dict[str, float]:
        rows, ours, copied = [], [], []
        for shot in self._validation[:24]:
            chosen = choose_references(shot.landmarks)
            frames = np.arange(5, len(shot) - 5, 8)
            made = generate_frames(network, self.aligner, shot, frames, chosen)
            for picture, frame in zip(made, frames, strict=True):
                box = mouth_box(shot.landmarks[frame, MOUTH], network.crop.size)
                pictures = picture, shot.crops[chosen[0]], shot.crops[frame]
                made_mouth, closed, real = (cut_box(x, box) for x in pictures)
                ours.append(mean_squared_error(made_mouth, real))
                copied.append(mean_squared_error(closed, real))
            if len(rows) < 8:
                some = slice(0, 8)
                rows += [np.concatenate(list(shot.crops[frames[some]][:, 48:]), 1), np.concatenate(made[some, 48:], 1)]
        Image.fromarray(np.concatenate(rows)).resize((2048, len(rows) * 160)).save(sheet)
        made_db, copied_db = mse_to_psnr(np.mean(ours)), mse_to_psnr(np.mean(copied))
        return {"mouth_psnr_db": made_db, "above_copy_db": made_db - copied_db}


@torch.no_grad()
def generate_frames(
    network: Generator,
    aligner: Aligner,
    shot: Shot,
    frames: np.ndarray,
    chosen: np.ndarray,
) -> np.ndarray:
    """Generate frames of a shot from chosen references and its own sound: (N, size, size, 3) uint8."""
    device = next(network.parameters()).device
    crops = _to_tensor(shot.crops[frames]).to(device)
    times, where = shared_windows(shot.times_s[frames], network.config.audio_windows)
    audio = aligner.embed_audio(torch.from_numpy(mel_windows(shot.mel, times)).to(device))[where]
    points = torch.from_numpy(shot.landmarks).to(device)
    person = network.encode_references(_to_tensor(shot.crops[chosen]).to(device)[None], points[chosen][None])
    output = network(hide_lower_half(crops), points[frames], audio, person.repeat(len(frames)))
    whole = torch.cat([crops[:, :, : network.top], output.picture.clamp(-1, 1)], 2)
    return ((whole + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _draw(shot: Shot, windows: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    middle = int(rng.integers(2, len(shot) - 2))
    frames = np.arange(middle - 2, middle + 3)
    # References come from the rest of the clip: a frame that is its own reference teaches nothing.
    rest = np.flatnonzero(np.abs(np.arange(len(shot)) - middle) > 4)
    chosen = rest[choose_references(shot.landmarks[rest], rng)]
    if rng.random() < _ONE_REFERENCE:
        chosen = np.repeat(rng.choice(rest), len(chosen))
    used = np.concatenate([frames, chosen])
    crops, points = shot.crops[used].astype(np.float32) / 127.5 - 1, shot.landmarks[used]
    if rng.random() < 0.5:
        crops, points = crops[:, :, ::-1], mirror_landmarks(points, crops.shape[2])
    crops = crops * rng.uniform(0.85, 1.1, 3).astype(np.float32) + np.float32(rng.uniform(-0.1, 0.1))
    if rng.random() < 0.3:
        crops = crops[..., rng.permutation(3)]
    crops = np.ascontiguousarray(np.clip(crops, -1, 1).transpose(0, 3, 1, 2))
    points = points.astype(np.float32)
    mel = augment_mel(shot.mel, rng) if rng.random() < 0.7 else shot.mel
    times, where = shared_windows(shot.times_s[frames], windows)
    n = len(frames)
    return crops[:n], points[:n], crops[n:], points[n:], mel_windows(mel, times), where


_MIRROR_68 = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36]
    + [41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


def mirror_landmarks(landmarks: np.ndarray, width: int) -> np.ndarray:
    """Mirror landmarks (..., 68, 2) in a picture `width` px wide; left and right points change places."""
    return (landmarks * [-1, 1] + [width - 1, 0])[..., _MIRROR_68, :]


def _to_tensor(crops: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
