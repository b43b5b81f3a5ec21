"""Tells real lower faces from made ones, patch by patch, at two sizes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import spectral_norm

_CHANNELS = (32, 64, 128)
_SIZES = 2


class Discriminator(nn.Module):
    """Multi-scale patch discriminator (Wang et al. 2018) with spectral normalisation (Miyato et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_PatchNetwork() for _ in range(_SIZES))

    def forward(self, pictures: Tensor) -> list[list[Tensor]]:
        """Judge pictures (B, 3, h, w) in [-1, 1]: per size, features of each layer, the scores of patches last."""
        results = []
        for number, network in enumerate(self.scales):
            results.append(network(functional.avg_pool2d(pictures, 2) if number else pictures))
        return results


class _PatchNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        pairs = zip((3, *_CHANNELS), _CHANNELS, strict=False)
        layers = [spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairs]
        self.layers = nn.ModuleList([*layers, spectral_norm(nn.Conv2d(_CHANNELS[-1], 1, 3, padding=1))])

    def forward(self, pictures: Tensor) -> list[Tensor]:
        features = [pictures]
        for layer in self.layers[:-1]:
            features.append(functional.leaky_relu(layer(features[-1]), 0.2))
        return [*features[1:], self.layers[-1](features[-1])]


def discriminator_loss(real: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the discriminator on its own outputs for real and made pictures."""
    losses = [
        functional.relu(1 - r[-1].float()).mean() + functional.relu(1 + m[-1].float()).mean()
        for r, m in zip(real, made, strict=True)
    ]
    return sum(losses) / len(losses)


def adversarial_loss(real: list[list[Tensor]], made: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """What the generator pays: for being told from real (hinge), and for features that differ from the truth's.

    Args:
        real, made: what the discriminator returns for the true and the made pictures.
    Returns:
        Both terms, scalars; the features' differences are relative to the real ones' size.
    Source:
        Feature matching as in Wang et al. 2018 (pix2pixHD).
    """
    told = sum(-m[-1].float().mean() for m in made) / len(made)
    layers = zip((x for size in real for x in size[:-1]), (x for size in made for x in size[:-1]), strict=True)
    pairs = [(r.detach().float(), m.float()) for r, m in layers]
    features = sum((m - r).abs().mean() / (r.abs().mean() + 1e-3) for r, m in pairs) / len(pairs)
    return told, features
