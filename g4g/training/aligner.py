"""Stage 1: the aligner, by the diagonal-matrix loss."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import torch

from g4g.aligner import Aligner, diagonal_loss, embed_clip, window_frames_of
from g4g.audio import mel_windows
from g4g.config import CropConfig
from g4g.faces.landmarks import MOUTH
from g4g.metrics import match_windows
from g4g.training.data import Shot, augment_colour, augment_mel
from g4g.training.loop import Stage

_CLIPS = 4
_WINDOWS = 24
_SHIFT = 4
"""The lips' box moves by up to so many px, for the tracker is not steadier."""
_STEADY_FROM = 0.5
"""Share of the run after which batch normalisation keeps its running figures, as in use: few clips have others."""
_WEIGHTS = {"audio_lips": 1.0, "margin": 1.0, "landmark_lips": 0.3, "landmark_audio": 0.3}


class AlignerStage(Stage):
    """Windows of a few clips per batch; colour, place, mirror and sound are drawn once per clip.

    With `keep_sound` the sound's encoder stays as it is: a generator that learnt to hear by it would be lost.
    """

    def __init__(self, aligner: Aligner, train: list[Shot], validation: list[Shot], keep_sound: bool = False) -> None:
        super().__init__()
        self.aligner, self._train_shots, self._validation = aligner, train, validation
        self._keep_sound = keep_sound

    def trained(self) -> Aligner:
        return self.aligner

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        device = self.aligner.log_scale.device
        if done >= _STEADY_FROM:
            self.aligner.eval()
        parts = [_draw_windows(self._train_shots[i], rng) for i in rng.integers(len(self._train_shots), size=_CLIPS)]
        lips, sound, points, time = (torch.from_numpy(np.concatenate(p)).to(device) for p in zip(*parts, strict=True))
        clip = torch.arange(_CLIPS, device=device).repeat_interleave(_WINDOWS)
        lip = self.aligner.embed_lips(lips.contiguous(memory_format=torch.channels_last))
        geometry = self.aligner.embed_landmarks(points)
        self.aligner.audio_encoder.train(self.aligner.training and not self._keep_sound)
        with torch.set_grad_enabled(not self._keep_sound):
            audio = self.aligner.embed_audio(sound)
        scale = self.aligner.log_scale.clamp(max=4.0).exp()
        terms = {}
        terms["audio_lips"], terms["margin"] = diagonal_loss(lip, audio, clip, time, scale, spare_neighbours=False)
        terms["landmark_lips"] = diagonal_loss(geometry, lip, clip, time, scale)[0]
        terms["landmark_audio"] = diagonal_loss(geometry, audio, clip, time, scale)[0]
        return {name: value * _WEIGHTS[name] for name, value in terms.items()}

    def describe(self) -> dict:
        return {"sound_encoder": "kept" if self._keep_sound else "trained"}

    def validate(self, network: Aligner, sheet: Path) -> dict[str, float]:
        rng = np.random.default_rng(0)
        first, near, offsets, picture = [], [], [], None
        for shot in self._validation[:40]:
            lip, audio = embed_shot(network, shot)
            picture = (lip @ audio.T).numpy() if picture is None else picture
            matches = match_windows(lip, audio, rng)
            first, near = first + matches.first, near + matches.near
            offsets.append(abs(matches.offset_frames) <= 1)
        matplotlib.image.imsave(sheet, np.kron(picture, np.ones((4, 4))))
        return {"first_of_20": np.mean(first), "within_one": np.mean(near), "clip_offset": np.mean(offsets)}


def embed_shot(network: Aligner, shot: Shot, every: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed a shot: lips of every `every`-th frame (ceil(T / every), D) and sound of all frames (T, D), on the CPU."""
    return embed_clip(network, shot.crops, shot.mel, shot.times_s, every)


def _draw_windows(shot: Shot, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw lips (N, 15, h, w), sound (N, n_mels, steps), mouth landmarks (N, 5, 20, 2) and frame numbers (N,)."""
    middle = rng.choice(np.arange(2, len(shot) - 2), size=_WINDOWS, replace=len(shot) - 4 < _WINDOWS)
    frames = window_frames_of(middle, len(shot))
    used, where = np.unique(frames, return_inverse=True)
    # Cut before converting: the lips are a fifth of the crop. Shifting the crop is shifting the box.
    left, top, right, bottom = (round(x * CropConfig().size) for x in CropConfig().lips_box)
    x, y = rng.integers(-_SHIFT, _SHIFT + 1, size=2)
    lips = shot.crops[used, top + y : bottom + y, left + x : right + x].astype(np.float32) / 127.5 - 1
    points = shot.landmarks[frames][:, :, MOUTH].astype(np.float32)
    if rng.random() < 0.5:
        lips, points = lips[:, :, ::-1], points * np.float32([-1, 1])
    lips = augment_colour(lips, rng)
    if rng.random() < 0.3:
        lips = lips.mean(-1, keepdims=True).repeat(3, -1)
    lips = np.ascontiguousarray(lips.transpose(0, 3, 1, 2))[where.reshape(frames.shape)]
    lips = lips.reshape(_WINDOWS, -1, *lips.shape[3:])
    sound = mel_windows(augment_mel(shot.mel, rng), shot.times_s[middle])
    return lips, sound, points, middle.astype(np.int64)
