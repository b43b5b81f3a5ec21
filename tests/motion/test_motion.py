"""Motion: shapes there and back, lips that close, neutral faces, gains, and a fit that finds what was planted."""

import numpy as np
import pytest
import torch

from g4g.errors import DataError, ShapeError
from g4g.faces import lip_gap, load_canonical
from g4g.faces.canonical import LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.motion import Motion, MotionConfig, find_components, fit_gain, fit_neutral, frame_rows, lay_shapes, move_mouth
from g4g.motion.predict import USUAL_GAIN
from g4g.zoo import load


@pytest.fixture(scope="module")
def motion():
    return load("g4g-tiny").motion


def _open(amount):
    """Average face with closed lips whose jaw is dropped by `amount` (T,), canonical units: (T, 468, 3)."""
    face = load_canonical().points.astype(np.float64)
    low = np.clip((face[:, 1] - 0.775) / 0.005, 0, 1) * load_canonical().moves
    rest = (face[list(LOWER_INNER_LIP), 1] - face[list(UPPER_INNER_LIP), 1]).mean()
    return face + (np.asarray(amount) - rest)[:, None, None] * low[:, None] * [0, 1, 0]


def test_components_hold_what_moved_and_rebuild_it():
    moved = _open(np.linspace(0, 0.2, 40)) - _open([0.0])
    space = find_components(moved, 3)
    shapes = space.encode(moved)
    np.testing.assert_allclose(space.decode(shapes), moved, atol=1e-5)
    assert abs(np.sqrt((shapes[:, 0] ** 2).mean()) - 1) < 0.01, "a coefficient has about unit size"
    np.testing.assert_allclose(space.components[:, load_canonical().moves == 0], 0, atol=1e-7)


def test_lips_close_as_far_as_is_asked_and_closed_ones_stay():
    faces = _open([0.02, 0.15])
    space = find_components(faces - _open([0.0]), 2)
    closed = faces + space.decode(space.close_lips(faces))
    assert lip_gap(closed).max() < 0.012 < lip_gap(faces).min()
    half = faces + space.decode(space.close_lips(faces, np.array([0.0, 0.5])))
    np.testing.assert_allclose(half[0], faces[0])
    assert lip_gap(closed)[1] < lip_gap(half)[1] < lip_gap(faces)[1]
    np.testing.assert_allclose(space.close_lips(closed), 0, atol=0.25)


def test_lips_open_to_the_gap_that_is_asked():
    faces = _open([0.0, 0.05])
    space = find_components(_open(np.linspace(0, 0.2, 40)) - _open([0.0]), 2)
    opened = faces + space.decode(space.open_lips(faces, 0.12))
    gaps = (opened[:, LOWER_INNER_LIP[1:6], 1] - opened[:, UPPER_INNER_LIP[1:6], 1]).mean(1)
    np.testing.assert_allclose(gaps, 0.12, atol=0.01)


def test_the_neutral_face_is_the_closed_one_in_each_pose():
    rng = np.random.default_rng(0)
    amount, degrees = np.abs(rng.normal(0, 0.1, 200)), rng.normal(0, 8, (200, 3))
    amount[::8] = 0
    tilt = 0.002 * degrees[:, 1:2] * load_canonical().moves
    faces = _open(amount)
    faces[..., 0] += tilt
    neutral = fit_neutral(faces, degrees)
    assert lip_gap(neutral.at(degrees)).max() < lip_gap(_open([0.02]))[0]
    shift = (neutral.at(np.array([[0, 10, 0]])) - neutral.at(np.array([[0, -10, 0]])))[0, 152, 0]
    assert 0.02 < shift < 0.041, "the pose moves the chin, a little less than it does: few frames bear it out"


def test_a_smile_that_never_closes_gets_a_closed_neutral_face():
    faces = _open(np.full(30, 0.1))
    space = find_components(_open(np.linspace(0, 0.2, 30)) - _open([0.0]), 2)
    degrees = np.zeros((30, 3))
    assert lip_gap(fit_neutral(faces, degrees).face) > 0.08
    assert lip_gap(fit_neutral(faces, degrees, space).face) < 0.02


def test_frames_show_the_sound_of_their_middle():
    np.testing.assert_allclose(frame_rows(np.array([0.0, 1.0])), [1.0, 51.0])


def test_motion_looks_no_further_than_its_taps(motion):
    torch.manual_seed(0)
    speech = torch.randn(1, 40, motion.config.speech)
    other = speech.clone()
    other[:, 25:] = 0
    (shapes, closed), (changed, shut) = motion(speech), motion(other)
    last = 25 - max(motion.config.taps)
    torch.testing.assert_close(shapes[:, :last], changed[:, :last])
    torch.testing.assert_close(closed[:, :last], shut[:, :last])
    assert not torch.allclose(shapes[:, last:], changed[:, last:])
    with pytest.raises(ShapeError, match=f"{motion.config.speech}"):
        motion(torch.zeros(1, 4, 3))


def test_the_gain_is_how_much_further_a_mouth_opens(motion):
    rng = np.random.default_rng(0)
    made = rng.normal(0, 1, (100, motion.config.components))
    assert fit_gain(made, 1.3 * made, motion) == pytest.approx(1.3, abs=1e-3)
    assert fit_gain(made, 9 * made, motion) == 1.7
    assert fit_gain(made, rng.normal(0, 1, made.shape), motion) == USUAL_GAIN, "another sound tells nothing"
    assert fit_gain(made[:20], 1.3 * made[:20], motion) == USUAL_GAIN, "too short"


def test_sure_closures_close_and_others_do_not(motion):
    faces = _open(np.linspace(0, 0.1, 60))
    neutral = fit_neutral(faces, np.zeros((60, 3)), motion.space)
    shapes = motion.space.encode(np.repeat(_open([0.12]) - neutral.face, 3, axis=0))
    laid = lay_shapes(motion, neutral, np.zeros((3, 3)), shapes, np.array([0.0, 0.6, 0.9]))
    gaps = (laid[:, LOWER_INNER_LIP, 1] - laid[:, UPPER_INNER_LIP, 1]).mean(1)
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 0.02 < gaps[0]


def test_move_mouth_gives_a_shape_for_each_frame(motion):
    speech = np.random.default_rng(0).normal(0, 1, (100, motion.config.speech)).astype(np.float32)
    shapes, closed = move_mouth(motion, speech, np.arange(40) / 25)
    assert shapes.shape == (40, motion.config.components) and closed.shape == (40,)
    assert 0 <= closed.min() <= closed.max() <= 1


class _Clip:
    """As much of a Shot as fitting needs: a mouth that follows the first column of its speech."""

    def __init__(self, number, gain=1.0):
        rng = np.random.default_rng(number)
        self.name, self.speaker = f"clip{number}", f"person{gain}"
        self.speech = np.repeat(rng.normal(0, 1, (60, 4)), 3, axis=0).astype(np.float32)
        self.times_s = np.arange(75) / 25
        rows = frame_rows(self.times_s)
        level = np.interp(rows, np.arange(180), self.speech[:, 0])
        self.canonical = _open(gain * 0.05 * np.maximum(level + 1.5, 0)).astype(np.float32)
        self.lip_gap = lip_gap(self.canonical)
        self.pose = type("Pose", (), {"degrees": np.zeros((75, 3))})()

    def __len__(self):
        return len(self.times_s)


def test_fitting_finds_the_planted_rule_and_the_gains(monkeypatch):
    from g4g.training.motion import fit_motion, measure_motion

    monkeypatch.setattr("g4g.training.motion_network._FEWEST_STEPS", 100)
    clips = [_Clip(i) for i in range(6)] + [_Clip(i, gain=1.4) for i in range(6, 12)]
    config = MotionConfig(speech=4, read=4, components=2, taps=(-2, 0, 2))
    motion, notes = fit_motion(clips, config, log=lambda line: None)
    assert measure_motion(motion, _Clip(99))["opening_r"] > 0.9
    assert notes["gains"]["person1.4"] / notes["gains"]["person1.0"] == pytest.approx(1.4, abs=0.15)
    with pytest.raises(DataError, match="7 columns"):
        fit_motion(clips, MotionConfig(speech=7))


def test_an_untrained_network_moves_nothing():
    assert not Motion(MotionConfig()).components.any()
