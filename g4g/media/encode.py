"""What ffmpeg is told to make: codecs, the containers that hold them, their quality and pixel formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from g4g.errors import ConfigError, MediaError
from g4g.media.frame_format import FrameFormat


@dataclass(frozen=True)
class Codec:
    """An encoder: its ffmpeg arguments, default and highest crf (None: it has no such scale), and pixel formats."""

    arguments: tuple[str, ...]
    crf: int | None
    max_crf: int = 51
    pixels: str = "yuv420p"
    odd_pixels: str = "yuv444p"
    """Where width or height is odd: some encoders cannot halve the colour then."""
    full_range: bool = True
    """It can say that samples use all values."""
    alpha_pixels: str | None = None
    """With transparency."""
    alpha_muxers: tuple[str, ...] = ()
    """Containers that hold it; none: the codec, or ffmpeg's reading of it, has none."""


# The encoders' speeds are our choice: about as fast as the networks on two cores, files about as large as H.264's.
# subq 1 takes a fifth of its time from x264, for files 3 % larger at 0.15 dB less.
CODECS = {
    "h264": Codec(("-c:v", "libx264", "-preset", "veryfast", "-subq", "1"), crf=18),
    "hevc": Codec(("-c:v", "libx265", "-preset", "veryfast", "-x265-params", "log-level=error"), crf=20),
    "vp9": Codec(
        ("-c:v", "libvpx-vp9", "-b:v", "0", "-cpu-used", "5"),
        crf=24,
        max_crf=63,
        odd_pixels="yuv420p",
        alpha_pixels="yuva420p",
        alpha_muxers=("webm", "matroska"),
    ),
    "av1": Codec(("-c:v", "libsvtav1", "-preset", "8"), crf=24, max_crf=63, odd_pixels="yuv420p"),
    "prores": Codec(
        ("-c:v", "prores_ks"),
        crf=None,
        pixels="yuv422p10le",
        odd_pixels="yuv444p10le",
        full_range=False,
        alpha_pixels="yuva444p10le",
        alpha_muxers=("mov", "matroska"),
    ),
}
"""Names for `codec`, by the names of the standards."""


@dataclass(frozen=True)
class Container:
    """An output format: ffmpeg's name of it, the codecs it holds (its default first), sound and subtitles."""

    muxer: str
    codecs: tuple[str, ...]
    audio_codec: str
    text_subtitles: str


_MP4 = Container("mp4", ("h264", "hevc", "vp9", "av1"), "aac", "mov_text")
CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", ("h264", "hevc", "prores"), "aac", "mov_text"),
    ".mkv": Container("matroska", ("h264", "hevc", "vp9", "av1", "prores"), "aac", "srt"),
    ".webm": Container("webm", ("vp9", "av1"), "libopus", "webvtt"),
}
"""Output name endings."""


@dataclass(frozen=True)
class Encoding:
    """How the picture of one output is stored; made by `choose_encoding`."""

    container: Container
    codec: Codec
    crf: int | None

    def picture_muxer(self, alpha: bool) -> str:
        """Name a container for the picture alone, before the sound is added: with exact times, where it can hold it."""
        if alpha:
            return self.codec.alpha_muxers[0]
        return "mov" if self.codec is CODECS["prores"] else "mp4"

    @property
    def container_arguments(self) -> list[str]:
        """Options of the final container: its index first, and HEVC under the name that Apple's players know."""
        if self.container.muxer not in ("mp4", "mov"):
            return []
        return ["-movflags", "+faststart"] + (["-tag:v", "hvc1"] if self.codec is CODECS["hevc"] else [])

    @property
    def holds_alpha(self) -> bool:
        """True where transparency can be stored."""
        return self.container.muxer in self.codec.alpha_muxers

    def stores_planes(self, frames: FrameFormat) -> bool:
        """True where a picture without transparency is stored as yuv420p of even size."""
        return frames.has_even_size and self.codec.pixels == "yuv420p"

    def picture_arguments(self, frames: FrameFormat) -> list[str]:
        """List the arguments that turn frames into the stored picture: filters and encoder."""
        pixels = self.codec.pixels if frames.has_even_size else self.codec.odd_pixels
        pixels = self.codec.alpha_pixels if frames.alpha else pixels
        colour, aspect = frames.colour, frames.pixel_aspect
        sample_range = "pc" if colour.full_range and self.codec.full_range else "tv"
        convert = [
            f"scale=out_color_matrix={colour.matrix}:out_range={sample_range}"
            ":flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp",
            f"format={pixels}",
        ]
        filters = [
            *([] if frames.planar else convert),
            f"setparams=colorspace={colour.matrix}:color_primaries={colour.primaries}:color_trc={colour.transfer}"
            f":range={sample_range}",
            f"setsar={aspect.numerator}/{aspect.denominator}",
        ]
        quality = [] if self.crf is None else ["-crf", str(self.crf)]
        return ["-vf", ",".join(filters), *self.codec.arguments, *quality]


def choose_encoding(path: Path, codec: str | None = None, crf: int | None = None) -> Encoding:
    """Choose container and codec of an output.

    Args:
        path: output; its ending decides the container.
        codec: one of CODECS; None takes the container's first.
        crf: the codec's own quality scale, 0 (best) to 51 or 63; None takes our choice.
    Returns:
        Encoding.
    Raises:
        MediaError: unknown ending.
        ConfigError: unknown codec, one that the container cannot hold, or a crf outside the codec's scale.
    """
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise MediaError(f"the output {path} must end in {', '.join(CONTAINERS)}, not '{path.suffix}'")
    name = codec or container.codecs[0]
    if name not in container.codecs:
        raise ConfigError(f"`codec` must be one of {', '.join(container.codecs)} in {path.suffix}, got {name!r}")
    chosen = CODECS[name]
    if crf is None:
        return Encoding(container, chosen, chosen.crf)
    if chosen.crf is None:
        raise ConfigError(f"{name} has no crf, its quality is fixed; leave crf out")
    if not 0 <= crf <= chosen.max_crf:
        raise ConfigError(f"`crf` of {name} must be 0 (best) to {chosen.max_crf} (worst), got {crf}")
    return Encoding(container, chosen, crf)
