"""What generator and fusion learn from: references of other moments, other mouths, planted seams."""

import numpy as np
import pytest
import torch

from g4g.motion import ShapeSpace
from g4g.painter import join_parts
from g4g.training.data import load_shots
from g4g.training.example_batch import Examples, draw_ahead
from g4g.training.examples import Subject, draw_example
from g4g.training.fusion import mend_seams, plant_seams
from g4g.training.generator import change_colours, cut_boxes, cut_mouths, stack_pictures
from g4g.training.prepare import prepare
from g4g.training.speech_features import add_speech
from g4g.zoo import load


@pytest.fixture(scope="module")
def subject(data_dir, in_process, tmp_path_factory) -> Subject:
    folder = tmp_path_factory.mktemp("prepared")
    with in_process():
        prepare([data_dir / "grid/s26/pbbg5p.mpg"], folder, crop_px=160)
    [shot] = add_speech(load_shots(folder), folder, "toy", lambda waveform: np.zeros((len(waveform) // 320, 4)))
    return Subject.of(shot)


@pytest.fixture(scope="module")
def space() -> ShapeSpace:
    return load("g4g-tiny").motion.space


def test_references_are_of_other_moments_and_alike(subject):
    times_s, frame = subject.shot.times_s, 30
    ranked = subject.rank_references(frame, 0.4)
    assert np.abs(times_s[ranked] - times_s[frame]).min() >= 0.4
    gaps = np.abs(subject.shot.lip_gap[ranked] - subject.shot.lip_gap[frame])
    assert gaps[:5].mean() < 0.5 * gaps[-20:].mean()


def test_an_example_is_nearly_true_to_its_frame(subject, space):
    rng = np.random.default_rng(0)
    drawn = [draw_example(subject, space, 3, 9, rng) for _ in range(6)]
    canvas = join_parts([canvas for canvas, _ in drawn])
    assert canvas.crops.shape == (6, 160, 160, 3) and canvas.references.shape == (6, 3, 160, 160, 3)
    assert canvas.speech.shape == (6, 9, 4) and canvas.targets.shape == (6, 504, 2)
    moved = [np.abs(canvas.targets[i] - subject.points).max((1, 2)).min() for i in range(6)]
    assert 0 < min(moved) and max(moved) < 8, "target geometry is a little off, as motion's is"


def test_workers_draw_batches_of_their_own(subject, space):
    def draw(rng: np.random.Generator) -> Examples:
        return Examples.of([draw_example(subject, space, 3, 9, rng) for _ in range(2)], 52)

    ahead = draw_ahead(draw, 2, seed=1)
    first, second = next(ahead), next(ahead)
    assert first.pictures.shape == (2, 4, 160, 160, 3) and first.layout.places.shape == (2, 4, 76, 128, 2)
    assert first.taken.shape == (2, 1, 76, 128) and first.landmarks.shape == (2, 68, 2)
    assert not torch.equal(first.real, second.real), "each worker has its own random numbers"
    again = draw_ahead(draw, 2, seed=1)
    assert torch.equal(next(again).real, first.real)


def test_mouths_are_cut_out_where_they_are():
    mouths = torch.tensor([[60.0, 80.0], [76.0, 90.0]]).repeat(10, 1)[None]
    rows, columns = torch.meshgrid(torch.arange(76.0), torch.arange(128.0), indexing="ij")
    picture = torch.stack([rows + 52, columns, columns])[None]
    square = cut_mouths(picture, mouths, 52)[0]
    assert square.shape == (3, 56, 56)
    assert float(square[0].mean()) == pytest.approx(85, abs=1) and float(square[1].mean()) == pytest.approx(68, abs=1)
    box = cut_boxes(picture, mouths, 52)[0]
    assert box.shape == (3, 128, 128)
    assert float(box[0].mean()) == pytest.approx(85, abs=1) and float(box[1].mean()) == pytest.approx(68, abs=1)


def test_a_person_changes_colour_as_a_whole(subject, space):
    rng = np.random.default_rng(1)
    canvas = join_parts([draw_example(subject, space, 3, 9, rng)[0] for _ in range(8)])
    pictures = stack_pictures(canvas)
    changed, real = change_colours(pictures, pictures[:, -1], rng)
    torch.testing.assert_close(changed[:, -1], real, msg="the frame's own picture has the frame's light")
    apart = (changed - pictures).abs().mean((2, 3, 4))
    assert (apart[:, -1] > 0.01).any() and (apart[:, -1] < 1e-3).any(), "some are other people, some are not"


def test_planted_seams_lie_inside_the_mask_of_both_moments(subject):
    generated, original, mask, truth = plant_seams([subject.shot], 4, np.random.default_rng(0))
    assert generated.shape == truth.shape == (4, 3, 128, 128) and mask.shape == (4, 1, 128, 128)
    torch.testing.assert_close(original * (mask == 0), truth * (mask == 0))
    assert (generated - truth).abs().mean((1, 2, 3)).min() > 0.01
    pictures, figures = mend_seams(load("g4g-tiny").fusion, [subject.shot])
    assert len(pictures) == 4 and figures["error_levels"] == pytest.approx(figures["error_plain_levels"], rel=0.05)
