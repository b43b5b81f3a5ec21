"""Stage: the generator, on frames made by the recipe of a dub; picture first, texture last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from g4g.faces.landmarks import MESH_TO_68, MOUTH
from g4g.generator import (
    Discriminator,
    Generator,
    Maps,
    adversarial_loss,
    discriminator_loss,
    draw_frames,
    edge_weights,
    reconstruction_loss,
    sample_pictures,
)
from g4g.generator.loss import pyramid
from g4g.metrics import cut_box, mouth_box, psnr
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas, lay_out, mask_lower_face, to_device, to_tensor
from g4g.training.data import Shot, speaker_chances
from g4g.training.examples import Subject, draw_example
from g4g.training.loop import Stage
from g4g.training.perceptual import Perceptual
from g4g.training.processes import number_clips

_FRAMES = 12
_MOUTH_PX = 56
"""Side of the square around the mouth, px of the crop, in which features are compared."""
_FEATURES_OF = 2
"""Features are compared for every such frame: they cost as much as all the rest."""
_OUTSIDE = 0.1
"""Weight of pixels that no dub takes."""
_OTHER_LIGHT, _OTHER_SKIN = 0.3, 0.6
"""Shares of references whose light differs a little, of examples in other colours."""
_VALIDATION_CLIPS, _APART_S = 16, 0.5
_WEIGHTS = {"pixels": 1.0, "edges": 0.4, "perceptual": 1.2, "adversarial": 0.01, "features": 0.05, "flow": 0.002}


class GeneratorStage(Stage):
    """Frames of as many shots per batch."""

    adversarial_from = 0.5
    """Share of the run after which the discriminator counts."""
    changes_colours = True
    """Other people's skins and lights are made out of the few that there are."""

    def __init__(
        self, generator: Generator, space: ShapeSpace, train: list[Shot], held: list[Shot],
        perceptual: Perceptual | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.generator, self.perceptual, self._space = generator, perceptual, space
        self.discriminator = Discriminator()
        self._train = [Subject.of(shot) for shot in train]
        self._held = [Subject.of(shot) for shot in held]
        self._chances, self._numbers = speaker_chances(train), number_clips([shot.clip for shot in train])
        self._known = {shot.speaker for shot in train}
        self._seen: tuple[Tensor, Tensor] | None = None

    def trained(self) -> Generator:
        return self.generator

    def describe(self) -> dict:
        return {"perceptual": "EfficientNet-Lite0" if self.perceptual else "none"}

    def critic(self) -> Discriminator:
        return self.discriminator

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        device, config = next(self.generator.parameters()).device, self.generator.config
        chosen = rng.choice(len(self._train), size=_FRAMES, p=self.batch.keep_chances(self._chances, self._numbers))
        drawn = [
            draw_example(self._train[i], self._space, config.references, config.speech_rows, rng) for i in chosen
        ]
        canvas = join_canvases([canvas for canvas, _ in drawn])
        pictures = stack_pictures(canvas, device)
        real = to_tensor(np.stack([real for _, real in drawn]), device)
        if self.changes_colours:
            pictures, real = change_colours(pictures, real, rng)
        made, maps = draw_canvas(self.generator, canvas, pictures)
        real = reduce_real(self.generator, real)
        terms = self._compare(canvas, made, real)
        terms["flow"] = maps.flow.abs().mean()
        if done >= self.adversarial_from:
            self._seen = real, made.detach()
            with torch.no_grad():
                true_layers = self.discriminator(real)
            terms["adversarial"], terms["features"] = adversarial_loss(true_layers, self.discriminator(made))
        return {name: value * _WEIGHTS[name] for name, value in terms.items()}

    def _compare(self, canvas: Canvas, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        top, size = self.generator.top, self.generator.crop.size
        landmarks = torch.from_numpy(canvas.targets[:, MESH_TO_68]).to(made.device)
        masks = np.stack([mask_lower_face(m, t) for m, t in zip(canvas.meshes, canvas.targets, strict=True)])
        taken = torch.from_numpy(masks[:, None, top:]).to(made.device)
        weights = edge_weights(landmarks, top, size) * (_OUTSIDE + (1 - _OUTSIDE) * taken)
        terms = {}
        terms["pixels"], terms["edges"] = reconstruction_loss(pyramid(made), real, weights)
        if self.perceptual is not None:
            some = slice(None, None, _FEATURES_OF)
            mouths = [cut_mouths(x[some], landmarks[some, MOUTH], top) for x in (made, real)]
            terms["perceptual"] = self.perceptual(*mouths).mean()
        return terms

    def critic_step(self) -> Tensor | None:
        if self._seen is None:
            return None
        real, made = self._seen
        return discriminator_loss(self.discriminator(real), self.discriminator(made))

    @torch.no_grad()
    def validate(self, network: Generator, sheet: Path) -> dict[str, float]:
        """Measure mouths, told the true geometry, against the mean of the warped references; people known or not."""
        figures, rows, mine = {}, [], self.generator
        self.generator = network
        groups = {"known": [s for s in self._held if s.shot.speaker in self._known]}
        groups["unseen"] = [s for s in self._held if s.shot.speaker not in self._known]
        for group, subjects in groups.items():
            found = [self._measure(s, rows) for s in subjects[:: max(len(subjects) // _VALIDATION_CLIPS, 1)]]
            if found:
                figures |= {f"{group}_{k}": float(np.mean([f[k] for f in found])) for k in found[0]}
        self.generator = mine
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
        Image.fromarray(np.concatenate(rows)).save(sheet)
        return figures

    def _measure(self, subject: Subject, rows: list[np.ndarray]) -> dict[str, float]:
        shot, config, top = subject.shot, self.generator.config, self.generator.top
        frames = np.arange(4, len(shot) - 4, max(len(shot) // 8, 1))
        chosen = np.stack([np.resize(subject.rank_references(f, _APART_S)[:3], config.references) for f in frames])
        canvas = Canvas(
            shot.crops[frames], subject.points[frames], subject.points[frames], shot.crops[chosen],
            subject.points[chosen], frame_speech(shot.speech, shot.times_s[frames], config.speech_rows),
        )  # fmt: skip
        pictures = stack_pictures(canvas, next(self.generator.parameters()).device)
        made, _ = draw_canvas(self.generator, canvas, pictures)
        real = reduce_real(self.generator, pictures[:, -1])
        layout = lay_out(canvas, 1, top)
        warped = sample_pictures(pictures[:, :-1].cpu(), layout.places[:, :-1], self.generator.crop.size).mean(1)
        made, real, mean = (to_pictures(x) for x in (made, real, warped))
        ours, plain = [], []
        for i, frame in enumerate(frames):
            points = subject.points[frame][MESH_TO_68][MOUTH] - [0, top]
            box = mouth_box(points, self.generator.crop.size)
            for list_, picture in ((ours, made[i]), (plain, mean[i])):
                list_.append(psnr(cut_box(picture, box), cut_box(real[i], box)))
        if len(rows) < 24:
            rows += [np.concatenate(list(x[:8]), 1) for x in (real, made)]
        return {"psnr_db": float(np.mean(ours)), "above_mean_db": float(np.mean(ours) - np.mean(plain))}


def draw_canvas(generator: Generator, canvas: Canvas, pictures: Tensor) -> tuple[Tensor, Maps]:
    """Draw a canvas's frames at the networks' size, (B, 3, h, w), from what `stack_pictures` gives; also the maps."""
    size = generator.crop.size
    layout = to_device(lay_out(canvas, 1, generator.top), pictures.device)
    small = functional.interpolate(pictures.flatten(0, 1), (size, size), mode="area")
    shown = sample_pictures(small.unflatten(0, pictures.shape[:2]), layout.places, size)
    maps = generator(shown, layout, torch.from_numpy(canvas.speech).to(pictures.device))
    return draw_frames(pictures, layout, maps, size), maps


def reduce_real(generator: Generator, real: Tensor) -> Tensor:
    """Bring real crops (B, 3, s, s) to the rows and the size that the generator draws."""
    return functional.interpolate(real, (generator.crop.size,) * 2, mode="area")[:, :, generator.top :]


def stack_pictures(canvas: Canvas, device: torch.device | str = "cpu") -> Tensor:
    """Put a canvas's pictures together, (B, K + 1, 3, s, s) in [-1, 1], the frame's own last."""
    return to_tensor(np.concatenate([canvas.references, canvas.crops[:, None]], 1), device)


def join_canvases(canvases: list[Canvas]) -> Canvas:
    """Join canvases of one resolution frame by frame."""
    return Canvas(*(np.concatenate(part) for part in zip(*(vars(c).values() for c in canvases), strict=True)))


def change_colours(pictures: Tensor, real: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Give examples other skins and lights, and some references a slightly different light.

    Args:
        pictures: (B, K + 1, 3, s, s) in [-1, 1], the frame's own last.
        real: the real frames, (B, 3, s, s).
    """
    count, device = len(real), real.device
    other = torch.from_numpy(rng.random((count, 1)) < _OTHER_SKIN)
    tone = torch.from_numpy(np.exp(rng.normal(0, 0.2, (count, 3))).astype(np.float32))
    tone = torch.where(other, tone, 1.0)[:, :, None, None]
    light = torch.from_numpy(np.exp(rng.normal(0, 0.06, (*pictures.shape[:2], 3))).astype(np.float32))
    light[torch.from_numpy(rng.random(pictures.shape[:2]) >= _OTHER_LIGHT)] = 1
    light[:, -1] = 1
    recolour = lambda x, power: 2 * ((x + 1) / 2).clamp(1e-4, 1) ** power - 1  # noqa: E731
    tone, light = tone.to(device), light.to(device)
    return recolour(pictures, tone[:, None] * light[..., None, None]), recolour(real, tone)


def cut_mouths(pictures: Tensor, mouths: Tensor, top: int) -> Tensor:
    """Cut squares of _MOUTH_PX around mouths (B, 20, 2) px of the crop out of pictures whose first row is `top`."""
    height, width = pictures.shape[-2:]
    middle = ((mouths.amin(1) + mouths.amax(1)) / 2).round().long().cpu()
    left = (middle[:, 0] - _MOUTH_PX // 2).clamp(0, width - _MOUTH_PX).tolist()
    first = (middle[:, 1] - top - _MOUTH_PX // 2).clamp(0, height - _MOUTH_PX).tolist()
    cut = [x[:, y : y + _MOUTH_PX, z : z + _MOUTH_PX] for x, y, z in zip(pictures, first, left, strict=True)]
    return torch.stack(cut)


def to_pictures(x: Tensor) -> np.ndarray:
    """Turn (B, 3, h, w) in [-1, 1] into (B, h, w, 3) uint8."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
