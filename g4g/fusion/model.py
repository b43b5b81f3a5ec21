"""The fusion network: a blend mask inside the soft mask, and a smooth correction of light and colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class FusionConfig:
    """Sizes of the fusion network (our choice)."""

    channels: tuple[int, int, int] = (16, 24, 32)


class Fusion(nn.Module):
    """Correct a generated crop's light and colour and decide where it replaces the original."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for a, b in zip((7, *config.channels), config.channels, strict=False):
            layers += [nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*layers)
        self.mix = nn.Sequential(nn.Conv2d(config.channels[-1], config.channels[-1], 3, padding=1), nn.LeakyReLU(0.2))
        self.light = nn.Conv2d(config.channels[-1], 6, 3, padding=1)
        self.blend = nn.Sequential(nn.Conv2d(7, 8, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, padding=1))
        for last in (self.light, self.blend[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @property
    def is_plain(self) -> bool:
        """Whether it is untrained: then it changes nothing, and takes the soft mask as it is."""
        last = (*self.light.parameters(), *self.blend[-1].parameters())
        return not any(bool(parameter.any()) for parameter in last)

    def forward(self, generated: Tensor, original: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse crops.

        Args:
            generated, original: (B, 3, size, size) in [-1, 1].
            mask: the soft lower-half mask (B, 1, size, size), 1 = generate.
        Returns:
            The corrected generated crop (B, 3, size, size), and how much of it to take (B, 1, size, size): 0 exactly
            where the mask is 0. Untrained it is the plain soft mask.
        """
        # Inside the mask the original shows the old mouth: only its surroundings tell the light.
        seen = torch.cat([generated, original * (1 - mask), mask], 1)
        features = self.encoder(seen)
        # Light varies slowly over a face: a coarse map, with the whole picture's mean mixed in.
        features = self.mix(features + features.mean((2, 3), keepdim=True))
        light = functional.interpolate(self.light(features), size=mask.shape[-2:], mode="bilinear")
        gain, shift = light.chunk(2, 1)
        taken = mask.pow(torch.exp(self.blend(seen).clamp(-1.5, 1.5)))
        return (generated * (1 + gain) + shift).clamp(-1, 1), torch.where(mask > 0, taken, 0.0)
