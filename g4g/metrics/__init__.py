"""Measures: sync, picture, landmarks, and the judge that no generator was trained with."""

from g4g.metrics.judge import JUDGE_WEIGHTS, Judge, JudgeConfig, load_judge, save_judge
from g4g.metrics.landmarks import jitter, mouth_distance, mouth_opening
from g4g.metrics.picture import cut_box, mean_squared_error, mouth_box, mse_to_psnr, psnr
from g4g.metrics.sync import MAX_OFFSET_FRAMES, RIVALS, SyncScore, lip_sync_error, match_windows, similarity_offset

__all__ = [
    "JUDGE_WEIGHTS", "Judge", "JudgeConfig", "MAX_OFFSET_FRAMES", "RIVALS", "SyncScore", "cut_box", "jitter",
    "lip_sync_error", "load_judge",
    "mean_squared_error", "mouth_box", "mouth_distance", "mouth_opening", "mse_to_psnr", "psnr", "save_judge",
    "match_windows", "similarity_offset",
]  # fmt: skip
