"""Convolution, adaptive instance normalisation and residual blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvNormAct(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
        )


class ResidualConv(nn.Module):
    """One convolution around a shortcut, as Wav2Lip's encoders have; it starts as identity on what ReLU let through."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.norm(self.conv(features)))


class AdaIN(nn.Module):
    """Adaptive instance normalisation: a style vector sets scale and shift of each channel (Huang & Belongie 2017)."""

    def __init__(self, channels: int, style_size: int) -> None:
        super().__init__()
        self.affine = nn.Linear(style_size, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.affine(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, functional.instance_norm(features), 1 + scale)


class ResidualAdaIN(nn.Module):
    """Two convolutions, each followed by AdaIN, around a shortcut."""

    def __init__(self, channels: int, style_size: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(AdaIN(channels, style_size) for _ in range(2))

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        inner = functional.leaky_relu(self.norms[0](self.convs[0](features), style), 0.2)
        return features + self.norms[1](self.convs[1](inner), style)


def channels_last(network: nn.Module) -> nn.Module:
    """Lay a network's weights out as CPUs convolve fastest."""
    return network.to(memory_format=torch.channels_last)
