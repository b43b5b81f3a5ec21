"""Stage: the generator, on frames made by the recipe of a dub; picture first, texture last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from g4g.config import CropConfig
from g4g.faces.landmarks import MESH_TO_68, MOUTH
from g4g.generator import (
    Discriminator,
    Generator,
    Layout,
    Maps,
    adversarial_loss,
    discriminator_loss,
    draw_frames,
    enlarge_maps,
    make_sketch,
    sample_pictures,
)
from g4g.generator.loss import edge_weights, pyramid, reconstruction_loss
from g4g.metrics import cut_box, mouth_box, psnr
from g4g.motion import ShapeSpace, frame_speech
from g4g.painter import Canvas, lay_out, to_device, to_tensor
from g4g.training.data import Shot, speaker_chances
from g4g.training.example_batch import Examples, draw_ahead
from g4g.training.examples import Subject, draw_example, draw_still_example, mirror_example
from g4g.training.loop import Stage
from g4g.training.perceptual import FEATURES_PX, Perceptual
from g4g.training.processes import number_clips

_FRAMES = 12
_MOUTH_PX = 56
"""Side of the square around the mouth, px of the crop, in which features and sharpness are compared."""
_STILLS = 0.25
"""Share of the examples that are stills, where there are any."""
_OTHER_LENS, _MOST_LENS = 0.3, 0.7
"""Share of examples that are blurred or sharpened, and how much of their fine detail is taken or added at most."""
_FEATURES_OF = 2
"""Features are compared for every such frame: they cost as much as all the rest."""
_OUTSIDE = 0.1
"""Weight of pixels that no dub takes."""
_OTHER_LIGHT, _OTHER_SKIN = 0.3, 0.6
"""Shares of references whose light differs a little, of examples in other colours."""
_FAINT = 1e-4
"""Energy of fine detail that no eye sees."""
_VALIDATION_CLIPS, _APART_S = 16, 0.5
_WEIGHTS = {
    "pixels": 1.0, "edges": 0.4, "perceptual": 1.0, "sharpness": 0.02, "adversarial": 0.005, "features": 0.05,
    "flow": 0.002,
}  # fmt: skip


class GeneratorStage(Stage):
    """Frames of as many shots per batch; drawn by `workers` processes beside the training, or by itself."""

    adversarial_from = 0.5
    """Share of the run after which the discriminator counts."""
    changes_colours = True
    """Other people's skins and lights are made out of the few that there are."""
    frames = _FRAMES
    workers = 0

    def __init__(
        self, generator: Generator, space: ShapeSpace, train: list[Shot], held: list[Shot],
        perceptual: Perceptual | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.generator, self.perceptual, self._space = generator, perceptual, space
        self.discriminator = Discriminator()
        videos = [shot for shot in train if shot.kind == "video"]
        self._train = [Subject.of(shot) for shot in videos]
        self._stills = [Subject.of(shot) for shot in train if shot.kind == "still"]
        self._held = [Subject.of(shot) for shot in held if shot.kind == "video"]
        self._chances, self._numbers = speaker_chances(videos), number_clips([shot.clip for shot in videos])
        self._known = {shot.speaker for shot in train}
        self._seen: tuple[Tensor, Tensor] | None = None
        self._ahead: Iterator[Examples] | None = None

    def trained(self) -> Generator:
        return self.generator

    def describe(self) -> dict:
        return {"perceptual": "EfficientNet-Lite0" if self.perceptual else "none"}

    def critic(self) -> Discriminator:
        return self.discriminator

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        device, top = next(self.generator.parameters()).device, self.generator.top
        examples = self._draw_batch(rng)
        pictures, real = (scale_bytes(x, device) for x in (examples.pictures, examples.real))
        if self.changes_colours:
            pictures, real = change_lens(*change_colours(pictures, real, rng), rng)
        layout = to_device(examples.layout, device)
        made, maps = draw_laid(self.generator, layout, examples.speech.to(device), pictures)
        real, landmarks = cut_real(self.generator, real), examples.landmarks
        small = [reduce(self.generator, x) for x in (made, real)]
        terms = self._compare(*small, landmarks.to(device), examples.taken.to(device))
        terms["flow"] = maps.flow.abs().mean()
        mouths = [cut_mouths(x, landmarks[:, MOUTH], top) for x in (made, real)]
        terms["sharpness"] = compare_sharpness(*mouths)
        if self.perceptual is not None:
            some = slice(None, None, _FEATURES_OF)
            boxes = [cut_boxes(x[some], landmarks[some, MOUTH], top) for x in (made, real)]
            terms["perceptual"] = self.perceptual(*boxes).mean()
        if done >= self.adversarial_from:
            self._seen = mouths[1], mouths[0].detach()
            with torch.no_grad():
                true_layers = self.discriminator(mouths[1])
            terms["adversarial"], terms["features"] = adversarial_loss(true_layers, self.discriminator(mouths[0]))
        return {name: value * _WEIGHTS[name] for name, value in terms.items()}

    def _draw_batch(self, rng: np.random.Generator) -> Examples:
        if self.workers and self._ahead is None:
            self._ahead = draw_ahead(self._draw_examples, self.workers, int(rng.integers(2**31)))
        return self._draw_examples(rng) if self._ahead is None else next(self._ahead)

    def _draw_examples(self, rng: np.random.Generator) -> Examples:
        chances = self.batch.keep_chances(self._chances, self._numbers)
        return Examples.of([self._draw(chances, rng) for _ in range(self.frames)], self.generator.top)

    def _draw(self, chances: np.ndarray, rng: np.random.Generator) -> tuple[Canvas, np.ndarray]:
        """Draw an example, of a video or a still, mirrored or not."""
        config = self.generator.config
        subject = self._train[rng.choice(len(self._train), p=chances)]
        what = (self._space, config.references, config.speech_rows, rng)
        if self._stills and rng.random() < _STILLS:
            example = draw_still_example(self._stills[rng.integers(len(self._stills))], subject, *what)
        else:
            example = draw_example(subject, *what)
        return mirror_example(*example) if rng.random() < 0.5 else example

    def _compare(self, made: Tensor, real: Tensor, landmarks: Tensor, taken: Tensor) -> dict[str, Tensor]:
        """Compare at the networks' size and coarser."""
        weights = edge_weights(landmarks, self.generator.top, self.generator.crop.size)
        weights = weights * (_OUTSIDE + (1 - _OUTSIDE) * taken)
        terms = {}
        terms["pixels"], terms["edges"] = reconstruction_loss(pyramid(made), real, weights)
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
        real, size = cut_real(self.generator, pictures[:, -1]), self.generator.crop.size
        places = lay_out(canvas, top).places[:, :-1].permute(0, 1, 4, 2, 3)
        places = enlarge_maps(places, pictures.shape[-1] / size).permute(0, 1, 3, 4, 2)
        warped = sample_pictures(pictures[:, :-1].cpu(), places, size, "bicubic").mean(1).to(made.device)
        mouths = torch.from_numpy(canvas.targets[:, MESH_TO_68][:, MOUTH])
        drawn = made, warped, real
        made, real, mean = (to_pictures(reduce(self.generator, x)) for x in (made, real, warped))
        ours, plain = [], []
        for i, frame in enumerate(frames):
            points = subject.points[frame][MESH_TO_68][MOUTH] - [0, top]
            box = mouth_box(points, self.generator.crop.size)
            for list_, picture in ((ours, made[i]), (plain, mean[i])):
                list_.append(psnr(cut_box(picture, box), cut_box(real[i], box)))
        if len(rows) < 24:
            rows += [np.concatenate(list(x[:8]), 1) for x in (real, made)]
        found = {"psnr_db": float(np.mean(ours)), "above_mean_db": float(np.mean(ours) - np.mean(plain))}
        energies = [float(measure_energy(cut_mouths(x, mouths, top)).mean()) for x in (drawn[0], drawn[2])]
        found["sharpness"] = energies[0] / energies[1]
        if self.perceptual is not None:
            boxes = [cut_boxes(x, mouths, top) for x in drawn]
            distances = [float(self.perceptual(x, boxes[2]).mean()) for x in boxes[:2]]
            found["perceptual_share"] = distances[0] / distances[1]
        return found


def draw_canvas(generator: Generator, canvas: Canvas, pictures: Tensor) -> tuple[Tensor, Maps]:
    """Draw a canvas's frames as fine as its pictures, (B, 3, h, w), from what `stack_pictures` gives; also the maps."""
    layout = to_device(lay_out(canvas, generator.top), pictures.device)
    return draw_laid(generator, layout, torch.from_numpy(canvas.speech).to(pictures.device), pictures)


def draw_laid(generator: Generator, layout: Layout, speech: Tensor, pictures: Tensor) -> tuple[Tensor, Maps]:
    """Draw frames that are laid out: as `draw_canvas`."""
    size = generator.crop.size
    small = functional.interpolate(pictures.flatten(0, 1), (size, size), mode="area").unflatten(0, pictures.shape[:2])
    maps = generator(sample_pictures(small, layout.places, size), layout, speech)
    return draw_frames(pictures, make_sketch(small, layout, maps), size), maps


def cut_real(generator: Generator, real: Tensor) -> Tensor:
    """Cut the rows that the generator draws out of real crops (B, 3, s, s)."""
    return real[:, :, round(generator.top * real.shape[-1] / generator.crop.size) :]


def reduce(generator: Generator, drawn: Tensor) -> Tensor:
    """Bring drawn rows (B, 3, h, w) to the networks' size."""
    size = generator.crop.size
    return functional.interpolate(drawn, (size - generator.top, size), mode="area")


def stack_pictures(canvas: Canvas, device: torch.device | str = "cpu") -> Tensor:
    """Put a canvas's pictures together, (B, K + 1, 3, s, s) in [-1, 1], the frame's own last."""
    return to_tensor(np.concatenate([canvas.references, canvas.crops[:, None]], 1), device)


def scale_bytes(pictures: Tensor, device: torch.device) -> Tensor:
    """Turn pictures (..., h, w, 3) uint8 into (..., 3, h, w) in [-1, 1] on the device: quicker there for many."""
    return pictures.to(device).movedim(-1, -3).float() / 127.5 - 1


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


def change_lens(pictures: Tensor, real: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Blur or sharpen some examples, all their pictures alike; arguments as for `change_colours`."""
    some = torch.from_numpy(np.flatnonzero(rng.random(len(real)) < _OTHER_LENS)).to(real.device)
    share = rng.uniform(-_MOST_LENS, _MOST_LENS, (len(some), 1, 1, 1, 1)).astype(np.float32)
    every = torch.cat([pictures[some], real[some, None]], 1)
    flat = functional.pad(every.flatten(0, 1), (1, 1, 1, 1), mode="replicate")
    fine = every - functional.avg_pool2d(flat, 3, 1).unflatten(0, every.shape[:2])
    changed = (every + torch.from_numpy(share).to(real.device) * fine).clamp(-1, 1)
    return pictures.index_copy(0, some, changed[:, :-1]), real.index_copy(0, some, changed[:, -1])


def measure_energy(pictures: Tensor) -> Tensor:
    """Measure the energy of the fine detail of pictures (B, 3, h, w), (B,): the Laplacian's, as the metric does."""
    middle = pictures[..., 1:-1, 1:-1]
    around = pictures[..., :-2, 1:-1] + pictures[..., 2:, 1:-1] + pictures[..., 1:-1, :-2] + pictures[..., 1:-1, 2:]
    return (around - 4 * middle).square().mean((1, 2, 3))


def compare_sharpness(made: Tensor, real: Tensor) -> Tensor:
    """Tell by how much the fine detail of pictures (B, 3, h, w) differs in energy, as a logarithm."""
    return ((measure_energy(made) + _FAINT) / (measure_energy(real) + _FAINT)).log().abs().mean()


def cut_mouths(pictures: Tensor, mouths: Tensor, top: int) -> Tensor:
    """Cut squares around mouths (B, 20, 2) px of the crop out of pictures (B, 3, h, w) whose first row is `top`."""
    height, width = pictures.shape[-2:]
    scale = width / CropConfig().size
    side = round(scale * _MOUTH_PX)
    corner = scale * ((mouths.amin(1) + mouths.amax(1)) / 2 - mouths.new_tensor([0, top])) - side / 2
    corner = torch.minimum(corner.round().clamp(min=0), corner.new_tensor([width - side, height - side]))
    return cut_out(pictures, torch.cat([corner, corner + side], 1), side)


def cut_boxes(pictures: Tensor, mouths: Tensor, top: int) -> Tensor:
    """Cut the boxes in which mouths are measured, each brought to FEATURES_PX; arguments as for `cut_mouths`."""
    scale = pictures.shape[-1] / CropConfig().size
    points = (mouths.cpu().numpy() - [0, top] + 0.5) * scale - 0.5
    return cut_out(pictures, torch.tensor([mouth_box(x, pictures.shape[-1]) for x in points]), FEATURES_PX)


def cut_out(pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Cut boxes (B, 4), x1, y1, x2, y2 in px, one out of each picture (B, 3, h, w), brought to (B, 3, side, side)."""
    rows = torch.arange(len(boxes))[:, None]
    rows = torch.cat([rows, boxes.cpu()], 1).to(pictures.device, pictures.dtype)
    return roi_align(pictures, rows, side, sampling_ratio=1, aligned=True)


def to_pictures(x: Tensor) -> np.ndarray:
    """Turn (B, 3, h, w) in [-1, 1] into (B, h, w, 3) uint8."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
