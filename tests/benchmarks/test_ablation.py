"""What an ablation leaves out is out inside it, and back after it."""

import pytest
import torch
from ablation import ALIGNERS, GENERATORS, leave_out, measure_dubs

from g4g.generator import hide_lower_half, loss
from g4g.training import aligner, generator
from g4g.zoo import load


@pytest.fixture
def make():
    models = load("g4g-tiny")
    torch.manual_seed(0)
    crop, points, sound = torch.rand(1, 3, 128, 128), torch.rand(1, 68, 2) * 128, torch.rand(1, 5, 16)
    crops, shapes = torch.rand(1, 4, 3, 128, 128), torch.rand(1, 4, 68, 2) * 128

    def paint(crops=crops, shapes=shapes):
        people = models.generator.encode_references(crops, shapes)
        return models.generator(hide_lower_half(crop), points, sound, people)

    return models, paint, crops, shapes


def test_without_deformation_no_pixel_of_a_reference_is_shown(make):
    _, paint, crops, _ = make
    sharpness = lambda made: made.picture.diff(dim=-1).abs().mean()  # noqa: E731
    before = sharpness(paint(crops))
    with leave_out("without deformation"):
        assert sharpness(paint(crops)) < before / 10
    assert sharpness(paint(crops)) == before


def test_without_landmarks_nothing_is_moved_by_them(make):
    _, paint, _, shapes = make
    torch.nn.init.normal_(make[0].generator.landmark_head[-1].weight)
    before = paint().landmarks
    with leave_out("without landmarks"):
        middle = shapes.mean(1)
        torch.testing.assert_close(paint().landmarks, torch.cat([middle[:, :17], middle[:, 48:]], 1))
        assert generator._WEIGHTS["landmarks"] == 0
    torch.testing.assert_close(paint().landmarks, before)
    assert generator._WEIGHTS["landmarks"] > 0


def test_without_fusion_the_soft_mask_is_taken_as_it_is(make):
    models, *_ = make
    torch.nn.init.normal_(models.fusion.light.weight)
    made, real, mask = torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128), torch.rand(1, 1, 128, 128)
    with leave_out("without fusion"):
        assert models.fusion(made, real, mask)[0] is made
    assert not torch.equal(models.fusion(made, real, mask)[0], made)


@pytest.mark.parametrize("name", [*ALIGNERS, *GENERATORS])
def test_every_variant_ends(name):
    state = lambda: (dict(generator._WEIGHTS), loss._COARSER, aligner._CLIPS, aligner._WINDOWS)  # noqa: E731
    before = state()
    with leave_out(name):
        changed = state() != before
    assert state() == before
    assert changed == (name in ("without the diagonal loss", "without sync", "without landmarks", GENERATORS[3]))


def test_dubs_of_a_variant_give_every_figure_of_the_table(real_clip, tmp_path):
    figures = measure_dubs("g4g-tiny", tmp_path / "tiny", "s1", [real_clip])
    for what in ("mouth PSNR", "above copying", "offset", "LSE-C", "sharpness", "edge"):
        assert any(what in figure.name for figure in figures), what
