"""What a stream gives: frames with their sound, ends of segments, and figures about itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LiveFrame:
    """One picture, and the sound that is heard while it is shown.

    Attributes:
        frame: (H, W, 3) RGB uint8; it belongs to whoever takes it.
        time_s: when it is shown, on the stream's clock; the first frame is shown at 0.
        sound: mono int16, (N,): from the end of the last frame's to the end of this one's, skipped frames included.
        sample_rate: of the sound, Hz.
        number: of the frame; numbers that are missing were skipped.
        is_speaking: some of the sound belongs to a segment.
        late_s: how much later than it was due it was given; 0 where nothing paces it.
        passed: why the source's own picture is shown, None where a mouth was made.
    """

    frame: np.ndarray
    time_s: float
    sound: np.ndarray
    sample_rate: int
    number: int
    is_speaking: bool = False
    late_s: float = 0.0
    passed: str | None = None


@dataclass(frozen=True)
class SegmentEnd:
    """The sound of one segment has been heard to its end, or was interrupted; `time_s` on the stream's clock."""

    time_s: float
    is_interrupted: bool = False


@dataclass(frozen=True)
class StreamStats:
    """How a stream fares.

    Attributes:
        frames: that were given.
        skipped: that were not, since they or whoever takes them came too late.
        starved: how often sound of a segment came so late that silence was put before it.
        starved_s: such silence, all together, in seconds.
        waiting_s: sound that is not yet shown.
        late_s: how late the last frame was given.
    """

    frames: int
    skipped: int
    starved: int
    starved_s: float
    waiting_s: float
    late_s: float
