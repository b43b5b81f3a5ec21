"""Writing: frames in, one whole mp4 out, H.264 with AAC sound cut to the picture's length, or nothing at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from g4g.errors import MediaError, ShapeError
from g4g.media.ffmpeg import ALLOWED_PROTOCOLS, ffmpeg_command, ffmpeg_error, input_arguments, run_ffmpeg, to_url
from g4g.media.probe import check_input
from g4g.media.read import align_filter

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Output name endings and ffmpeg's name of the container."""

PRESET = "veryfast"
"""x264's trade of time against size (our choice)."""

AUDIO_BITRATE = "192k"
"""AAC bits per second (our choice)."""

MAX_FPS_DENOMINATOR = 1001
"""Frame rates are fractions such as 30000/1001; a float is taken to the nearest one."""


class VideoWriter:
    """Write frames as H.264 (and a sound file as AAC) to one file that appears when it is whole.

    Use as a context manager. An exception inside the block leaves no output and no temporary file behind.

    Args:
        path: output, ending in .mp4, .m4v, .mov or .mkv; its folder must exist.
        width: of every frame in pixels; kept exactly (an odd size is stored as yuv444p, else yuv420p).
        height: of every frame in pixels.
        fps: frames per second, constant.
        audio: sound file, or video whose sound is taken on its own video's clock; None writes no sound.
        audio_duration_s: use only so much of the sound, in seconds; silence follows. None uses all of it.
        overwrite: replace an existing output.
        crf: x264's quality, 0 (lossless) to 51 (worst).
    Raises:
        MediaError: output exists, its folder does not, unknown ending, bad size or fps, no sound in `audio`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        width: int,
        height: int,
        fps: float,
        audio: str | os.PathLike | None = None,
        audio_duration_s: float | None = None,
        overwrite: bool = False,
        crf: int = 18,
    ) -> None:
        self.path = Path(path)
        self.width, self.height, self.overwrite, self.crf = width, height, overwrite, crf
        self.fps = Fraction(fps).limit_denominator(MAX_FPS_DENOMINATOR) if np.isfinite(fps) else Fraction(0)
        self.frame_count = 0
        if width < 1 or height < 1 or self.fps <= 0:
            raise MediaError(f"cannot write {width} x {height} px at {fps} frames/s; sizes and rate must be above 0")
        self._check_output()
        self._audio = None if audio is None else check_input(audio)
        self._audio_filter = None if self._audio is None else align_filter(self._audio)
        if audio_duration_s is not None and self._audio_filter is not None:
            self._audio_filter += f",atrim=end={audio_duration_s:.6f}"
        self._folder: Path | None = None

    def __enter__(self) -> VideoWriter:
        # in the output's own folder: only there is the final rename atomic
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=".g4g-", dir=self.path.absolute().parent))
        except OSError as error:
            raise MediaError(f"cannot write into the folder of {self.path}: {error.strerror}") from error
        self._stderr = (self._folder / "stderr").open("w+b")  # a file, not a pipe: nobody has to drain it
        try:
            self._encoder = subprocess.Popen(
                ffmpeg_command() + self._encoder_arguments(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
            )
        except BaseException:
            self._remove_folder()
            raise
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame.

        Args:
            frame: RGB uint8, shape (height, width, 3).
        Raises:
            ShapeError: another shape or dtype.
            MediaError: used outside its with block, or ffmpeg gave up; its words are in the message.
        """
        if self._folder is None:
            raise MediaError("VideoWriter.write works inside its with block only")
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            raise ShapeError(
                f"expected a uint8 frame of shape {(self.height, self.width, 3)}, got {frame.dtype} {frame.shape}"
            )
        try:
            self._encoder.stdin.write(np.ascontiguousarray(frame).data)
        except OSError as error:
            raise self._encoder_error() from error
        self.frame_count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._remove_folder()

    def _check_output(self) -> None:
        folder = self.path.absolute().parent
        if not folder.is_dir():
            raise MediaError(f"the output folder {folder} does not exist; create it first")
        if self.path.is_dir():
            raise MediaError(f"the output {self.path} is a folder; give a file name")
        if self.path.exists() and not self.overwrite:
            raise MediaError(f"the output {self.path} exists; give another name or allow it to be overwritten")
        if self.path.suffix.lower() not in MUXERS:
            raise MediaError(f"the output {self.path} must end in {', '.join(MUXERS)}, not '{self.path.suffix}'")

    def _encoder_arguments(self) -> list[str]:
        raw = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{self.width}x{self.height}"]
        source = ["-protocol_whitelist", ALLOWED_PROTOCOLS, *raw, "-framerate", str(self.fps), "-i", "pipe:0"]
        pixels = "yuv420p" if self.width % 2 == self.height % 2 == 0 else "yuv444p"
        scale = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
        tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
        codec = ["-vf", f"{scale},format={pixels},{tags}", "-c:v", "libx264", "-preset", PRESET, "-crf", str(self.crf)]
        return [*source, *codec, "-f", "mp4", to_url(self._folder / "picture.mp4")]

    def _finish(self) -> None:
        """Close the picture, add the sound, and move the whole file to its name."""
        if self.frame_count == 0:
            raise MediaError(f"no frame was written to {self.path}; a video needs at least one")
        try:
            self._encoder.stdin.close()
        except OSError as error:
            raise self._encoder_error() from error
        if self._encoder.wait():
            raise self._encoder_error()
        whole = self._folder / "whole"
        run_ffmpeg(self._mux_arguments(whole), f"write {self.path}")
        self._check_output()
        os.replace(whole, self.path)

    def _mux_arguments(self, whole: Path) -> list[str]:
        length_s = float(self.frame_count / self.fps)
        arguments = ["-copyts", *input_arguments(self._folder / "picture.mp4")]
        if self._audio is not None:
            fit = f"{self._audio_filter},apad=whole_dur={length_s:.6f},atrim=end={length_s:.6f}"
            arguments += [*input_arguments(self._audio), "-map", "0:v:0", "-map", "1:a:0"]
            arguments += ["-af", fit, "-c:a", "aac", "-b:a", AUDIO_BITRATE]
        muxer = MUXERS[self.path.suffix.lower()]
        fast_start = ["-movflags", "+faststart"] if muxer != "matroska" else []
        return [*arguments, "-c:v", "copy", *fast_start, "-f", muxer, to_url(whole)]

    def _encoder_error(self) -> MediaError:
        code = self._encoder.wait()
        self._stderr.seek(0)
        return ffmpeg_error(f"encode {self.path}", code, self._stderr.read())

    def _remove_folder(self) -> None:
        """Stop the encoder if it still runs and remove the temporary folder, which is our own."""
        encoder, self._encoder = getattr(self, "_encoder", None), None
        if encoder is not None:
            encoder.kill()
            encoder.wait()
            with suppress(BrokenPipeError):  # frames still buffered for the stopped encoder: nobody wants them
                encoder.stdin.close()
        self._stderr.close()
        shutil.rmtree(self._folder)
        self._folder = None
