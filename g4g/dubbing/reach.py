"""How far a person's mouth goes: people open theirs differently far for the same words; a video's own sound tells."""

from __future__ import annotations

import numpy as np
import torch

from g4g.dubbing.speech import embed_sound
from g4g.faces import FaceTrack
from g4g.faces.landmarks import MOUTH, mouth_shape
from g4g.zoo import Models

_MOST_FRAMES, _FEWEST_FRAMES = 250, 50
_CLEAR = 0.4
"""Where real openings follow predicted ones by a smaller correlation, the sound is another's, or out of sync."""
_LEAST, _MOST = 0.6, 1.7


@torch.no_grad()
def measure_reach(
    models: Models, track: FaceTrack, rows: np.ndarray, reference_landmarks: np.ndarray, waveform: np.ndarray,
    device: str = "cpu",
) -> float:  # fmt: skip
    """Measure how far a mouth moves with its own sound, over how far the generator would move it.

    Args:
        models: the networks.
        track: the face.
        rows: frames of the track that show this person, (T,), ascending; the first ten seconds count.
        reference_landmarks: of this person's references, (K, 68, 2) px of the crop.
        waveform: the video's own sound, mono 16 kHz, on its clock.
        device: torch device.
    Returns:
        Deviation of the real opening over that of the predicted one, 0.6 to 1.7; 1 where it cannot be told.
    Source:
        Our choice.
    """
    rows = rows[:_MOST_FRAMES]
    if len(rows) < _FEWEST_FRAMES:
        return 1.0
    generator, points = models.generator, track.steady_landmarks[rows]
    audio = embed_sound(models.aligner, waveform, track.times_s[rows], generator.config.audio_windows, device)
    references = torch.from_numpy(reference_landmarks).to(device).expand(len(rows), -1, -1, -1)
    moved = generator.move_mouth(torch.from_numpy(points).to(device), generator.hear(audio), references).landmarks
    predicted = points.copy()
    predicted[:, MOUTH] = moved[:, 17:].cpu().numpy()
    real, made = mouth_shape(points)[:, 0], mouth_shape(predicted)[:, 0]
    if min(real.std(), made.std()) < 1e-4 or np.corrcoef(real, made)[0, 1] < _CLEAR:
        return 1.0
    return float(np.clip(real.std() / made.std(), _LEAST, _MOST))
