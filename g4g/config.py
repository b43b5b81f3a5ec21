"""Every number with a meaning: its name, its unit and its one home."""

from __future__ import annotations

from dataclasses import dataclass

from g4g.errors import ConfigError

SCORE_FPS = 25.0
"""Frames per second at which lips and sound are compared (the field's convention)."""

MAX_OFFSET_FRAMES = 15
"""Largest shift between lips and sound that is tried: 0.6 s at SCORE_FPS, the field's value."""

EMPHASIS = 1.0
"""How far dubs move the mouth, times how far this person's goes."""

MOST_EMPHASIS = 2.5
"""No mouth is moved further than so many times what the motion network says."""


@dataclass(frozen=True)
class AudioConfig:
    """The mel front end (the field's values; padding is explicit) and the sync window."""

    sample_rate: int = 16_000
    n_fft: int = 800
    hop_length: int = 200
    n_mels: int = 80
    f_min_hz: float = 55.0
    f_max_hz: float = 7600.0
    pre_emphasis: float = 0.97
    window_mel_steps: int = 16
    window_frames: int = 5

    def __post_init__(self) -> None:
        if abs(self.window_s - self.window_frames / SCORE_FPS) > 1e-6:
            raise ConfigError(
                f"a sync window of {self.window_frames} frames lasts {self.window_frames / SCORE_FPS} s, but "
                f"{self.window_mel_steps} mel steps last {self.window_s} s; make them equal"
            )

    @property
    def mel_rate(self) -> float:
        """Mel steps per second."""
        return self.sample_rate / self.hop_length

    @property
    def window_s(self) -> float:
        """Length of one sync window in seconds."""
        return self.window_mel_steps / self.mel_rate


@dataclass(frozen=True)
class CropConfig:
    """Where the face lies in its crop; all figures but `size` are fractions of the crop's side (our choice)."""

    size: int = 128
    eye_line: float = 0.25
    eye_distance: float = 0.46
    """Between the outer corners of the eyes."""
    hidden_top: float = 0.46875
    """Below this line the generator sees nothing of the frame that it fills."""
    generated_top: float = 0.375
    """The generator paints from this line down."""
    lips_box: tuple[float, float, float, float] = (0.25, 0.46875, 0.75, 0.90625)
    """What the aligner sees (x1, y1, x2, y2)."""
    smoothing_frames: float = 2.0
    most_lag: float = 0.015
    """So far, in distances of the outer eye corners, the smoothed crop may lie off the face."""
    mask_margin: float = 0.12
    """Beyond the jaw, which moves with speech: what is left of the old one contradicts the new sound."""
    mask_feather: float = 0.03
