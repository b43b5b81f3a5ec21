"""Stage 2: the generator, picture first, sync late and small, texture last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from g4g.aligner import Aligner, cut_lips
from g4g.audio import mel_windows, shared_windows
from g4g.faces.landmarks import JAW, MOUTH
from g4g.generator import (
    Discriminator,
    Gallery,
    Generator,
    adversarial_loss,
    choose_references,
    discriminator_loss,
    edge_weights,
    hide_lower_half,
    reconstruction_loss,
    reduce_pictures,
    to_tensor,
)
from g4g.metrics import cut_box, mouth_box, psnr
from g4g.training.data import Shot, speaker_chances
from g4g.training.loop import Stage
from g4g.training.perceptual import make_perceptual
from g4g.training.sounds import Sounds
from g4g.training.augment import draw_example

_CLIPS = 4
_FRAMES = 5
_SYNC_FROM = 0.35
"""Share of the run after which sync counts: the picture comes first. One that was trained before starts there."""
_VALIDATION_CLIPS = 16
"""About so many of known and of unseen speakers each, evenly over those held out."""
_WEIGHTS = {
    "pixels": 1.0, "edges": 0.3, "landmarks": 0.3, "perceptual": 0.1, "sync": 0.08, "foreign_sync": 0.08,
    "adversarial": 0.01, "features": 0.05,
}  # fmt: skip


class GeneratorStage(Stage):
    """Frames of a few clips per batch; neighbouring ones as soon as the frozen aligner judges their lips."""

    foreign_clips = 2
    """So many clips of a batch are driven by another clip's sound, once sync is judged: what is left of the source's
    own mouth around the hidden part must not be trusted more than the sound."""
    adversarial_from = 0.6
    """Share of the run after which the discriminator counts."""
    gallery: Gallery | None = None
    """Of the one speaker to be learnt, as `draw_example` says."""

    def __init__(
        self, generator: Generator, aligner: Aligner, train: list[Shot], validation: list[Shot], trained: bool
    ) -> None:
        super().__init__()
        self._begin = _SYNC_FROM if trained else 0.0
        self.generator, self.aligner = generator, aligner.eval().requires_grad_(False)
        generator.hear_silence(aligner.embed_silence())
        self.discriminator = Discriminator()
        self.perceptual = make_perceptual(self.aligner)
        self._train_shots, self._validation = train, validation
        self._chances = speaker_chances(train)
        self._sounds = Sounds(self.aligner, generator.config.audio_windows)
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None

    def trained(self) -> Generator:
        return self.generator

    def describe(self) -> dict:
        return {"perceptual": self.perceptual.name}

    def critic(self) -> Discriminator:
        return self.discriminator

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        device = next(self.generator.parameters()).device
        done = self._begin + done * (1 - self._begin)
        in_sync = done >= _SYNC_FROM
        shots = self._draw_shots(rng, _CLIPS)
        frames = [_draw_frames(shot, rng, in_sync) for shot in shots]
        paired = _CLIPS - in_sync * self.foreign_clips
        voices = shots[:paired] + self._draw_shots(rng, _CLIPS - paired)
        spoken = frames[:paired] + [_draw_frames(voice, rng, in_sync) for voice in voices[paired:]]
        sounds = [self._sounds.draw(voice, rng) for voice in voices]
        audio = torch.stack([sound[some] for sound, some in zip(sounds, spoken, strict=True)])
        parts = [draw_example(shot, some, rng, self.gallery) for shot, some in zip(shots, frames, strict=True)]
        crops, landmarks, references, reference_landmarks = (
            torch.stack(part).to(device) for part in zip(*parts, strict=True)
        )
        people = self.generator.encode_references(references, reference_landmarks).repeat(_FRAMES)
        real, points = crops.flatten(0, 1), landmarks.flatten(0, 1)
        output = self.generator(hide_lower_half(real), points, audio.flatten(0, 1), people)
        top, finer, known = self.generator.top, self.generator.config.finer, paired * _FRAMES
        terms = {}
        pictures = [picture[:known] for picture in (*output.smaller, output.picture)]
        weights = edge_weights(points[:known] * finer, top, real.shape[-1])
        terms["pixels"], terms["edges"] = reconstruction_loss(pictures, real[:known, :, top:], weights)
        off = (output.landmarks[:known] - torch.cat([points[:known, JAW], points[:known, MOUTH]], 1)).abs() / 8
        terms["landmarks"] = off[:, :17].mean() / 4 + off[:, 17:].mean() * 3 / 4
        if in_sync:
            whole = torch.cat([real[:, :, :top], output.picture], 2)
            lips = (cut_lips(reduce_pictures(x, finer)) for x in (whole, real))
            fake, true = (x.unflatten(0, (_CLIPS, _FRAMES)).flatten(1, 2) for x in lips)
            moments = [int(some[_FRAMES // 2]) for some in spoken]
            middle = [sound[:, sound.shape[1] // 2] for sound in sounds]
            in_time = self._sync_loss(self.aligner.embed_lips(fake), middle, moments)
            terms["sync"], terms["foreign_sync"] = in_time[:paired].mean(), in_time[paired:].mean()
            terms["perceptual"] = self.perceptual(fake[:paired], true[:paired])
        if done >= self.adversarial_from:
            self._seen = real[:, :, top:], output.picture.detach()
            with torch.no_grad():
                true_layers = self.discriminator(self._seen[0])
            made_layers = self.discriminator(output.picture)
            terms["adversarial"], terms["features"] = adversarial_loss(true_layers, made_layers, known)
        return {name: value * _WEIGHTS[name] for name, value in terms.items()}

    def _draw_shots(self, rng: np.random.Generator, count: int) -> list[Shot]:
        return [self._train_shots[i] for i in rng.choice(len(self._train_shots), size=count, p=self._chances)]

    def _sync_loss(self, lips: torch.Tensor, sounds: list[torch.Tensor], moments: list[int]) -> torch.Tensor:
        """Cross entropy (B,) of finding each row of lips' moment in its clip's sound (T, D); neighbours do not count.

        Divided by the scale of similarities, so that it weighs as much as a cosine does.
        """
        scale = self.aligner.log_scale.clamp(max=4.0).exp()
        losses = []
        for row, sound, moment in zip(lips, sounds, moments, strict=True):
            near = (torch.arange(len(sound), device=row.device) - moment).abs() == 1
            logits = (sound @ row * scale).masked_fill(near, float("-inf"))
            losses.append((logits.logsumexp(0) - logits[moment]) / scale)
        return torch.stack(losses)

    def critic_step(self) -> torch.Tensor | None:
        if self._seen is None:
            return None
        real, made = self._seen
        return discriminator_loss(self.discriminator(real), self.discriminator(made))

    def validate(self, network: Generator, sheet: Path) -> dict[str, float]:
        """Measure mouth PSNR above copying the most closed reference, as mean over frames, known speakers apart."""
        speakers = {shot.speaker for shot in self._train_shots}
        groups = {
            "known": [shot for shot in self._validation if shot.speaker in speakers],
            "unseen": [shot for shot in self._validation if shot.speaker not in speakers],
        }
        figures, rows = {}, []
        for group, shots in groups.items():
            ours, copied = [], []
            for shot in shots[:: max(len(shots) // _VALIDATION_CLIPS, 1)]:
                chosen = choose_references(shot.landmarks)
                frames = np.setdiff1d(np.arange(5, len(shot) - 5, 8), chosen)
                references = shot.pictures[chosen], shot.landmarks[chosen]
                made = generate_frames(network, self.aligner, shot, frames, *references)
                for picture, frame in zip(made, frames, strict=True):
                    box = mouth_box(shot.landmarks[frame, MOUTH] * network.config.finer, network.size)
                    pictures = picture, shot.pictures[chosen[0]], shot.pictures[frame]
                    made_mouth, closed, real = (cut_box(x, box) for x in pictures)
                    ours.append(psnr(made_mouth, real))
                    copied.append(psnr(closed, real))
                if len(ours) < 40:
                    rows += [np.concatenate(list(x[:8, network.top :]), 1) for x in (shot.pictures[frames], made)]
            if shots:
                mean = np.mean(ours)
                figures |= {f"{group}_psnr_db": mean, f"{group}_above_copy_db": mean - np.mean(copied)}
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
        whole = Image.fromarray(np.concatenate(rows))
        whole.resize((2048, 2048 * whole.height // width)).save(sheet)
        return figures


@torch.no_grad()
def generate_frames(
    network: Generator, aligner: Aligner, shot: Shot, frames: np.ndarray, crops: np.ndarray, landmarks: np.ndarray,
    voice: Shot | None = None,
) -> np.ndarray:  # fmt: skip
    """Generate frames of a shot.

    Args:
        shot: whose `frames` are made; by their number in the shot.
        crops, landmarks: the references, (4, size, size, 3) uint8, as fine as the generator paints, and (4, 68, 2) px.
        voice: whose sound drives them; None: the shot's own.
    Returns:
        (N, size, size, 3) uint8.
    """
    device, voice = next(network.parameters()).device, voice or shot
    real = to_tensor(shot.pictures[frames]).to(device)
    audio = embed_moments(aligner, voice, frames, network.config.audio_windows)
    points = torch.from_numpy(shot.landmarks[frames]).to(device)
    person = network.encode_references(to_tensor(crops).to(device)[None], torch.from_numpy(landmarks).to(device)[None])
    output = network(hide_lower_half(real), points, audio, person.repeat(len(frames)))
    whole = torch.cat([real[:, :, : network.top], output.picture.clamp(-1, 1)], 2)
    return ((whole + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def embed_moments(aligner: Aligner, voice: Shot, frames: np.ndarray, count: int) -> torch.Tensor:
    """Embed `count` sync windows of a shot's sound around each of some frames, (N, count, D)."""
    times, where = shared_windows(voice.times_s[frames], count)
    windows = torch.from_numpy(mel_windows(voice.mel, times))
    return aligner.embed_audio(windows.to(next(aligner.parameters()).device))[where]


def _draw_frames(shot: Shot, rng: np.random.Generator, neighbours: bool) -> np.ndarray:
    """Draw frame numbers: neighbouring ones, or from the whole shot, which show more mouth shapes."""
    if neighbours:
        return int(rng.integers(len(shot) - _FRAMES + 1)) + np.arange(_FRAMES)
    return rng.choice(len(shot), size=_FRAMES, replace=False)
