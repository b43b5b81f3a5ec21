"""The aligner: sound, lips and lip geometry meet in one space."""

from g4g.aligner.loss import contrast_windows, diagonal_loss
from g4g.aligner.model import Aligner, AlignerConfig, cut_lips, window_frames_of
from g4g.aligner.offset import compare_shifts, embed_clip, measure_offset, nearest_frames, tell_offset

__all__ = [
    "Aligner", "AlignerConfig", "compare_shifts", "contrast_windows", "cut_lips", "diagonal_loss", "embed_clip",
    "measure_offset", "nearest_frames", "tell_offset", "window_frames_of",
]  # fmt: skip
