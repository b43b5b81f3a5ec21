"""Weights in int8: how far off they are, and that saving them again changes nothing."""

import pytest
import torch
from safetensors.torch import load_file

from g4g.checkpoints import load_checkpoint, save_checkpoint
from g4g.checkpoints.int8 import SCALE_SUFFIX, dequantise, quantise, widen_all
from g4g.errors import CheckpointError


@pytest.mark.parametrize("shape", [(6, 40), (4, 8, 3)])
def test_the_error_is_half_a_scale_at_most(shape):
    torch.manual_seed(0)
    weight = torch.randn(shape) * torch.logspace(-3, 2, shape[0]).view(-1, *[1] * (len(shape) - 1))
    values, scale = quantise(weight)
    assert values.dtype == torch.int8
    assert values.shape == weight.shape
    error = (dequantise(values, scale) - weight).flatten(1).abs().amax(1)
    assert (error <= scale * 0.501).all()


def test_rounding_again_changes_nothing():
    values, scale = quantise(torch.randn(5, 30))
    for _ in range(5):
        again, scale = quantise(dequantise(values, scale))
        assert (again == values).all()


def test_a_row_of_zeros_stays_zero():
    values, scale = quantise(torch.zeros(2, 3))
    assert (dequantise(values, scale) == 0).all()


def test_a_value_that_is_not_finite_is_refused():
    with pytest.raises(CheckpointError, match="finite"):
        quantise(torch.tensor([[1.0, float("nan")]]))


def test_only_the_named_weights_are_rounded(tmp_path):
    tensors = {
        "speech.linear.weight": torch.randn(4, 20),
        "speech.linear.bias": torch.randn(4),
        "other": torch.randn(4, 20),
    }
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, tensors, {}, "test", {}, int8=("speech.",))
    stored = load_file(path)
    assert stored["speech.linear.weight"].dtype == torch.int8
    assert stored["speech.linear.weight" + SCALE_SUFFIX].shape == (4,)
    loaded = load_checkpoint(path).tensors
    assert loaded.keys() == tensors.keys()
    assert loaded["speech.linear.weight"].dtype == torch.float32
    torch.testing.assert_close(loaded["speech.linear.weight"], tensors["speech.linear.weight"], atol=0.02, rtol=0)
    for name in ("speech.linear.bias", "other"):
        assert (loaded[name] == tensors[name]).all()


@pytest.mark.parametrize("rows", [3, 5])
def test_a_scale_that_fits_nothing_is_refused(rows):
    with pytest.raises(CheckpointError, match="damaged"):
        widen_all({"x": torch.zeros(4, 2, dtype=torch.int8), "x" + SCALE_SUFFIX: torch.ones(rows)})
    with pytest.raises(CheckpointError, match="damaged"):
        widen_all({"y" + SCALE_SUFFIX: torch.ones(rows)})
