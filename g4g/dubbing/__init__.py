"""One video in, one video out."""

from g4g.dubbing.dubber import Dubber
from g4g.dubbing.people import Face
from g4g.dubbing.report import DubbedFace, DubbedFrame, DubReport

__all__ = ["DubReport", "DubbedFace", "DubbedFrame", "Dubber", "Face"]
