"""Motion: a ridge regression on speech features, with people's gains and clips' offsets, then what bends and closes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from g4g.config import SCORE_FPS
from g4g.errors import DataError
from g4g.faces import lip_gap, load_canonical
from g4g.faces.canonical import LIPS, MOUTH_CORNERS
from g4g.metrics.phonemes import CLOSURES
from g4g.motion import (
    Motion,
    MotionConfig,
    ShapeSpace,
    find_components,
    fit_gain,
    fit_neutral,
    frame_rows,
    lay_shapes,
    move_mouth,
    sample_rows,
)
from g4g.training.closures import CLOSED_GAP, label_gaps, label_sounds
from g4g.training.data import Shot, speaker_chances
from g4g.training.known_speech import Spoken, align_shapes, average_sounds, expect_shapes
from g4g.training.motion_network import Lessons, learn_bends, learn_closures

_RIDGE = 0.03
"""Ridge over the inputs' mean variance, times the taps."""
_ROUNDS = 3
"""After each fit but the last, offsets and gains are measured anew."""
_OFFSETS_S = np.round(np.arange(-0.16, 0.161, 0.02), 2)
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0
_SPACE_SHOTS = 400
_SPOKEN_SHARE = 1.0
"""Spoken text counts as much as this share of the clips."""
_CHANGED_COUNTS = 0.15
"""A clip with a changed voice counts so far: noise above all hides pauses, in which mouths should stay closed."""


@dataclass
class _Speaking:
    """A shot as motion learns from it: `inputs` (frames, taps * read) for each offset; shapes and weight."""

    shot: Shot
    inputs: dict[float, np.ndarray]
    shapes: np.ndarray
    weight: float
    offset_s: float = 0.0


def fit_motion(
    shots: list[Shot], config: MotionConfig, spoken: Sequence[Spoken] = (), changed: Sequence[Shot] = (),
    log: Callable[[str], None] = print,
) -> tuple[Motion, dict]:  # fmt: skip
    """Fit a motion network to shots with speech features.

    Args:
        shots: to learn from; every speaker counts by the cube root of the number of shots.
        config: sizes.
        spoken: what espeak-ng says, in any language; some of it must be what shots say too.
        changed: shots of the same people with changed voices; they count less.
        log: told how each round went.
    Returns:
        The network, and notes: gain of each speaker, mean offset of the clips in seconds.
    Raises:
        DataError: no shot has speech features of the config's width.
    Source:
        Our choice; alternating least squares, then `learn_bends` and `learn_closures`, seeded by torch's seed.
    """
    if not shots or any(shot.speech is None or shot.speech.shape[1] != config.speech for shot in shots):
        raise DataError(f"motion learns from shots with speech features of {config.speech} columns")
    motion = Motion(config)
    space = find_space(shots, config.components)
    motion.components.copy_(torch.from_numpy(space.components))
    learnt = [
        _measure(motion, shot, counts * chance * len(part), _OFFSETS_S)
        for part, counts in ((shots, 1.0), (changed, _CHANGED_COUNTS))
        for shot, chance in zip(part, speaker_chances(part), strict=True)
    ]
    gains = {shot.speaker: 1.0 for shot in shots}
    lips = space.components[:, LIPS].reshape(space.size, -1)
    for number in range(_ROUNDS):
        lessons = _gather(learnt, gains)
        _fit_shapes(motion, lessons)
        if number < _ROUNDS - 1:
            gains = _measure_people(motion, learnt, gains, lips)
        log(f"round {number + 1}: gains {', '.join(f'{k} {v:.2f}' for k, v in gains.items())}")
    real = lessons
    if spoken:
        lessons = Lessons.join([lessons, _learn_sounds(motion, learnt, gains, spoken, lessons.weights.sum())])
        _fit_shapes(motion, lessons)
    _measure_doubts(motion, real)
    learn_bends(motion, lessons)
    learn_closures(motion, lessons)
    offset_s = float(np.mean([abs(one.offset_s) for one in learnt]))
    notes = {"gains": {k: round(v, 2) for k, v in gains.items()}, "mean_offset_s": round(offset_s, 3)}
    return motion.eval(), notes | {"spoken": len(spoken), "changed": len(changed)}


def _learn_sounds(motion: Motion, learnt: list[_Speaking], gains, spoken: Sequence[Spoken], weight: float) -> Lessons:
    """Teach known sounds what real mouths do: carried over from clips that say the same, else their means."""
    space, pairs = motion.space, []
    clips = {one.shot.name: one for one in learnt}
    for one in spoken:
        if one.shot in clips:
            real = clips[one.shot]
            rows = frame_rows(real.shot.times_s + real.offset_s)
            shapes = real.shapes / gains[real.shot.speaker]
            pairs.append((one.known, align_shapes(one.known, real.shot.speech, rows, shapes)))
    means = average_sounds(pairs)
    face = load_canonical().points
    face = face + space.decode(space.close_lips(face[None]))[0]
    for key in [key for key in means if key == "closure" or key in CLOSURES]:
        means[key] = means[key] + space.close_lips(face + space.decode(means[key][None]))[0]
    parts, carried = [], {id(known): shapes for known, shapes in pairs}
    for one in spoken:
        inputs = motion.gather_taps(torch.from_numpy(one.known.speech[None]))[0].numpy()
        shapes = carried.get(id(one.known), expect_shapes(one.known, means))
        shut, counts = label_sounds(one.known.phonemes, len(inputs))
        parts.append(Lessons(inputs, shapes, shut, np.ones(len(inputs)), counts, np.zeros(len(inputs), bool)))
    lessons = Lessons.join(parts)
    return replace(lessons, weights=lessons.weights * (_SPOKEN_SHARE * weight / len(lessons.weights)))


@torch.no_grad()
def adapt_motion(motion: Motion, shots: list[Shot], strength_s: float) -> Motion:
    """Refit a motion network to one person; where their speech tells nothing it stays as it was.

    Args:
        motion: the base, which is not changed.
        shots: of the person, in sync, with speech features.
        strength_s: the base counts as much as this many seconds of speech.
    Returns:
        A network with other shapes; when lips close is the base's opinion still.
    Source:
        Our choice: ridge regression of what the base leaves over, after the person's gain, in closed form; the line
        takes it up.
    """
    learnt = [_measure(motion, shot, 1.0) for shot in shots]
    lessons = _gather(learnt, {shot.speaker: 1.0 for shot in shots})
    inputs, real = lessons.inputs, lessons.shapes
    made = motion.bend_shapes(torch.from_numpy(inputs).float()).double().numpy()
    gain = fit_gain(made, real, motion)
    left = real - gain * made
    middle, mean = inputs.mean(0), left.mean(0)
    inputs = inputs - middle
    gram = inputs.T @ inputs
    gram += strength_s * SCORE_FPS * inputs.var(0).mean() * np.eye(len(gram))
    change = np.linalg.solve(gram, inputs.T @ (left - mean))
    adapted = copy.deepcopy(motion)
    for layer in (adapted.shape, adapted.bend):
        layer.weight *= gain
        layer.bias *= gain
    adapted.shape.weight += torch.from_numpy(change.T)
    adapted.shape.bias += torch.from_numpy(mean - middle @ change)
    return adapted


def find_space(shots: list[Shot], count: int) -> ShapeSpace:
    """Find the components of shots, every speaker counting by the cube root of the number of shots."""
    moved, rng = [], np.random.default_rng(0)
    for i in rng.choice(len(shots), size=min(len(shots), _SPACE_SHOTS), p=speaker_chances(shots)):
        faces, degrees = shots[i].canonical, shots[i].pose.degrees
        moved.append((faces - fit_neutral(faces, degrees).at(degrees))[::2])
    return find_components(np.concatenate(moved), count)


def measure_motion(motion: Motion, shot: Shot) -> dict[str, float]:
    """Compare predicted and real mouths of a shot.

    Returns:
        Correlations of opening and width, range of the opening over real, share of real closures that are met, share
        of open frames that are shut.
    """
    neutral = fit_neutral(shot.canonical, shot.pose.degrees, motion.space)
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
        "falsely_shut": float((made[~shut] < CLOSED_GAP).mean()) if not shut.all() else float("nan"),
    }


def _measure(motion: Motion, shot: Shot, weight: float, offsets_s: Iterable[float] = (0.0,)) -> _Speaking:
    faces, degrees, space = shot.canonical, shot.pose.degrees, motion.space
    off = (faces - fit_neutral(faces, degrees, space).at(degrees)) * load_canonical().moves[:, None]
    read = motion.gather_taps(torch.from_numpy(shot.speech[None].astype(np.float32)))
    inputs = {
        float(by): sample_rows(read, torch.from_numpy(frame_rows(shot.times_s + by)).float()[None])[0].numpy()
        for by in offsets_s
    }
    return _Speaking(shot, inputs, space.encode(off), weight)


def _gather(learnt: list[_Speaking], gains: dict[str, float]) -> Lessons:
    """What clips teach at their offsets, over their speakers' gains."""
    parts = []
    for one in learnt:
        count, shapes = len(one.shot), one.shapes / gains[one.shot.speaker]
        shut, counts = label_gaps(one.shot.lip_gap)
        follows = np.arange(count) < count - 1
        parts.append(Lessons(one.inputs[one.offset_s], shapes, shut, np.full(count, one.weight), counts, follows))
    return Lessons.join(parts)


@torch.no_grad()
def _fit_shapes(motion: Motion, lessons: Lessons) -> None:
    weights = lessons.weights
    middle, mean = lessons.inputs.mean(0), np.average(lessons.shapes, axis=0, weights=weights)
    inputs = lessons.inputs - middle
    weighted = inputs * weights[:, None]
    gram = weighted.T @ inputs
    gram += _RIDGE * len(motion.config.taps) * np.trace(gram) / len(gram) * np.eye(len(gram))
    solved = np.linalg.solve(gram, weighted.T @ (lessons.shapes - mean))
    motion.shape.weight.copy_(torch.from_numpy(solved.T))
    motion.shape.bias.copy_(torch.from_numpy(mean - middle @ solved))


def _measure_people(motion: Motion, learnt: list[_Speaking], gains: dict[str, float], lips: np.ndarray) -> dict:
    """Find each clip's offset and each person's gain, least squares over the lips' points."""
    sums = {speaker: np.zeros(2) for speaker in gains}
    weight, bias = (part.detach().numpy() for part in (motion.shape.weight, motion.shape.bias))
    for one in learnt:
        real = one.shapes @ lips
        made = {by: (inputs @ weight.T + bias) @ lips for by, inputs in one.inputs.items()}
        errors = {by: np.square(x * gains[one.shot.speaker] - real).sum() for by, x in made.items()}
        one.offset_s = min(errors, key=errors.get)
        best = made[one.offset_s]
        sums[one.shot.speaker] += [(best * real).sum(), np.square(best).sum()]
    return {k: float(np.clip(a / max(b, 1e-9), _LEAST_GAIN, _MOST_GAIN)) for k, (a, b) in sums.items()}


@torch.no_grad()
def _measure_doubts(motion: Motion, lessons: Lessons) -> None:
    """Measure how much of each coefficient the line leaves open."""
    left = lessons.shapes - motion.shape(torch.from_numpy(lessons.inputs).float()).numpy()
    doubts = np.average(np.square(left), axis=0, weights=lessons.weights)
    motion.doubts.copy_(torch.from_numpy(doubts / max(doubts.mean(), 1e-9)))
