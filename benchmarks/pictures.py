"""Point 2: the mouth box against copying the most closed reference, every frame of every clip."""

from __future__ import annotations

import numpy as np
from clips import Clip

from g4g.faces.landmarks import MOUTH
from g4g.generator import choose_references
from g4g.metrics import cut_box, mean_squared_error, mouth_box, mse_to_psnr
from g4g.metrics.report import Figure
from g4g.training.speaker import generate_shot
from g4g.zoo import Models

_TARGETS = {"s1": 4.5, "unseen": 3.0}


def generate_clip(models: Models, clip: Clip) -> np.ndarray:
    """Make all crops of a clip with its own sound by the generator alone, (T, size, size, 3) uint8."""
    chosen = choose_references(clip.shot.landmarks)
    references = clip.shot.crops[chosen], clip.shot.landmarks[chosen]
    return generate_shot(models, clip.shot, references)


def mouth_errors(clip: Clip, made: np.ndarray) -> np.ndarray:
    """Squared errors in the mouth box, (T, 3): of what was made, of the most closed reference's copy, 1 for references.

    A frame that serves as reference is known to the generator, and its own copy is perfect: the third column lets
    such frames be left out.
    """
    chosen = choose_references(clip.shot.landmarks)
    rows = []
    for number, real in enumerate(clip.shot.crops):
        box = mouth_box(clip.shot.landmarks[number][MOUTH], len(real))
        truth = cut_box(real, box)
        ours = mean_squared_error(cut_box(made[number], box), truth)
        copied = mean_squared_error(cut_box(clip.shot.crops[chosen[0]], box), truth)
        rows.append((ours, copied, number in chosen))
    return np.array(rows, dtype=np.float64)


def report_pictures(errors: list[np.ndarray], group: str, what: str) -> list[Figure]:
    """Turn the clips' mouth errors into figures: mean over frames of the PSNR, and the PSNR of all errors pooled."""
    table = np.concatenate(errors)
    frames = table[table[:, 2] == 0]
    ours, copied = (float(np.mean([mse_to_psnr(e) for e in frames[:, column]])) for column in (0, 1))
    pooled, pooled_copy = (mse_to_psnr(table[:, column].mean()) for column in (0, 1))
    everything = f"{what}: mouth PSNR, errors of all frames pooled, dB"
    point, target = "2 picture", _TARGETS.get(group) if what == "generator" else None
    copy = "copying the most closed"
    return [
        Figure(point, group, f"{what}: mouth PSNR, dB", ours, len(frames), copied, copy),
        Figure(point, group, f"{what}: above copying, dB", ours - copied, len(frames), 0.0, "copying", target),
        Figure(point, group, everything, pooled, len(table), pooled_copy, copy),
    ]
