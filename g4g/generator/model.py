"""The generator: which picture of the person is seen where, a small flow, and colour for what no picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from g4g.config import CropConfig
from g4g.errors import ConfigError
from g4g.nn import ResidualAdaIN

GUIDES = 3
"""Channels of `Layout.guide`: two canonical coordinates, and the opening of the mouth."""
_MOST_FLOW_PX = 3.0
"""The residual flow reaches so far, px of the crop: geometry leads, the flow mends."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of the generator (our choice)."""

    references: int = 3
    speech: int = 192
    """Columns of the speech features."""
    speech_rows: int = 9
    """Rows of speech features around a frame, 1/50 s apart."""
    style: int = 64
    channels: tuple[int, int, int] = (24, 48, 64)
    """At 1/2, 1/4 and 1/8 of the crop."""

    def __post_init__(self) -> None:
        if self.speech_rows % 2 == 0:
            raise ConfigError(f"speech_rows must be odd to have a middle, got {self.speech_rows}")


@dataclass(frozen=True)
class Layout:
    """Where each picture shows each pixel of the frame to be made; P = K references, then the frame's own picture.

    Attributes:
        places: (B, P, h, w, 2): x and y in px of a crop of `CropConfig.size`, for the rows from `generated_top` down.
        seen: (B, P, h, w): 1 where a reference shows the place, 0 where it is hidden; of the frame's own picture, the
            share that is taken: 1 around the face and above the mouth, 0 where it would show the old one.
        stretch: (B, P, h, w): log2 of how much larger the place is in the frame than in the picture.
        guide: (B, GUIDES, h, w).
    """

    places: Tensor
    seen: Tensor
    stretch: Tensor
    guide: Tensor


@dataclass(frozen=True)
class Maps:
    """What the generator says of frames, at 1/2 of the crop's size, whatever the pictures' resolution.

    Attributes:
        flow: (B, 2 K, h / 2, w / 2) px of the crop, of each reference.
        logits: (B, K + 1, h / 2, w / 2): of each reference, and of colour.
        colour: (B, 3, h / 2, w / 2) in [-1, 1].
        crispness: (B, 1, h / 2, w / 2) in [0, 2]: how much is given back of the fine detail that blending takes away.
        detail: (B, 3, h, w): added at last.
    """

    flow: Tensor
    logits: Tensor
    colour: Tensor
    crispness: Tensor
    detail: Tensor


class Generator(nn.Module):
    """Join warped pictures of a person to a frame's lower face."""

    def __init__(self, config: GeneratorConfig, crop: CropConfig = CropConfig()) -> None:
        super().__init__()
        self.config, self.crop = config, crop
        self.top = round(crop.generated_top * crop.size)
        pictures, style = config.references + 1, config.style
        half, quarter, eighth = config.channels
        self.hear = nn.Sequential(
            nn.Flatten(), nn.LayerNorm(config.speech * config.speech_rows),
            nn.Linear(config.speech * config.speech_rows, style), nn.LeakyReLU(0.2), nn.Linear(style, style),
        )  # fmt: skip
        self.enter = nn.Conv2d(4 * (5 * pictures + GUIDES), half, 3, padding=1)
        self.down_quarter = nn.Conv2d(half, quarter, 3, 2, 1)
        self.at_quarter = ResidualAdaIN(quarter, style)
        self.down_eighth = nn.Conv2d(quarter, eighth, 3, 2, 1)
        self.at_eighth = nn.ModuleList(ResidualAdaIN(eighth, style) for _ in range(2))
        self.up_quarter = nn.Conv2d(eighth, quarter, 3, padding=1)
        self.join_quarter = nn.Conv2d(quarter, quarter, 3, padding=1)
        self.up_half = nn.Conv2d(quarter, half, 3, padding=1)
        self.join_half = nn.Conv2d(half, half, 3, padding=1)
        self.head = nn.Conv2d(half, 3 * config.references + 5, 3, padding=1)
        self.paint = nn.Conv2d(half, 12, 3, padding=1)
        for last in (self.head, self.paint):
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.zeros_(last.bias)
        with torch.no_grad():  # the first reference fits best; colour where none shows anything
            self.head.bias[2 * config.references] = 0.5
            self.head.bias[3 * config.references] = -4.0

    def forward(self, pictures: Tensor, layout: Layout, speech: Tensor) -> Maps:
        """Look at pictures laid over frames, and say how to join them.

        Args:
            pictures: (B, P, 3, h, w) in [-1, 1], each sampled at its places.
            layout: of the same B frames.
            speech: features (B, speech_rows, D) around each frame.
        """
        seen = layout.seen[:, :, None]
        shown = torch.cat([pictures * seen, seen, layout.stretch[:, :, None] * seen], 2).flatten(1, 2)
        style = self.hear(speech)
        half = act(self.enter(functional.pixel_unshuffle(torch.cat([shown, layout.guide], 1), 2)))
        quarter = self.at_quarter(act(self.down_quarter(half)), style)
        x = act(self.down_eighth(quarter))
        for block in self.at_eighth:
            x = block(x, style)
        x = quarter + act(self.up_quarter(double(x)))
        x = x + act(self.join_quarter(x))
        x = half + act(self.up_half(double(x)))
        x = x + act(self.join_half(x))
        count = self.config.references
        flow, logits, colour, crispness = self.head(x).float().split((2 * count, count + 1, 3, 1), 1)
        return Maps(
            _MOST_FLOW_PX * torch.tanh(flow), logits, torch.tanh(colour), 2 * torch.sigmoid(crispness),
            functional.pixel_shuffle(self.paint(x).float(), 2),
        )  # fmt: skip


def act(features: Tensor) -> Tensor:
    """Leaky ReLU."""
    return functional.leaky_relu(features, 0.2)


def double(features: Tensor) -> Tensor:
    """Enlarge twice, bilinear."""
    return functional.interpolate(features, scale_factor=2, mode="bilinear")
