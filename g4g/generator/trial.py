"""Which pictures of a person serve best: they are tried on frames of the video, whose own sound is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from g4g.generator.loss import edge_weights
from g4g.generator.model import Generator, hide_lower_half, reduce_pictures, to_tensor

_ORDER = (1, 3, 2, 0)
"""Open, round, in between, closed: what differs most between people first."""


@torch.no_grad()
def try_references(
    generator: Generator, crops: np.ndarray, landmarks: np.ndarray, audio: Tensor, pictures: np.ndarray,
    shapes: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Choose of each mouth shape the picture with which the generator makes real frames best.

    Args:
        generator: trained.
        crops: the frames, (T, size, size, 3) uint8.
        landmarks: theirs, (T, 68, 2) px.
        audio: embeddings of their own sound around them, (T, audio_windows, D).
        pictures: of each shape, (4, C, f * size, f * size, 3) uint8.
        shapes: their landmarks, (4, C, 68, 2) px.
    Returns:
        Numbers of the chosen pictures, (4,), 0 to C - 1.
    Source:
        Our choice: from the first of each on, one shape after the other takes its best (coordinate descent).
    """
    device, top = audio.device, generator.top
    finer = pictures.shape[2] // generator.size
    references = [reduce_pictures(to_tensor(row).to(device), finer) for row in pictures]
    real, points, known = (x.to(device) for x in (to_tensor(crops), *map(torch.from_numpy, (landmarks, shapes))))
    hidden, target = hide_lower_half(real), real[:, :, top:]
    weights = edge_weights(points * generator.config.finer, top, generator.size)

    def measure(chosen: np.ndarray) -> float:
        shown = torch.stack([references[shape][i] for shape, i in enumerate(chosen.tolist())])
        person = generator.encode_references(shown[None], known[np.arange(4), chosen][None])
        made = generator(hidden, points, audio, person.repeat(len(real)))
        return float(((made.picture - target).square() * weights).mean((1, 2, 3)).log().mean())

    best = np.zeros(4, int)
    error = measure(best)
    for shape in _ORDER:
        for i in range(1, pictures.shape[1]):
            changed = best.copy()
            changed[shape] = i
            if (tried := measure(changed)) < error:
                best, error = changed, tried
    return best
