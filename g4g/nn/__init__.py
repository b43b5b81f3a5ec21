"""Blocks shared by the networks."""

from g4g.nn.aside import lay_aside
from g4g.nn.blocks import AdaIN, ConvNormAct, ResidualAdaIN, ResidualConv, channels_last
from g4g.nn.device import check_device, find_device

__all__ = [
    "AdaIN", "ConvNormAct", "ResidualAdaIN", "ResidualConv", "channels_last", "check_device", "find_device",
    "lay_aside",
]  # fmt: skip
