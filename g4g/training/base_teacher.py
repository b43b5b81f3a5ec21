"""Against forgetting where nobody else's pictures are at hand: on foreign sounds and shapes the base is the teacher."""

from __future__ import annotations

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor

from g4g.audio import encode_speech
from g4g.generator import Generator, GeneratorConfig, Maps
from g4g.motion import ShapeSpace
from g4g.painter import Canvas, join_parts
from g4g.training.examples import Subject
from g4g.training.generator import draw_canvas, stack_pictures
from g4g.zoo import Models

_VOICES = ((5, 4), (4, 5))
"""The person's own sound as a voice a third lower and slower, and one as much higher and quicker: down / up."""
_MOST_S = 20.0
_FRAMES = 4
"""Frames in which the base is asked at a step."""
_EVERY = 2
"""It is asked at one in so many steps."""
_APART_S = 0.4
_SHAPE_NOISE = 0.6
"""Foreign mouths are so many standard deviations from the person's, in each shape."""
_WEIGHTS = {"keep_flow": 0.01, "keep_shares": 0.1}


class BaseTeacher:
    """Holds a generator to its base's maps: flow, and which picture is seen where; colour and detail are free."""

    def __init__(self, base: Generator, space: ShapeSpace, subjects: list[Subject], foreign: list[np.ndarray]) -> None:
        self._base, self._space, self._subjects, self._foreign = base, space, subjects, foreign

    def compare(self, generator: Generator, rng: np.random.Generator) -> dict[str, Tensor]:
        """Compare maps on some frames of the person with foreign mouths and sounds.

        Args:
            generator: the one that learns.
            rng: draws frames, sounds and shapes, and the steps at which nothing is asked.
        Returns:
            Weighted losses.
        """
        if rng.integers(_EVERY):
            return {}
        canvas = join_parts([self._draw(generator.config, rng) for _ in range(_FRAMES)])
        pictures = stack_pictures(canvas, next(generator.parameters()).device)
        with torch.no_grad():
            told = draw_canvas(self._base, canvas, pictures)[1]
        said = draw_canvas(generator, canvas, pictures)[1]
        return {name: value * _WEIGHTS[name] for name, value in measure_drift(said, told).items()}

    def _draw(self, config: GeneratorConfig, rng: np.random.Generator) -> Canvas:
        subject = self._subjects[rng.integers(len(self._subjects))]
        shot, frame = subject.shot, int(rng.integers(len(subject.shot)))
        chosen = np.resize(subject.rank_references(frame, _APART_S)[: config.references], config.references)
        noise = self._space.decode(rng.normal(0, _SHAPE_NOISE, (1, self._space.size)).astype(np.float32))
        pose, target = shot.pose[frame], subject.points[frame].copy()
        moved = pose.project(noise) - pose.project(np.zeros_like(noise))
        target[: moved.shape[1]] += moved[0, :, :2]
        sound = self._foreign[rng.integers(len(self._foreign))]
        rows = np.arange(config.speech_rows) + rng.integers(max(len(sound) - config.speech_rows, 0) + 1)
        return Canvas(
            np.asarray(shot.crops[frame])[None], subject.points[[frame]], target[None],
            np.stack([shot.crops[i] for i in chosen])[None], subject.points[chosen][None],
            sound[np.minimum(rows, len(sound) - 1)][None].astype(np.float32),
        )  # fmt: skip


def measure_drift(said: Maps, told: Maps) -> dict[str, Tensor]:
    """Measure how far maps are from the base's: mean px of flow, mean difference of shares."""
    shares = said.logits.softmax(1) - told.logits.softmax(1)
    return {"keep_flow": (said.flow - told.flow).abs().mean(), "keep_shares": shares.abs().mean()}


def make_foreign(models: Models, waveform: np.ndarray) -> list[np.ndarray]:
    """Encode a person's sound as other voices would say it.

    Args:
        models: with the speech encoder.
        waveform: mono 16 kHz, (N,), of which the first seconds are taken.
    Returns:
        Features (S, D) of each voice.
    """
    start = waveform[: int(_MOST_S * 16_000)].astype(np.float32)
    return [encode_speech(models.speech, resample_poly(start, up, down).astype(np.float32)) for up, down in _VOICES]
