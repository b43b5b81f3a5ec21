"""Blocks shared by the networks."""

from g4g.nn.blocks import AdaIN, ConvNormAct, ResidualAdaIN, ResidualConv, channels_last

__all__ = ["AdaIN", "ConvNormAct", "ResidualAdaIN", "ResidualConv", "channels_last"]
