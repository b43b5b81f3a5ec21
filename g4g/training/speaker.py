"""What fine-tuning trains, and how it is measured on the speaker's held-out frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from g4g.checkpoints.atomic import write_whole
from g4g.faces.landmarks import MOUTH
from g4g.generator import add_gallery, choose_references
from g4g.metrics import cut_box, mouth_box, psnr
from g4g.training.aligner import embed_shot
from g4g.training.data import Shot, reduce_crops
from g4g.training.fusion import FusionStage, mend_seams
from g4g.training.generator import GeneratorStage, generate_frames
from g4g.zoo import Models

PRESETS = ("all", "decoder")
"""What of the generator trains: all of it, or what turns features into pictures."""

_ENCODERS = ("reference_encoder", "mix_references", "crop_encoder", "landmark_style", "audio_style", "landmark_head")
_REPLAYED = 0.25
"""Share of clips drawn from other people's data, where it is given."""
_FUSION_EVERY = 0.2
"""Share of the steps in which fusion trains too."""
_BATCH = 25
_LEAST_GAIN_DB = 0.05
"""Less above the base is no help."""
_SYNC_MAY_FALL = 0.03
_SEAMS_MAY_RISE = 0.05
"""A checkpoint that is worse than the base by more than these shares is not kept, however good its picture is."""


@dataclass(frozen=True)
class SpeakerFigures:
    """Measured on held-out frames.

    Attributes:
        mouth_psnr_db: in the mouth's box, mean over frames; higher is better.
        sync: by how much the aligner finds lips more like their own sound than like other moments; higher is better.
        foreign_sync: the same where other sound drives the lips.
        seam_levels: what fusion leaves of planted seams, grey levels of 255; lower is better.
    """

    mouth_psnr_db: float
    sync: float
    foreign_sync: float
    seam_levels: float

    def __str__(self) -> str:
        return (
            f"mouth {self.mouth_psnr_db:.2f} dB  sync {self.sync:.3f}  foreign sync {self.foreign_sync:.3f}  "
            f"seams {self.seam_levels:.2f}"
        )

    def is_better_than(self, best: SpeakerFigures, base: SpeakerFigures) -> bool:
        """Tell whether the picture beats the best so far, while sync and seams stay near the base's."""
        pairs = (self.sync, base.sync), (self.foreign_sync, base.foreign_sync)
        in_sync = all(now >= then - _SYNC_MAY_FALL * abs(then) for now, then in pairs)
        seamless = self.seam_levels <= (1 + _SEAMS_MAY_RISE) * base.seam_levels
        return (
            in_sync and seamless and self.mouth_psnr_db > max(best.mouth_psnr_db, base.mouth_psnr_db + _LEAST_GAIN_DB)
        )


class SpeakerStage(GeneratorStage):
    """Generator and fusion on one speaker's shots, and some of other people's; the aligner stays frozen."""

    foreign_clips = 1
    adversarial_from = float("inf")  # a discriminator that begins from nothing learns too little in a short run

    def __init__(self, models: Models, train: list[Shot], held: list[Shot], replay: list[Shot], preset: str) -> None:
        super().__init__(models.generator, models.aligner, train + replay, held, trained=True)
        self._models, self._held, self._voice, self.gallery = models, held, train[0], models.gallery
        self._chances = _share_out(train, replay)
        self._seams = FusionStage(models.fusion, train + replay, held)
        self._both = nn.ModuleDict({"generator": models.generator, "fusion": models.fusion}).requires_grad_(True)
        if preset == "decoder":
            for name in _ENCODERS:
                getattr(models.generator, name).requires_grad_(False)

    def trained(self) -> nn.ModuleDict:
        return self._both

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        terms = super().step(rng, done)
        if rng.random() < _FUSION_EVERY:
            terms |= {f"fusion_{name}": value for name, value in self._seams.step(rng, done).items()}
        return terms

    def validate(self, network: nn.ModuleDict, sheet: Path) -> dict[str, float]:
        figures, pictures = measure_speaker(replace(self._models, **network), self._held, self._voice)
        draw_rows([pictures], sheet)
        return asdict(figures)


@torch.no_grad()
def measure_speaker(
    models: Models, held: list[Shot], voice: Shot
) -> tuple[SpeakerFigures, list[tuple[np.ndarray, np.ndarray]]]:
    """Measure networks on held-out shots, with references of the usual pose, from the shot and from the gallery.

    Args:
        models: with the speaker's gallery, or without one.
        held: shots that no training saw.
        voice: a shot whose sound drives them once more.
    Returns:
        The figures, and a dozen pairs of crops (real, made).
    """
    quality, own, foreign, pairs = [], [], [], []
    for shot in held:
        chosen = choose_references(shot.landmarks)
        references = shot.pictures[chosen], shot.landmarks[chosen]
        if models.gallery is not None:
            references = add_gallery(models.gallery, shot.landmarks, *references)
        made = generate_shot(models, shot, references)
        for frame in np.setdiff1d(np.arange(len(shot)), chosen):
            box = mouth_box(shot.landmarks[frame, MOUTH] * models.generator.config.finer, made.shape[1])
            quality.append(psnr(cut_box(made[frame], box), cut_box(shot.pictures[frame], box)))
        own.append(_measure_sync(models, made, shot))
        other = replace(voice, times_s=voice.times_s[np.arange(len(shot)) % len(voice)])
        foreign.append(_measure_sync(models, generate_shot(models, shot, references, other), other))
        pairs += [(shot.pictures[row], made[row]) for row in range(0, len(shot), 6)]
    seams = mend_seams(models.fusion, held)[1]["error_levels"]
    figures = SpeakerFigures(float(np.mean(quality)), float(np.mean(own)), float(np.mean(foreign)), seams)
    return figures, [pairs[i] for i in np.linspace(0, len(pairs) - 1, 12).astype(int)]


def draw_rows(pictures: list[list[tuple[np.ndarray, np.ndarray]]], path: Path) -> None:
    """Draw real mouths, below them those that each network made of the same frames, as PNG."""
    reals = [real for real, _ in pictures[0]]
    rows = [reals, *([made for _, made in pairs] for pairs in pictures)]
    size = len(reals[0])
    cut = (slice(size * 3 // 8, size * 15 // 16), slice(size * 3 // 16, size * 13 // 16))
    sheet = np.concatenate([np.concatenate([crop[cut] for crop in row], 1) for row in rows])
    picture = Image.fromarray(sheet)
    content = BytesIO()
    picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.BICUBIC).save(content, "PNG")
    write_whole(path, content.getvalue())


def generate_shot(
    models: Models, shot: Shot, references: tuple[np.ndarray, np.ndarray], voice: Shot | None = None
) -> np.ndarray:
    """Generate all frames of a shot, (T, size, size, 3) uint8; `references` and `voice` as for `generate_frames`."""
    numbers = np.arange(len(shot))
    batches = [numbers[first : first + _BATCH] for first in range(0, len(numbers), _BATCH)]
    return np.concatenate(
        [generate_frames(models.generator, models.aligner, shot, b, *references, voice) for b in batches]
    )


def _measure_sync(models: Models, made: np.ndarray, voice: Shot) -> float:
    crops = reduce_crops(made, models.generator.crop.size)
    lips, sound = embed_shot(models.aligner, replace(voice, crops=crops))
    similarity = (lips @ sound.T).numpy()
    apart = np.abs(np.subtract.outer(np.arange(len(made)), np.arange(len(made)))) > 2
    return float(np.diagonal(similarity).mean() - similarity[apart].mean())


def _share_out(train: list[Shot], replay: list[Shot]) -> np.ndarray:
    """Chances to draw each shot, by its length."""
    parts = [np.array([len(shot) for shot in shots], dtype=np.float64) for shots in (train, replay) if shots]
    shares = (1 - _REPLAYED, _REPLAYED) if replay else (1.0,)
    return np.concatenate([share * part / part.sum() for share, part in zip(shares, parts, strict=True)])
