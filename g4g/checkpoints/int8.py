"""Weights as int8 with one scale per output row: half the size of float16, for large networks that are only run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from g4g.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

SCALE_SUFFIX = "::scale"
"""Beside the int8 tensor NAME lies its scale, float32 (rows,), as NAME::scale."""

_LARGEST = 127


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight (rows, ...) to int8: (values, scales (rows,) float32); the error is half a scale at most.

    What `dequantise` returned is rounded to the same values again, so saving many times costs nothing.
    Raises:
        CheckpointError: a value is not finite.
    """
    import torch

    weight = weight.detach().to("cpu", torch.float32)
    if not bool(weight.isfinite().all()):
        raise CheckpointError("a weight that is not finite cannot be stored as int8; save it with half=False")
    scale = weight.flatten(1).abs().amax(1) / _LARGEST
    shape = (-1, *[1] * (weight.ndim - 1))
    values = (weight / scale.clamp(min=torch.finfo(torch.float32).tiny).view(shape)).round()
    return values.clamp(-_LARGEST, _LARGEST).to(torch.int8), scale


def dequantise(values: Tensor, scale: Tensor) -> Tensor:
    """Widen what `quantise` gave, float32."""
    return values.float() * scale.view(-1, *[1] * (values.ndim - 1))


def widen_all(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Dequantise every tensor that has a scale beside it; the scales go.

    Raises:
        CheckpointError: a scale without its tensor, or of another number of rows.
    """
    wide = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE_SUFFIX)}
    for scale_name in tensors.keys() - wide.keys():
        name, scale = scale_name.removesuffix(SCALE_SUFFIX), tensors[scale_name]
        if name not in wide or tuple(scale.shape) != tuple(wide[name].shape[:1]):
            raise CheckpointError(
                f"{scale_name} fits no tensor of the file: the file is damaged; fetch or copy it again"
            )
        wide[name] = dequantise(wide[name], scale)
    return wide
