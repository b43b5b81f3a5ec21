"""Is the sound in time with the lips? Some seconds of a source and of its dub, as the aligner sees them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from g4g.aligner import Aligner, compare_shifts, embed_clip, nearest_frames, tell_offset
from g4g.audio import log_mel
from g4g.config import SCORE_FPS, AudioConfig, CropConfig
from g4g.dubbing.report import DubbedFrame
from g4g.faces import crop_face

SHORTEST_S, LONGEST_S = 2.8, 4.0
"""So long a stretch of dubbed frames is looked at; in less, one offset looks like another."""

LARGE_FRAMES = 2.0
"""From so many frames of 1/25 s on, a report says in words that a source is out of sync."""

_EVERY = 3
"""Of the lips, every third window is compared; the sound whole."""

_AROUND_S = 0.5
"""More sound than sync windows need before the first and after the last frame."""


@dataclass
class OffsetMeter:
    """Gathers face crops while the frames of a dub pass: the first stretch of dubbed frames that is long enough."""

    times_s: list[float] = field(default_factory=list)
    source: list[np.ndarray] = field(default_factory=list)
    dubbed: list[np.ndarray] = field(default_factory=list)
    is_full: bool = False

    def add(self, time_s: float, item: DubbedFrame) -> None:
        """Look at the next frame of the dub, shown at `time_s`."""
        if self.is_full:
            return
        if item.frame_to_crop is not None:
            self.times_s.append(time_s)
            for crops, frame in ((self.source, item.source), (self.dubbed, item.frame)):
                crops.append(crop_face(frame, item.frame_to_crop, CropConfig().size))
            self.is_full = self.length_s >= LONGEST_S
        elif self.has_enough:
            self.is_full = True
        else:
            for gathered in (self.times_s, self.source, self.dubbed):
                gathered.clear()

    def tell(self, aligner: Aligner, crops: list[np.ndarray], waveform: np.ndarray, start_s: float) -> float | None:
        """Tell the offset between gathered crops and a sound; there must be enough of them.

        Args:
            aligner: in evaluation mode.
            crops: `source` or `dubbed`.
            waveform: mono sound.
            start_s: when its first sample is heard.
        Returns:
            Frames of 1/25 s, > 0: the matching sound lies earlier than its lips; None where it is not clear.
        """
        nearest, moments = nearest_frames(np.array(self.times_s))
        rate = AudioConfig().sample_rate
        heard_s = moments - start_s
        first = max(int((heard_s[0] - _AROUND_S) * rate), 0)
        mel = log_mel(waveform[first : first + round((self.length_s + 2 * _AROUND_S) * rate)])
        lips, sound = embed_clip(aligner, np.stack(crops)[nearest], mel, heard_s - first / rate, _EVERY)
        return tell_offset(compare_shifts(lips, sound, _EVERY))

    @property
    def has_enough(self) -> bool:
        """True where an offset can be told."""
        return self.length_s >= SHORTEST_S

    @property
    def length_s(self) -> float:
        """From the first gathered frame to the last."""
        return self.times_s[-1] - self.times_s[0] if self.times_s else 0.0


def describe_offset(offsets: dict[str, float]) -> list[str]:
    """Say that the sound of a source is early or late, where it is; the dub does not change that."""
    frames = offsets.get("source", 0.0)
    if abs(frames) < LARGE_FRAMES:
        return []
    side = "before" if frames > 0 else "after"
    return [f"the video's own sound comes about {abs(frames) / SCORE_FPS:.2f} s {side} its lips; what is kept stays so"]
