"""The fusion network before training, and its promise outside the mask."""

import torch

from g4g.fusion import Fusion, FusionConfig


def test_untrained_it_is_the_plain_soft_mask():
    generated, original = torch.rand(2, 1, 3, 128, 128)
    mask = torch.rand(1, 1, 128, 128)
    picture, taken = Fusion(FusionConfig())(generated, original, mask)
    torch.testing.assert_close(picture, generated)
    torch.testing.assert_close(taken, mask)


def test_outside_the_mask_nothing_is_taken_whatever_the_weights():
    fusion = Fusion(FusionConfig())
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter)
    mask = torch.rand(1, 1, 128, 128)
    mask[:, :, :60] = 0
    taken = fusion(torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128), mask)[1]
    assert (taken[:, :, :60] == 0).all() and taken.max() <= 1
