"""Measures: sync, picture, landmarks, phonemes, and the judge that no generator was trained with."""

from g4g.metrics.judge import Judge, JudgeConfig, load_judge, save_judge
from g4g.metrics.landmarks import (
    articulation,
    closure_share,
    jitter,
    mouth_distance,
    mouth_opening,
    open_share,
    opening_correlation,
)
from g4g.metrics.mouth import MouthTrace, measure_mouth, trace_mouth
from g4g.metrics.phoneme_score import PhonemeScore, score_phonemes
from g4g.metrics.phonemes import Phoneme, read_phonemes, write_phonemes
from g4g.metrics.picture import (
    colour_step,
    cosine,
    cut_box,
    edge_gradient,
    edge_step,
    mean_squared_error,
    mouth_box,
    mse_to_psnr,
    psnr,
    seam,
    sharpness,
    ssim,
)
from g4g.metrics.sync import MAX_OFFSET_FRAMES, RIVALS, SyncScore, lip_sync_error, match_windows, similarity_offset

__all__ = [
    "Judge", "JudgeConfig", "MAX_OFFSET_FRAMES", "MouthTrace", "Phoneme", "PhonemeScore", "RIVALS",
    "SyncScore", "articulation", "closure_share", "colour_step", "cosine", "cut_box", "edge_gradient", "edge_step",
    "jitter", "lip_sync_error", "load_judge", "match_windows", "mean_squared_error", "measure_mouth", "mouth_box",
    "mouth_distance", "mouth_opening", "mse_to_psnr", "open_share", "opening_correlation", "psnr", "read_phonemes",
    "save_judge", "score_phonemes", "seam", "sharpness", "similarity_offset", "ssim", "trace_mouth", "write_phonemes",
]  # fmt: skip
