"""The aligner: sound, lips and lip geometry meet in one space."""

from g4g.aligner.loss import diagonal_loss
from g4g.aligner.model import Aligner, AlignerConfig, cut_lips, window_frames_of

__all__ = ["Aligner", "AlignerConfig", "cut_lips", "diagonal_loss", "window_frames_of"]
