"""What motion learns after its line: planted bends and closures are found, and scales are folded away."""

import numpy as np
import pytest
import torch

from g4g.faces import load_canonical
from g4g.faces.canonical import LOWER_INNER_LIP
from g4g.motion import Motion, MotionConfig
from g4g.training.motion_network import Lessons, learn_bends, learn_closures


@pytest.fixture
def motion():
    torch.manual_seed(0)
    motion = Motion(MotionConfig(speech=4, read=4, components=2, taps=(0,), bends=64, closing=16))
    moves = torch.from_numpy(load_canonical().moves)
    motion.components[0, list(LOWER_INNER_LIP), 1] = 0.05
    motion.components[1, :, 0] = 0.02 * moves
    return motion


def _lessons(count=4000):
    """Shapes that are a parabola of one column, lips that close at another's large values; inputs off zero."""
    inputs = np.random.default_rng(0).normal(3, 2, (count, 4)).astype(np.float32)
    level = (inputs[:, 0] - 3) / 2
    shapes = np.stack([level**2 - 1, level], 1)
    ones = np.ones(count)
    return Lessons(inputs, shapes, inputs[:, 1] > 5, ones, ones, np.zeros(count, bool))


def _solve_line(motion, lessons):
    with torch.no_grad():
        motion.shape.weight.zero_()
        motion.shape.weight[1, 0] = 0.5
        motion.shape.bias.copy_(torch.tensor([0.0, -1.5]))
    return np.square(lessons.shapes - motion.bend_shapes(torch.from_numpy(lessons.inputs)).detach().numpy()).mean(0)


def test_what_a_line_cannot_say_is_learnt(motion):
    lessons = _lessons()
    before = _solve_line(motion, lessons)
    learn_bends(motion, lessons)
    after = np.square(lessons.shapes - motion.bend_shapes(torch.from_numpy(lessons.inputs)).detach().numpy()).mean(0)
    assert before[0] > 1.9 and after[0] < 0.6 and after[1] < 0.05
    assert motion.shape.weight[1, 0] == 0.5, "the line stays"


def test_closures_are_told_apart_and_what_does_not_count_is_not_heard(motion):
    lessons = _lessons()
    wrong = np.arange(len(lessons.shut)) % 2 == 0
    shut, counts = np.where(wrong, ~lessons.shut, lessons.shut), np.where(wrong, 0.0, 1.0)
    learn_closures(motion, Lessons(**{**vars(lessons), "shut": shut, "counts": counts}))
    told = motion.closed(torch.from_numpy(lessons.inputs))[:, 0].detach().numpy()
    assert ((told > 0) == lessons.shut).mean() > 0.9


def test_lips_that_never_close_are_learnt_as_open(motion):
    lessons = _lessons(500)
    learn_closures(motion, Lessons(**{**vars(lessons), "shut": np.zeros(500, bool)}))
    assert motion.closed(torch.from_numpy(lessons.inputs)).sigmoid().max() < 0.5
