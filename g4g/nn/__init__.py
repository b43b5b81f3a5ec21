"""Blocks shared by the networks."""

from g4g.nn.blocks import AdaIN, ConvNormAct, ResidualAdaIN, channels_last

__all__ = ["AdaIN", "ConvNormAct", "ResidualAdaIN", "channels_last"]
