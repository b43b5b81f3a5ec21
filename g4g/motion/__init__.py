"""Motion: what a mouth does while a sound is heard, in the person's own space."""

from g4g.motion.model import Motion, MotionConfig, frame_rows, frame_speech, sample_rows
from g4g.motion.neutral import NeutralFace, fit_neutral
from g4g.motion.predict import fit_gain, lay_shapes, move_mouth
from g4g.motion.shape import ShapeSpace, find_components

__all__ = [
    "Motion", "MotionConfig", "NeutralFace", "ShapeSpace", "find_components", "fit_gain", "fit_neutral", "frame_rows",
    "frame_speech",    "lay_shapes", "move_mouth", "sample_rows",
]  # fmt: skip
