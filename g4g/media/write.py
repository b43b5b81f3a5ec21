"""Writing: frames in, one whole video out with sound cut to the picture's length, or nothing at all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from g4g.errors import ConfigError, MediaError, ShapeError
from g4g.media.decode import check_input
from g4g.media.encode import Encoding, choose_encoding
from g4g.media.ffmpeg import ALLOWED_PROTOCOLS, ffmpeg_command, ffmpeg_error, input_arguments, run_ffmpeg, to_url
from g4g.media.frame_format import FrameFormat
from g4g.media.mark import Mark, place_with_sidecar
from g4g.media.other_streams import copy_other_streams, read_comment
from g4g.media.sound import NewSound, check_sound, sound_graph
from g4g.media.sound_beside import SoundEncoder
from g4g.media.work_folder import WorkFolder

_SOUND_AFTER = 2
"""The sound begins to be encoded after so many frames: whoever waits for the first one does not wait for it."""

AUDIO_BITRATE = "192k"
"""Bits per second of the new sound (our choice)."""


def check_output(path: Path, overwrite: bool, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Check that a file may be written, before any work is done for it.

    Args:
        path: output.
        overwrite: it may replace what is there.
        inputs: files that it must not replace.
    Raises:
        MediaError: it exists, is an input or a folder, or its folder does not exist or cannot be written to.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise MediaError(f"the output folder {folder} does not exist; create it first")
    if path.is_dir():
        raise MediaError(f"the output {path} is a folder; give a file name")
    if path.exists() and any(os.path.exists(file) and path.samefile(file) for file in inputs):
        raise MediaError(f"the output {path} is also an input; give another name")
    if path.exists() and not overwrite:
        raise MediaError(f"the output {path} exists; give another name, or replace it: `overwrite=True`")
    if not os.access(folder, os.W_OK):
        raise MediaError(f"the output folder {folder} cannot be written to; give another, or change its rights")


class VideoWriter:
    """Write frames (and a sound) to one video file that appears when it is whole.

    Use as a context manager. An exception inside the block leaves no output and no temporary file behind.

    Args:
        path: output; its ending decides the container (see `choose_encoding`); its folder must exist.
        frames: what is written, and when each frame is shown.
        sound: what is heard; None writes no sound.
        encoding: how the picture is stored; None takes the container's first codec and our choice of quality.
        source: video whose other sound tracks, subtitles, chapters and metadata come along; `warnings` names the rest.
        mark: what the file says of its making; None: nothing.
        overwrite: replace an existing output.
        planned_frames: how many will be written: the sound is encoded beside them; None: not known.
    Raises:
        MediaError: output exists, its folder does not, unknown ending, no sound in `sound`.
        ConfigError: the codec cannot hold transparency.
    """

    def __init__(
        self, path: str | os.PathLike, frames: FrameFormat, sound: NewSound | None = None, *,
        encoding: Encoding | None = None, source: str | os.PathLike | None = None, mark: Mark | None = None,
        overwrite: bool = False, planned_frames: int | None = None,
    ) -> None:  # fmt: skip
        self.path, self.frames, self.overwrite = Path(path), frames, overwrite
        self.warnings: tuple[str, ...] = ()
        self._encoding = encoding or choose_encoding(self.path)
        if frames.alpha and not self._encoding.holds_alpha:
            raise ConfigError(
                "this codec cannot hold transparency; use prores in .mov or vp9 in .webm, or leave alpha out"
            )
        self._mark = mark
        for file in self._list_outputs():
            check_output(file, overwrite)
        self.frame_count, self._last_time = 0, -1
        self._source = None if source is None else check_input(source)
        self._sound = sound
        if sound is not None:
            check_sound(sound.file)
        self._planned_frames, self._encoded_sound = planned_frames, None
        self._folder: Path | None = None

    def __enter__(self) -> VideoWriter:
        # in the output's own folder: only there is the final rename atomic
        try:
            # removed by its finaliser where Ctrl-C comes before our own handling stands
            self._temporary = WorkFolder(self.path.absolute().parent)
        except OSError as error:
            raise MediaError(f"cannot write into the folder of {self.path}: {error.strerror}") from error
        self._folder = self._temporary.path
        self._stderr = (self._folder / "stderr").open("w+b")  # a file, not a pipe: nobody has to drain it
        try:
            self._encoder = subprocess.Popen(
                ffmpeg_command() + self._encoder_arguments(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                start_new_session=True,  # Ctrl-C is ours to handle: an ffmpeg that stops first would look like a fault
            )
            self._open_pipe()
        except BaseException:
            self._remove_folder()
            raise
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame.

        Args:
            frame: RGB uint8, shape (height, width, 3); with alpha RGBA, (height, width, 4); planar: Y, below it U and
                V, (1.5 height, width).
        Raises:
            ShapeError: another shape or dtype.
            MediaError: used outside its with block, or ffmpeg gave up; its words are in the message.
        """
        if self._folder is None:
            raise MediaError("VideoWriter.write works inside its with block only")
        if frame.shape != self.frames.shape or frame.dtype != np.uint8:
            raise ShapeError(f"expected a uint8 frame of shape {self.frames.shape}, got {frame.dtype} {frame.shape}")
        if self._mark is not None and self._mark.draw is not None:
            frame = self._mark.draw(frame)
        packet = av.Packet(np.ascontiguousarray(frame).data)
        packet.stream, packet.time_base = self._stream, self.frames.time_base
        # a damaged video may show two frames at one time: a container needs them apart
        time = round(self.frames.time_s(self.frame_count) / self.frames.time_base)
        self._last_time = max(time, self._last_time + 1)
        packet.pts = packet.dts = self._last_time
        try:
            self._pipe.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise self._encoder_error() from error
        self.frame_count += 1
        if self.frame_count == _SOUND_AFTER and self._sound is not None and self._planned_frames is not None:
            self._encoded_sound = self._encode_sound(self._planned_frames)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._remove_folder()

    def _open_pipe(self) -> None:
        """Start the stream of raw pictures: NUT, since a bare pipe of pixels has no times."""
        self._pipe = av.open(self._encoder.stdin, "w", format="nut", options={"write_index": "0"})
        frames = self.frames
        self._stream = self._pipe.add_stream("rawvideo", rate=frames.rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = frames.width, frames.height, frames.pixels
        self._stream.time_base = self._stream.codec_context.time_base = frames.time_base

    def _encode_sound(self, count: int) -> SoundEncoder:
        """Begin to encode the sound of so many frames."""
        inputs, container = ["-copyts", *input_arguments(self._sound.file)], self._encoding.container
        if self._source is not None:
            inputs += copy_other_streams(self._source, 1, container, self._length_s(count), 1).inputs
        heard = [*self._sound_arguments(self._length_s(count), (0, 1)), "-c:a", container.audio_codec]
        return SoundEncoder([*inputs, *heard], container.muxer, self._folder, f"write the sound of {self.path}")

    def _encoder_arguments(self) -> list[str]:
        source = ["-protocol_whitelist", ALLOWED_PROTOCOLS, "-f", "nut", "-i", "pipe:0"]
        times = ["-fps_mode", "passthrough", "-enc_time_base", "demux"]
        picture = ["-f", self._encoding.picture_muxer(self.frames.alpha), to_url(self._folder / "picture")]
        return [*source, *times, *self._encoding.picture_arguments(self.frames), *picture]

    def _finish(self) -> None:
        """Close the picture, add the sound, and move the whole file to its name."""
        if self.frame_count == 0:
            raise MediaError(f"no frame was written to {self.path}; a video needs at least one")
        try:
            self._pipe.close()
            self._encoder.stdin.close()
        except (OSError, av.FFmpegError) as error:
            raise self._encoder_error() from error
        if self._encoder.wait():
            raise self._encoder_error()
        whole = self._folder / "whole"
        run_ffmpeg(self._mux_arguments(whole), f"write {self.path}")
        self._publish(whole)

    def _publish(self, whole: Path) -> None:
        """Seal the finished file and move it to its name, a sidecar first: no video appears without its mark."""
        beside = None if self._mark is None else self._mark.seal(whole)
        outputs = self._list_outputs()
        for path in outputs:
            check_output(path, self.overwrite)
        if len(outputs) == 1:
            os.replace(whole, self.path)
            return
        (self._folder / "sidecar").write_bytes(beside)
        place_with_sidecar(whole, self._folder / "sidecar", self.path)

    def _list_outputs(self) -> list[Path]:
        """List the video and, where there is one, the sidecar of its mark."""
        sidecar = None if self._mark is None else self._mark.sidecar
        return [self.path] if sidecar is None else [self.path, sidecar]

    def _mux_arguments(self, whole: Path) -> list[str]:
        container = self._encoding.container
        length_s = self._length_s(self.frame_count)
        inputs = ["-copyts", *input_arguments(self._folder / "picture")]
        outputs = ["-map", "0:v:0", "-c:v", "copy"]
        tracks = int(self._sound is not None)
        is_encoded = self._encoded_sound is not None and self.frame_count == self._planned_frames
        if is_encoded:
            inputs += input_arguments(self._encoded_sound.finish())
            outputs += ["-map", "1:a:0"]
        elif self._sound is not None:
            inputs += input_arguments(self._sound.file)
            outputs += self._sound_arguments(length_s, (1, 2))
        if self._source is not None:
            carried = copy_other_streams(self._source, 1 + tracks, container, length_s, tracks)
            inputs += carried.inputs
            outputs += carried.outputs
            self.warnings = carried.warnings
        if self._mark is not None:
            own = "" if self._source is None else read_comment(self._source)
            outputs += ["-metadata", f"comment={self._mark.add_to(own)}"]
        outputs += ["-c:a", container.audio_codec, *(["-c:a:0", "copy"] if is_encoded else [])]
        outputs += self._encoding.container_arguments
        return [*inputs, *outputs, "-f", container.muxer, to_url(whole)]

    def _length_s(self, count: int) -> float:
        """How long so many frames last."""
        return float(self.frames.time_s(count - 1) + 1 / self.frames.rate)

    def _sound_arguments(self, length_s: float, inputs: tuple[int, int]) -> list[str]:
        """List the filter and the rate of the sound; `inputs` are the numbers of the new sound and of the source."""
        graph = sound_graph(self._sound, self._source, length_s, inputs)
        # ffmpeg's other way to spend these bits takes twice the time and, by its author's ears, sounds no better.
        how = ["-aac_coder:a:0", "fast"] if self._encoding.container.audio_codec == "aac" else []
        return ["-filter_complex", graph, "-map", "[heard]", "-b:a:0", AUDIO_BITRATE, *how]

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
            with suppress(OSError, av.FFmpegError):  # frames still buffered for the stopped encoder: nobody wants them
                self._pipe.close()
            with suppress(OSError):
                encoder.stdin.close()
        if self._encoded_sound is not None:
            self._encoded_sound.stop()
            self._encoded_sound = None
        self._stderr.close()
        self._temporary.close()
        self._folder = None
