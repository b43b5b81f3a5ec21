"""The aligner: sound, lip pictures and lip geometry meet in one space."""

from g4g.aligner.loss import contrast_windows, diagonal_loss
from g4g.aligner.model import Aligner, AlignerConfig
from g4g.aligner.offset import (
    CLEAR_PEAK,
    Offset,
    compare_shifts,
    embed_lips_at,
    embed_sound_around,
    find_offset,
    measure_offset,
    nearest_frames,
)
from g4g.aligner.windows import geometry_windows, lip_geometry, measure_lips, picture_frames, speech_windows

__all__ = [
    "CLEAR_PEAK", "Aligner", "AlignerConfig", "Offset", "compare_shifts", "contrast_windows",
    "diagonal_loss", "embed_lips_at", "embed_sound_around", "find_offset", "geometry_windows", "lip_geometry",
    "measure_lips", "measure_offset", "nearest_frames", "picture_frames", "speech_windows",
]  # fmt: skip
