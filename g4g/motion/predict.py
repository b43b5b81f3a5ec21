"""From speech features to what a person's mouth does: shapes at frame times, closures met, the person's own gain."""

from __future__ import annotations

import numpy as np
import torch

from g4g.faces.canonical import LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.motion.model import Motion, frame_rows, sample_rows
from g4g.motion.neutral import NeutralFace

_SURE, _UNSURE = 0.8, 0.4
"""From the first probability on closed lips meet; below the second nothing is done about them."""
_FEWEST_FRAMES = 50
_CLEAR = 0.35
"""Where real mouths follow predicted ones by a smaller correlation, the sound is another's or out of sync."""
USUAL_GAIN = 1.05
"""A regression answers an uncertain sound with the mean mouth: people move theirs this much further."""
_LEAST_GAIN, _MOST_GAIN = 0.6, 1.7


@torch.no_grad()
def move_mouth(motion: Motion, speech: np.ndarray, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell what a mouth does while a sound is heard.

    Args:
        motion: the network, in evaluation mode.
        speech: features (S, D) of the whole sound, 50 rows a second.
        times_s: of the frames, on the sound's clock, (T,).
    Returns:
        Shapes (T, C), float32, and how surely the lips are closed, (T,) in [0, 1].
    """
    device = motion.components.device
    rows = torch.from_numpy(frame_rows(times_s)).float().to(device)[None]
    shapes, closed = motion(torch.from_numpy(np.ascontiguousarray(speech, np.float32)).to(device)[None])
    shapes, closed = sample_rows(shapes, rows)[0], sample_rows(closed, rows)[0].sigmoid()
    return shapes.cpu().numpy(), closed.cpu().numpy()


def fit_gain(predicted: np.ndarray, real: np.ndarray, motion: Motion) -> float:
    """Measure how far a person's mouth goes, over how far the network moves it, by the video's own sound.

    Args:
        predicted, real: shapes of the same frames, (T, C).
        motion: the network that predicted.
    Returns:
        The ratio of the openings' deviations, 0.6 to 1.7; USUAL_GAIN where there is too little to tell it, or
        where mouth and sound do not belong together.
    Source:
        Our choice.
    """
    components = motion.space.components[:, :, 1]
    opens = (components[:, LOWER_INNER_LIP] - components[:, UPPER_INNER_LIP]).mean(1)
    made, true = ((shapes - shapes.mean(0)) @ opens for shapes in (predicted, real))
    sizes = np.linalg.norm(made), np.linalg.norm(true)
    if len(predicted) < _FEWEST_FRAMES or min(sizes) < 1e-6 or (made * true).sum() < _CLEAR * sizes[0] * sizes[1]:
        return USUAL_GAIN
    return float(np.clip(sizes[1] / sizes[0], _LEAST_GAIN, _MOST_GAIN))


def lay_shapes(motion: Motion, neutral: NeutralFace, degrees: np.ndarray, shapes: np.ndarray, closed: np.ndarray):
    """Lay shapes on a person's neutral face and close the lips where they must meet.

    Args:
        motion: whose shapes they are.
        neutral: the person's closed mouth.
        degrees: the head's pose in each frame, (T, 3).
        shapes: (T, C), the person's gain applied.
        closed: how surely the lips are closed, (T,).
    Returns:
        Canonical faces (T, 468, 3); only points that speech moves are meant.
    """
    space, rest = motion.space, neutral.at(degrees)
    faces = rest + space.decode(shapes)
    share = np.clip((closed - _UNSURE) / (_SURE - _UNSURE), 0, 1)
    return faces + space.decode(space.close_lips(faces, share))
