"""What fine-tuning trains, and how it is measured on the speaker's held-out frames."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from g4g.checkpoints.atomic import write_whole
from g4g.faces.landmarks import MESH_TO_68, MOUTH
from g4g.generator import Generator
from g4g.metrics import cut_box, mouth_box, psnr
from g4g.motion import Motion, frame_speech
from g4g.painter import Canvas, join_parts
from g4g.training.base_teacher import BaseTeacher
from g4g.training.data import Shot
from g4g.training.examples import Subject
from g4g.training.generator import (
    GeneratorStage,
    cut_mouths,
    cut_real,
    draw_canvas,
    reduce,
    stack_pictures,
    to_pictures,
)
from g4g.training.join_shots import join_shots
from g4g.training.motion import measure_motion
from g4g.training.perceptual import Perceptual
from g4g.zoo import Models

_MOUTHS = "opening_r", "closures_met"
_REPLAYED = 0.5
"""Share of examples drawn from other people's data, where it is given."""
_MOST_FRAMES, _BATCH = 60, 12
"""Held-out frames that are drawn at every look."""
_APART_S = 0.4
"""References of a clip that is held out whole are so far from the frame, or a third of a short shot."""
_POSE_WEIGHT = 3e-5
"""Squared degrees against squared canonical distances of the lips' points."""
_GOAL_DB, _GOAL_SHARE = 1.5, 0.2
"""Such a rise of the mouth's PSNR is worth as much as perceptual distance that falls by this share."""
_MAY_FALL_DB, _MAY_RISE = 0.1, 0.02
"""A checkpoint is not kept if one of the two is worse than the base's by more."""
_LEAST_GAIN = 0.03


@dataclass(frozen=True)
class SpeakerFigures:
    """Measured on held-out frames, which are told their true geometry; references come from the same clip.

    Attributes:
        mouth_psnr_db: in the mouth's box, mean over frames; higher is better.
        perceptual: distance of the mouths' features; lower is better, 0 where EfficientNet's file is not at hand.
        opening_r: correlation of the mouth's opening as motion hears it with the real one.
        closures_met: share of real closures that motion meets.
    """

    mouth_psnr_db: float
    perceptual: float
    opening_r: float
    closures_met: float

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in asdict(self).items())

    def gain_over(self, base: SpeakerFigures) -> float:
        """Tell how much better the picture is: 1 is a good fine-tuning; 0 where anything got worse."""
        rise_db = self.mouth_psnr_db - base.mouth_psnr_db
        fall = 1 - self.perceptual / base.perceptual if base.perceptual else 0.0
        if rise_db < -_MAY_FALL_DB or fall < -_MAY_RISE:
            return 0.0
        return rise_db / _GOAL_DB + fall / _GOAL_SHARE

    def is_better_than(self, best: SpeakerFigures, base: SpeakerFigures) -> bool:
        """Tell whether the picture beats the best so far, and the base."""
        return self.gain_over(base) > max(best.gain_over(base), _LEAST_GAIN)


class HeldOut:
    """Held-out frames of a speaker, ready to be drawn.

    Their references are frames of the same clip, as in a dub: such as are learnt from, else held-out ones of another
    moment. Other clips have other light: pictures of them would measure how well that is guessed.
    """

    def __init__(self, generator: Generator, held: list[Shot], learnt: list[Shot], perceptual: Perceptual | None):
        known = [Subject.of(shot) for shot in learnt]
        frames = [(s, frame) for s in map(Subject.of, held) for frame in range(len(s.shot))]
        canvases = []
        for i in np.linspace(0, len(frames) - 1, min(_MOST_FRAMES, len(frames))).astype(int):
            subject, frame = frames[i]
            library = [s for s in known if s.shot.clip == subject.shot.clip]
            chosen = _choose_references(subject, frame, library, generator.config.references)
            canvases.append(_make_canvas(subject, frame, chosen, generator.config.speech_rows))
        self._canvas, self.perceptual = join_parts(canvases), perceptual
        points = self._canvas.targets[:, MESH_TO_68][:, MOUTH]
        self._mouths = torch.from_numpy(points)
        self._boxes = [mouth_box(mouth - [0, generator.top], generator.crop.size) for mouth in points]

    @torch.no_grad()
    def measure(self, generator: Generator) -> tuple[float, float, list[np.ndarray]]:
        """Draw the frames: (mouth PSNR, perceptual distance, [real, made] lower faces (N, h, w, 3) uint8)."""
        device, real, made, distances = next(generator.parameters()).device, [], [], []
        if self.perceptual is not None:
            self.perceptual.to(device)
        for first in range(0, len(self._mouths), _BATCH):
            rows = slice(first, first + _BATCH)
            canvas = Canvas(*(part[rows] for part in vars(self._canvas).values()))
            pictures = stack_pictures(canvas, device)
            pair = [cut_real(generator, pictures[:, -1]), draw_canvas(generator, canvas, pictures)[0].float()]
            if self.perceptual is not None:
                mouths = [cut_mouths(x, self._mouths[rows], generator.top) for x in pair]
                distances += self.perceptual(*mouths[::-1]).tolist()
            for into, x in zip((real, made), pair, strict=True):
                into.append(to_pictures(reduce(generator, x)))
        real, made = np.concatenate(real), np.concatenate(made)
        quality = [psnr(cut_box(m, box), cut_box(r, box)) for m, r, box in zip(made, real, self._boxes, strict=True)]
        return float(np.mean(quality)), float(np.mean(distances or [0.0])), [real, made]


class SpeakerStage(GeneratorStage):
    """The generator on one speaker's shots: half of the examples other people's where there are any.

    Else, given `foreign` sounds (features, (S, D) each), the generator as it is at first is the teacher there. A frame
    is made of pictures of its own clip, as in a dub: other clips have other light.
    """

    adversarial_from = float("inf")  # a discriminator that begins from nothing learns too little in a short run
    changes_colours = False
    frames = 6  # twice as many steps as with 12, at the same figures after 45 s

    def __init__(
        self, models: Models, train: list[Shot], replay: list[Shot], held: HeldOut, mouths,
        foreign: Sequence[np.ndarray] = (),
    ) -> None:  # fmt: skip
        clips = [join_shots(list(shots)) for _, shots in groupby(train, lambda shot: shot.clip)]
        super().__init__(models.generator, models.motion.space, [*clips, *replay], [], held.perceptual)
        self._chances = _share_out(clips, replay)
        self._measured, self._mouths = held, mouths
        base = copy.deepcopy(models.generator).eval().requires_grad_(False)
        own = self._train[: len(clips)]
        self._teacher = BaseTeacher(base, models.motion.space, own, list(foreign)) if len(foreign) else None

    def critic(self) -> None:
        return None

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        terms = super().step(rng, done)
        return terms | (self._teacher.compare(self.generator, rng) if self._teacher else {})

    def validate(self, network: Generator, sheet: Path) -> dict[str, float]:
        quality, distance, pictures = self._measured.measure(network)
        draw_rows(pictures, sheet)
        return asdict(SpeakerFigures(quality, distance, *self._mouths))


def measure_mouths(motion: Motion, held: list[Shot]) -> tuple[float, float]:
    """Measure held-out shots, mean by length: opening correlation, closures met; 0 where nothing moves or closes."""
    rows = [measure_motion(motion, shot) for shot in held]
    return tuple(_average([(row[name], len(shot)) for row, shot in zip(rows, held, strict=True)]) for name in _MOUTHS)


def _average(pairs: list[tuple[float, int]]) -> float:
    values, weights = zip(*[pair for pair in pairs if np.isfinite(pair[0])] or [(0.0, 1)], strict=True)
    return float(np.average(values, weights=weights))


def draw_rows(pictures: list[np.ndarray], path: Path) -> None:
    """Draw a dozen frames (N, h, w, 3) of each row below one another, as PNG of twice the size."""
    chosen = np.linspace(0, len(pictures[0]) - 1, min(12, len(pictures[0]))).astype(int)
    sheet = Image.fromarray(np.concatenate([np.concatenate(list(row[chosen]), 1) for row in pictures]))
    content = BytesIO()
    sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.BICUBIC).save(content, "PNG")
    write_whole(path, content.getvalue())


def _choose_references(subject: Subject, frame: int, library: list[Subject], count: int) -> list[tuple[Subject, int]]:
    """Choose the frames with the most alike mouth and pose; without a library others of the subject's own."""
    if not library:
        apart_s = min(_APART_S, float(np.ptp(subject.shot.times_s)) / 3)
        return [(subject, int(i)) for i in np.resize(subject.rank_references(frame, apart_s), count)]
    lips, degrees = (np.concatenate([getattr(s, name) for s in library]) for name in ("lips", "degrees"))
    cost = np.square(lips - subject.lips[frame]).sum(1)
    cost += _POSE_WEIGHT * np.square(degrees - subject.degrees[frame]).sum(1)
    places = [(s, i) for s in library for i in range(len(s.shot))]
    return [places[j] for j in np.resize(np.argsort(cost), count)]


def _make_canvas(subject: Subject, frame: int, chosen: list[tuple[Subject, int]], speech_rows: int) -> Canvas:
    shot, points = subject.shot, subject.points[[frame]]
    return Canvas(
        np.asarray(shot.crops[frame])[None], points, points, np.stack([s.shot.crops[f] for s, f in chosen])[None],
        np.stack([s.points[f] for s, f in chosen])[None], frame_speech(shot.speech, shot.times_s[[frame]], speech_rows),
    )  # fmt: skip


def _share_out(train: list[Shot], replay: list[Shot]) -> np.ndarray:
    """Chances to draw each shot, by its length."""
    parts = [np.array([len(shot) for shot in shots], dtype=np.float64) for shots in (train, replay) if shots]
    shares = (1 - _REPLAYED, _REPLAYED) if replay else (1.0,)
    return np.concatenate([share * part / part.sum() for share, part in zip(shares, parts, strict=True)])
