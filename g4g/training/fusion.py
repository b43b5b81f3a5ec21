"""Stage: fusion, on planted seams whose removal has a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from PIL import Image
from torch.nn import functional

from g4g.config import CropConfig
from g4g.faces import lower_half_mask
from g4g.fusion import Fusion
from g4g.painter import to_tensor
from g4g.training.data import Shot, augment_colour, speaker_chances
from g4g.training.loop import Stage
from g4g.training.processes import number_clips

_BATCH = 8
_SWAPPED_COLOURS = 0.2
"""Share of clips whose red, green and blue change places."""


class FusionStage(Stage):
    """The truth is a real frame; its lower half comes back with a planted light, colour, blur and offset."""

    def __init__(self, fusion: Fusion, train: list[Shot], validation: list[Shot]) -> None:
        super().__init__()
        self.fusion, self._train_shots, self._validation = fusion, train, validation
        self._chances, self._numbers = speaker_chances(train), number_clips([shot.clip for shot in train])

    def trained(self) -> Fusion:
        return self.fusion

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        device = next(self.fusion.parameters()).device
        chances = self.batch.keep_chances(self._chances, self._numbers)
        planted = plant_seams(self._train_shots, _BATCH, rng, chances)
        generated, original, mask, truth = (x.to(device) for x in planted)
        picture, taken = self.fusion(generated, original, mask)
        result = picture * taken + original * (1 - taken)
        edge = 1 + 8 * mask * (1 - mask)
        return {"pixels": ((result - truth).abs() * edge).mean(), "light": ((picture - truth).abs() * mask).mean()}

    def validate(self, network: Fusion, sheet: Path) -> dict[str, float]:
        pictures, figures = mend_seams(network, self._validation)
        rows = [torch.cat(list(x[:8]), 2) for x in pictures]
        whole = ((torch.cat(rows, 1).permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).byte().cpu().numpy()
        Image.fromarray(whole).save(sheet)
        return figures


@torch.no_grad()
def mend_seams(network: Fusion, shots: list[Shot]) -> tuple[list[torch.Tensor], dict[str, float]]:
    """Let fusion mend 32 planted seams.

    Returns:
        (original, plainly pasted, mended, truth), each (32, 3, size, size) in [-1, 1]; the errors of the mended and of
        the plainly pasted, in grey levels of 255.
    """
    device = next(network.parameters()).device
    generated, original, mask, truth = (x.to(device) for x in plant_seams(shots, 32, np.random.default_rng(0)))
    picture, taken = network(generated, original, mask)
    plain = generated * mask + original * (1 - mask)
    result = picture * taken + original * (1 - taken)
    error, before = ((x - truth).abs().mean().item() * 127.5 for x in (result, plain))
    return [original, plain, result, truth], {"error_levels": error, "error_plain_levels": before}


def plant_seams(
    shots: list[Shot], count: int, rng: np.random.Generator, chances: np.ndarray | None = None
) -> tuple[torch.Tensor, ...]:
    """Make (generated, original, mask, truth): (B, 3, size, size) in [-1, 1], the mask (B, 1, size, size).

    Inside the mask the original shows another moment of the clip, as it does when a video is dubbed. Each clip comes in
    random colours: a few people's skin must not become the colour that every face is corrected to.
    """
    rows = []
    for number in rng.choice(len(shots), size=count, p=speaker_chances(shots) if chances is None else chances):
        shot = shots[number]
        now, other = rng.integers(len(shot), size=2)
        mask = torch.from_numpy(np.maximum(*(lower_half_mask(shot.landmarks[frame]) for frame in (now, other))))[None]
        crops = augment_colour(_reduce(shot.crops[[now, other]]), rng)
        if rng.random() < _SWAPPED_COLOURS:
            crops = np.ascontiguousarray(crops[..., rng.permutation(3)])
        truth, old = torch.from_numpy(crops).permute(0, 3, 1, 2)
        inner = (mask > 0.9).float()
        original = old * inner + truth * (1 - inner)
        rows.append((_disturb(truth, rng), original, mask, truth))
    return tuple(torch.stack(x) for x in zip(*rows, strict=True))


def _disturb(truth: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Give a crop (3, size, size) another light, colour and sharpness, a pixel aside."""
    generated = torch.roll(truth, tuple(rng.integers(-1, 2, size=2).tolist()), (1, 2))
    if rng.random() < 0.5:
        generated = gaussian_blur2d(generated[None], (5, 5), (float(rng.uniform(0.3, 1.0)),) * 2)[0]
    gain = torch.from_numpy(rng.uniform(0.85, 1.15) * rng.uniform(0.94, 1.06, (3, 1, 1))).float()
    return (generated * gain + float(rng.uniform(-0.12, 0.12))).clamp(-1, 1)


def _reduce(crops: np.ndarray) -> np.ndarray:
    """Bring crops (N, c, c, 3) uint8 of any size to the networks' size, in [-1, 1]."""
    small = functional.interpolate(to_tensor(crops), (CropConfig().size,) * 2, mode="area")
    return small.permute(0, 2, 3, 1).numpy()
