"""One video in, one video out."""

from g4g.dubbing.dubber import Dubber
from g4g.dubbing.report import DubbedFrame, DubReport

__all__ = ["DubReport", "DubbedFrame", "Dubber"]
