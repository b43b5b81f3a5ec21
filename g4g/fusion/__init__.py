"""Fusion: the generated face joins the original frame without a seam."""

from g4g.fusion.model import Fusion, FusionConfig

__all__ = ["Fusion", "FusionConfig"]
