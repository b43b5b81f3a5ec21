"""How a speaker is learnt, whether from clips of their own or from the video to be dubbed: motion, then pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from g4g.errors import DataError
from g4g.generator import Generator
from g4g.networks import leave_engine
from g4g.nn import channels_last
from g4g.training.best_checkpoint import BestCheckpoint
from g4g.training.data import Shot
from g4g.training.loop import Plan, train, warn_of_slow_precision
from g4g.training.motion import adapt_motion
from g4g.training.perceptual import find_perceptual
from g4g.training.select_clips import hold_out_tail
from g4g.training.speaker import HeldOut, SpeakerFigures, SpeakerStage, measure_mouths
from g4g.zoo import Models

SPEAKER_RATE = 3e-4
"""Highest learning rate; after a minute 1e-4, 5e-4 and 1e-3 stand at the same figures on a clip of 5 s."""
LOOK_EVERY_S = 45.0
"""So often all is saved and the held-out figures are taken: a crash loses less than a minute."""
_HELD_SHARE, _HELD_MOST = 0.15, 300
_HELD_LEAST, _HELD_OF_LITTLE, _LITTLE = 25, 10, 75
"""Frames that are held out at least, and where there are fewer than `_LITTLE` in all."""
_DETAIL_SHARES = (1.0, 0.5, 0.0)
_HALF_WAY = 0.5
"""Weights half way from the base's to the last ones are tried too: where seconds were learnt by heart they are better
(Wortsman et al. 2022, robust fine-tuning)."""
_STRENGTHS_S, _CLOSURES_MAY_FALL = (60.0, 300.0), 0.02
"""Motion trusts its base as much as this many seconds of the person's speech: 60 are best for most people that we
tried (opening correlation up by 0.02 to 0.12); where that fails on the held-out end, 300."""


@dataclass(frozen=True)
class Lessons:
    """Shots of the speaker to learn from and held out, and other people's that are replayed; all with speech.

    Without others, `foreign` are sounds, features (S, D) each, on which the base is the teacher.
    """

    learnt: list[Shot]
    held: list[Shot]
    replay: list[Shot]
    foreign: list[np.ndarray]

    @classmethod
    def split(cls, shots: list[Shot], replay: list[Shot], foreign: list[np.ndarray]) -> Lessons:
        """Hold out the end of a speaker's shots. Raises DataError where nothing is left beside it."""
        least = _HELD_LEAST if sum(map(len, shots)) >= _LITTLE else _HELD_OF_LITTLE
        learnt, held = hold_out_tail(shots, _HELD_SHARE, least, _HELD_MOST)
        if not learnt:
            raise DataError("nothing is left to learn from beside the end that is held out; give a longer clip")
        return cls(learnt, held, replay, foreign)


@torch.no_grad()
def scale_detail(generator: Generator, share: float) -> Generator:
    """Copy a generator so that it adds only a share of the detail that it adds to the warped pictures."""
    scaled = copy.deepcopy(leave_engine(generator))
    scaled.paint.weight.mul_(share)
    scaled.paint.bias.mul_(share)
    return scaled


@torch.no_grad()
def mix_generators(start: Generator, end: Generator, share: float) -> Generator:
    """Copy `end` with each weight this share of the way from that of `start`."""
    mixed = copy.deepcopy(end)
    for weight, first in zip(mixed.parameters(), start.parameters(), strict=True):
        weight.lerp_(first.to(weight.device), 1 - share)
    return mixed


class SpeakerRun:
    """Learns one speaker from lessons; `base` are the networks, `adapted` those with motion refitted."""

    def __init__(self, base: Models, lessons: Lessons, log: Callable[[str], None]) -> None:
        self.base, self._lessons, self._log = base, lessons, log
        self.adapted, self.mouths = self._refit_motion()
        self.measured = HeldOut(base.generator, lessons.held, lessons.learnt, find_perceptual(log))
        self._start, self.before = self._choose_start()
        log(f"base: {self.before}")

    def train(self, run: Path, plan: Plan, best: BestCheckpoint, resume: bool = False) -> bool:
        """Train the generator; tell whether to the end: Ctrl-C stops it before.

        Args:
            run: where the state lies, with suffix .state.
            plan: length, device and precision; its rate and its looks are ours.
            best: keeps what is better than the base.
            resume: go on from the state where there is one.
        """
        share, tell, last = 0.0, plan.report, {}

        def report(done: float) -> None:
            nonlocal share
            share = done
            tell(done)

        def look(generator: Generator, figures: dict[str, float]) -> None:
            last.update(generator=generator, minutes=figures["minutes"])
            best.look(generator, figures)

        models = replace(self.adapted, generator=copy.deepcopy(self._start).requires_grad_(True))
        lessons = self._lessons
        stage = SpeakerStage(models, lessons.learnt, lessons.replay, self.measured, self.mouths, lessons.foreign)
        channels_last(stage.trained().train())
        warn_of_slow_precision(plan.precision, "cpu" if plan.device == "cpu" else "", self._log)
        plan = replace(
            plan, learning_rate=SPEAKER_RATE, look_every_s=LOOK_EVERY_S, log=lambda line: None, report=report
        )
        train(stage, run, plan, look, resume and run.with_suffix(".state").is_file())
        half = mix_generators(self._start, last["generator"], _HALF_WAY)
        best.look(half, asdict(self._measure(half)) | {"minutes": last["minutes"]})
        if not best.improved:
            best.save(self.adapted, SpeakerFigures(self.before.mouth_psnr_db, self.before.perceptual, *self.mouths))
        return share >= 1

    def _measure(self, generator: Generator) -> SpeakerFigures:
        """Measure a generator, with the motion that is kept, on the held-out frames."""
        return SpeakerFigures(*self.measured.measure(generator)[:2], *self.mouths)

    def _choose_start(self) -> tuple[Generator, SpeakerFigures]:
        """Take as much of the base's own detail as suits the person, as a dub does: (generator, its figures)."""
        mouths, tried = measure_mouths(self.base.motion, self._lessons.held), []
        for share in _DETAIL_SHARES:
            generator = scale_detail(self.base.generator, share)
            tried.append((generator, SpeakerFigures(*self.measured.measure(generator)[:2], *mouths)))
        return max(tried, key=lambda pair: pair[1].gain_over(tried[0][1]))

    def _refit_motion(self) -> tuple[Models, tuple[float, float]]:
        """Refit motion; keep it if held-out mouths open and close no worse: (models, their `measure_mouths`)."""
        base, held = self.base, self._lessons.held
        before = measure_mouths(base.motion, held)
        for strength_s in _STRENGTHS_S:
            motion = adapt_motion(base.motion, self._lessons.learnt, strength_s)
            after = measure_mouths(motion, held)
            if after[0] >= before[0] and after[1] >= before[1] - _CLOSURES_MAY_FALL:
                self._log(f"motion: the correlation of openings was {before[0]:.3f}, is {after[0]:.3f}")
                return replace(base, motion=motion), after
        self._log(f"motion: the base's is kept, its openings correlate by {before[0]:.3f}")
        return base, before
