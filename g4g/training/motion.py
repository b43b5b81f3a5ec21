"""Stage: motion, speech features to shapes of the lower face; each person's gain and each clip's offset are found too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from g4g.errors import DataError
from g4g.faces import lip_gap, load_canonical
from g4g.faces.canonical import LIPS, MOUTH_CORNERS, UPPER_INNER_LIP, LOWER_INNER_LIP
from g4g.motion import (
    Motion,
    NeutralFace,
    ShapeSpace,
    find_components,
    fit_neutral,
    frame_rows,
    lay_shapes,
    move_mouth,
    sample_rows,
)
from g4g.training.data import Shot, speaker_chances
from g4g.training.loop import Stage

CLOSED_GAP = 0.03
"""Lips count as closed below this gap, over the distance of the outer eye corners."""
_SHOTS, _FRAMES, _ROWS_AROUND = 16, 48, 45
_FEATURE_NOISE = 0.15
"""Standard deviations of noise on the features: they differ between voices, mouths do not."""
_ADAPT_EVERY, _OFFSETS_FROM = 150, 450
"""After so many steps gains are fitted anew, and offsets from the second number on."""
_MOST_OFFSET_S, _OFFSET_STEP_S = 0.16, 0.02
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0
_RIDGE = 0.03
"""Ridge of the linear part, over the mean variance of its inputs, times the taps."""
_SHUT_LOGIT = 2.0
"""What the linear part begins with as the logit of closed and of open lips."""
_SPREAD = 20.0
"""Distances in canonical units times this are about 1."""
_JAW = (17, 152, 176, 400, 149, 378)
_WEIGHTS = {"geometry": 1.0, "velocity": 0.5, "gap": 0.5, "closed": 0.3}


@dataclass
class _Speaking:
    """A shot as motion learns from it; `gain` and `offset_s` change while it learns."""

    shot: Shot
    neutral: NeutralFace
    shapes: np.ndarray
    offset_s: float = 0.0


class MotionStage(Stage):
    """Stretches of shots; losses in the space of the lips' points."""

    def __init__(self, motion: Motion, train: list[Shot], held: list[Shot]) -> None:
        """Take shots with speech; a motion network that knows no components yet gets those of `train`.

        Raises:
            DataError: no shot has speech features of the network's width.
        """
        super().__init__()
        if not train or train[0].speech is None or train[0].speech.shape[1] != motion.config.speech:
            raise DataError(f"motion learns from shots with speech features of {motion.config.speech} columns")
        self.motion = motion
        if not motion.components.any():
            motion.components.copy_(torch.from_numpy(find_space(train, motion.config.components).components))
        space = motion.space
        self._train, self._held = ([_measure(shot, space) for shot in shots] for shots in (train, held))
        self._chances = speaker_chances(train)
        if not motion.linear.weight.any():
            self._fit_linear()
        self._gains = {shot.speaker: 1.0 for shot in train}
        points = [*LIPS, *_JAW]
        self.register_buffer("points", motion.components[:, points])
        upper, lower = (list(lip[1:6]) for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
        self.register_buffer("opens", motion.components[:, lower, 1] - motion.components[:, upper, 1])
        self._steps = 0

    @torch.no_grad()
    def _fit_linear(self) -> None:
        """Fit the linear part by ridge regression, every speaker counting as in training."""
        motion, xs, ys, weights = self.motion, [], [], []
        for one, chance in zip(self._train, self._chances, strict=True):
            speech = torch.from_numpy(one.shot.speech[None].astype(np.float32))[..., : motion.config.read]
            rows = torch.from_numpy(frame_rows(one.shot.times_s)).float()[None]
            xs.append(sample_rows(motion.gather_taps(speech), rows)[0].numpy())
            shut = np.where(one.shot.lip_gap < CLOSED_GAP, _SHUT_LOGIT, -_SHUT_LOGIT)
            ys.append(np.concatenate([one.shapes, shut[:, None]], 1))
            weights.append(np.full(len(one.shot), chance))
        x, y, weight = np.concatenate(xs), np.concatenate(ys), np.concatenate(weights)[:, None]
        weight = weight / weight.mean()
        middle, mean = (weight * x).mean(0), (weight * y).mean(0)
        x = x - middle
        gram = (x * weight).T @ x
        gram += _RIDGE * len(motion.config.taps) * np.trace(gram) / len(gram) * np.eye(len(gram))
        solved = np.linalg.solve(gram, (x * weight).T @ (y - mean))
        motion.linear.weight.copy_(torch.from_numpy(solved.T))
        motion.linear.bias.copy_(torch.from_numpy(mean - middle @ solved))

    def trained(self) -> Motion:
        return self.motion

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        if self._steps and self._steps % _ADAPT_EVERY == 0:
            self._adapt(rng, self._steps >= _OFFSETS_FROM)
        self._steps += 1
        chosen = [self._train[i] for i in rng.choice(len(self._train), size=_SHOTS, p=self._chances)]
        parts = [_draw_stretch(one, self._gains[one.shot.speaker], rng) for one in chosen]
        device = self.points.device
        speech, rows, wanted, gaps = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*parts, strict=True))
        shapes, closed = self.motion(speech)
        shapes, closed = sample_rows(shapes, rows), sample_rows(closed, rows)
        off = torch.einsum("btc,cnj->btnj", shapes - wanted, self.points) * _SPREAD
        opening = torch.einsum("btc,cn->btn", shapes - wanted, self.opens) * _SPREAD
        shut = (gaps < CLOSED_GAP).float()
        terms = {
            "geometry": functional.smooth_l1_loss(off, torch.zeros_like(off), beta=0.1),
            "velocity": off.diff(dim=1).abs().mean(),
            "gap": (opening.abs().mean(-1) * (1 + 2 * shut)).mean(),
            "closed": functional.binary_cross_entropy_with_logits(closed, shut),
        }
        return {name: value * _WEIGHTS[name] for name, value in terms.items()}

    @torch.no_grad()
    def _adapt(self, rng: np.random.Generator, offsets: bool) -> None:
        """Fit each person's gain, and each clip's offset, to what the network says now, in closed form."""
        self.motion.eval()
        sums = {speaker: np.zeros(2) for speaker in self._gains}
        lips = self.motion.space.components[:, LIPS].reshape(self.motion.config.components, -1)
        for one in self._train:
            gain, best = self._gains[one.shot.speaker], None
            tried = np.arange(-_MOST_OFFSET_S, _MOST_OFFSET_S + 1e-6, _OFFSET_STEP_S) if offsets else [one.offset_s]
            real = one.shapes @ lips
            for offset_s in tried:
                made = move_mouth(self.motion, one.shot.speech, one.shot.times_s + offset_s)[0] @ lips
                error = np.square(made * gain - real).sum()
                if best is None or error < best[0]:
                    best = error, offset_s, made
            one.offset_s = (one.offset_s + best[1]) / 2
            sums[one.shot.speaker] += [(best[2] * real).sum(), np.square(best[2]).sum()]
        self._gains = {k: float(np.clip(a / max(b, 1e-9), _LEAST_GAIN, _MOST_GAIN)) for k, (a, b) in sums.items()}
        self.motion.train()

    def describe(self) -> dict:
        offsets = [abs(one.offset_s) for one in self._train]
        return {"gains": {k: round(v, 2) for k, v in self._gains.items()}, "mean_offset_s": float(np.mean(offsets))}

    def validate(self, network: Motion, sheet: Path) -> dict[str, float]:
        """Measure held-out clips, people known or not; draw openings, real and predicted."""
        figures, curves = {}, []
        known = {one.shot.speaker for one in self._train}
        for group, is_known in (("known", True), ("unseen", False)):
            found = []
            for one in (o for o in self._held if (o.shot.speaker in known) == is_known):
                numbers, curve = measure_motion(network, one.shot, one.neutral)
                found.append(numbers)
                curves.append((one.shot.name, *curve))
            for name in found[0] if found else ():
                figures[f"{group}_{name}"] = float(np.nanmean([f[name] for f in found]))
        _draw_curves(curves[:: max(len(curves) // 12, 1)][:12], sheet)
        return figures


def find_space(shots: list[Shot], count: int) -> ShapeSpace:
    """Find the components of shots, every speaker counting by the cube root of the number of shots."""
    moved, rng = [], np.random.default_rng(0)
    chances = speaker_chances(shots)
    for i in rng.choice(len(shots), size=min(len(shots), 400), p=chances):
        faces, degrees = shots[i].canonical, shots[i].pose.degrees
        moved.append((faces - fit_neutral(faces, degrees).at(degrees))[::2])
    return find_components(np.concatenate(moved), count)


def measure_motion(motion: Motion, shot: Shot, neutral: NeutralFace):
    """Compare predicted and real mouths of a shot.

    Returns:
        Figures: correlations of opening and width, range of the opening over real, share of real closures that are
        met, share of open frames that are shut; and the curves of the opening, real and predicted.
    """
    shapes, closed = move_mouth(motion, shot.speech, shot.times_s)
    faces = lay_shapes(motion, neutral, shot.pose.degrees, shapes, closed)
    made, real = lip_gap(faces), shot.lip_gap
    width, real_width = (np.ptp(x[:, MOUTH_CORNERS, 0], axis=1) for x in (faces, shot.canonical))
    shut = real < CLOSED_GAP
    return {
        "opening_r": float(np.corrcoef(made, real)[0, 1]),
        "width_r": float(np.corrcoef(width, real_width)[0, 1]),
        "articulation": float(made.std() / real.std()),
        "closures_met": float((made[shut] < CLOSED_GAP).mean()) if shut.any() else float("nan"),
        "falsely_shut": float((made[~shut] < CLOSED_GAP).mean()),
    }, (real, made)


def _measure(shot: Shot, space: ShapeSpace) -> _Speaking:
    faces, degrees = shot.canonical, shot.pose.degrees
    neutral = fit_neutral(faces, degrees, space)
    moves = load_canonical().moves[:, None]
    return _Speaking(shot, neutral, space.encode((faces - neutral.at(degrees)) * moves))


def _draw_stretch(one: _Speaking, gain: float, rng: np.random.Generator):
    """Draw neighbouring frames: speech around them, their rows in it, shapes over the gain, gaps."""
    shot = one.shot
    first = int(rng.integers(max(len(shot) - _FRAMES, 0) + 1))
    frames = np.clip(np.arange(first, first + _FRAMES), 0, len(shot) - 1)
    rows = frame_rows(shot.times_s[frames] + one.offset_s)
    start = int(rows[0]) - _ROWS_AROUND
    take = np.clip(np.arange(start, start + 2 * _FRAMES + 2 * _ROWS_AROUND), 0, len(shot.speech) - 1)
    speech = shot.speech[take].astype(np.float32)
    speech += rng.normal(0, _FEATURE_NOISE, speech.shape)
    return speech, (rows - start).astype(np.float32), one.shapes[frames] / np.float32(gain), shot.lip_gap[frames]


def _draw_curves(curves: list[tuple], sheet: Path) -> None:
    figure, axes = plt.subplots(len(curves), 1, figsize=(10, 1.6 * len(curves)), squeeze=False)
    for axis, (name, real, made) in zip(axes[:, 0], curves, strict=True):
        axis.plot(real, "k", label="real")
        axis.plot(made, "r", label="predicted")
        axis.set_ylabel("lip gap")
        axis.set_title(name, fontsize=8)
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(sheet)
    plt.close(figure)
