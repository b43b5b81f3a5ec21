"""Whose features compare pictures, and that they do."""

import torch

from g4g.training.perceptual import VGG_FILE, make_perceptual
from g4g.zoo import load


def _pictures():
    torch.manual_seed(0)
    real = torch.rand(2, 15, 56, 64) * 2 - 1
    return real, torch.nn.functional.avg_pool2d(real, 3, 1, 1)


def test_without_vgg_the_aligner_compares(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    perceptual = make_perceptual(load("g4g-tiny").aligner)
    real, blurred = _pictures()
    assert perceptual.name == "the aligner's lip encoder"
    assert perceptual(real, real) == 0 < perceptual(blurred, real)


def test_vgg_is_taken_where_its_file_lies(monkeypatch, tmp_path):
    from torchvision.models import vgg19

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    wanted = {f"features.{key}": value for key, value in vgg19(weights=None).features[:20].state_dict().items()}
    torch.save(wanted, tmp_path / "checkpoints" / VGG_FILE)
    perceptual = make_perceptual(load("g4g-tiny").aligner)
    real, blurred = _pictures()
    made = blurred.requires_grad_()
    assert perceptual.name == "VGG19" and perceptual(real, real) == 0
    loss = perceptual(made, real)
    loss.backward()
    assert loss > 0 and made.grad.abs().max() > 0
    assert len(perceptual.features(real)) == 4 and len(perceptual.features(real)[0]) == 10
