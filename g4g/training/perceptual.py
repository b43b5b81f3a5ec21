"""Distance between pictures in a network's features: VGG19's where its weights are at hand, else the aligner's."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from g4g.aligner import Aligner

VGG_FILE = "vgg19-dcbb9e9d.pth"
"""torchvision's weights of ImageNet (their licence is not stated), looked for in torch's hub folder, never fetched."""

_VGG_LAYERS = (1, 6, 11, 20)
"""The first ReLU after each of VGG19's first four sizes."""
_LIP_BLOCKS = 4


class Perceptual(nn.Module):
    """Compare lips of 5-frame windows (B, 15, h, w) in [-1, 1]; `name` says whose features."""

    name: str

    def features(self, lips: Tensor) -> list[Tensor]:
        """Compute the features of some layers."""
        raise NotImplementedError

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean over layers of the features' L1 distance relative to the real features' size; a scalar."""
        with torch.no_grad():
            wanted = self.features(real)
        pairs = list(zip(self.features(made), wanted, strict=True))
        return sum((m - r).abs().mean() / (r.abs().mean() + 1e-3) for m, r in pairs) / len(pairs)


class LipPerceptual(Perceptual):
    """Features of the frozen aligner's lip encoder."""

    name = "the aligner's lip encoder"

    def __init__(self, aligner: Aligner) -> None:
        super().__init__()
        self._blocks = list(aligner.lip_encoder)[:_LIP_BLOCKS]

    def features(self, lips: Tensor) -> list[Tensor]:
        results = []
        for block in self._blocks:
            lips = block(lips)
            results.append(lips)
        return results


class VggPerceptual(Perceptual):
    """Features of VGG19, picture by picture (Johnson et al. 2016)."""

    name = "VGG19"

    def __init__(self, file: Path) -> None:
        super().__init__()
        from torchvision.models import vgg19

        self._layers = vgg19(weights=None).features[: _VGG_LAYERS[-1] + 1].eval().requires_grad_(False)
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        self._layers.load_state_dict({key: tensors[f"features.{key}"] for key in self._layers.state_dict()})
        self.register_buffer("_mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("_deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def features(self, lips: Tensor) -> list[Tensor]:
        pictures = lips.unflatten(1, (-1, 3)).flatten(0, 1)
        x = ((pictures + 1) / 2 - self._mean) / self._deviation
        results = []
        for number, layer in enumerate(self._layers):
            x = layer(x)
            if number in _VGG_LAYERS:
                results.append(x.clone())  # the next layer but one works in place
        return results


def make_perceptual(aligner: Aligner) -> Perceptual:
    """Take VGG19 where torch's hub folder holds its file, else the frozen aligner."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / VGG_FILE
    return VggPerceptual(file) if file.is_file() else LipPerceptual(aligner)
