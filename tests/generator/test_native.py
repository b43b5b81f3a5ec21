"""Pixels between pixels: inside a picture, at its edge and beyond it, by whichever way they are read."""

import numpy as np
import torch
from torch.nn import functional

from g4g.generator import native


def test_pictures_are_sampled_as_torch_samples_them():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 11, 14, 3), np.uint8)
    places = rng.uniform(-3, 17, (400, 2)).astype(np.float32)
    grid = torch.from_numpy((places + 0.5) * 2 / np.float32([14, 11]) - 1)[None, None]
    picture = torch.from_numpy(pictures[1]).permute(2, 0, 1)[None].float()
    wanted = functional.grid_sample(picture, grid, "bicubic", "border", align_corners=False)[0, :, 0].T
    found = np.array([native._sample(pictures, 1, x, y) for x, y in places])
    np.testing.assert_allclose(found, wanted, atol=0.01)
