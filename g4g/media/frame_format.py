"""What the frames of an output are: size, colour, transparency, and when each is shown."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from g4g.errors import MediaError
from g4g.media.colour import VIDEO_COLOUR, Colour

FINE_TIME_BASE = Fraction(1, 120_000)
"""Unit (s) of the times of a variable frame rate; all usual rates, 24000/1001 and the like included, divide it."""

MAX_FPS_DENOMINATOR = 1001
"""Frame rates are fractions such as 30000/1001; a float is taken to the nearest one."""


@dataclass(frozen=True)
class FrameFormat:
    """What the frames of one output are.

    Raises:
        MediaError: a size or a rate of 0.
    """

    width: int
    """Of every frame in pixels; kept exactly."""
    height: int
    """Of every frame in pixels."""
    fps: float
    """Frames per second; with a variable rate the mean, which gives the last frame its length."""
    times_s: np.ndarray | None = None
    """When each frame is shown, in seconds, rising from 0; None: they follow each other at `fps`."""
    colour: Colour = VIDEO_COLOUR
    """How the picture is stored."""
    pixel_aspect: Fraction = Fraction(1)
    """Width of one pixel over its height."""
    alpha: bool = False
    """Frames are RGBA; codec and container must hold it (prores in .mov, vp9 in .webm, both in .mkv)."""
    planar: bool = False
    """Frames are planes in this colour; size and codec must fit, see `Encoding.stores_planes`."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.rate <= 0:
            raise MediaError(
                f"cannot write {self.width} x {self.height} px at {self.fps} frames/s; sizes and rate must be above 0"
            )

    @cached_property
    def rate(self) -> Fraction:
        """`fps`, exact."""
        return Fraction(self.fps).limit_denominator(MAX_FPS_DENOMINATOR) if np.isfinite(self.fps) else Fraction(0)

    @property
    def time_base(self) -> Fraction:
        """Unit of the times of frames, in seconds."""
        return 1 / self.rate if self.times_s is None else FINE_TIME_BASE

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array that holds a frame; of planes: Y, below it U and V."""
        if self.planar:
            return 3 * self.height // 2, self.width
        return self.height, self.width, 4 if self.alpha else 3

    @property
    def pixels(self) -> str:
        """What ffmpeg calls such an array."""
        return "yuv420p" if self.planar else "rgba" if self.alpha else "rgb24"

    @property
    def has_even_size(self) -> bool:
        """True where colour can be stored at half the size."""
        return self.width % 2 == self.height % 2 == 0

    def time_s(self, number: int) -> Fraction:
        """Tell when a frame is shown."""
        return number / self.rate if self.times_s is None else Fraction(float(self.times_s[number]))
