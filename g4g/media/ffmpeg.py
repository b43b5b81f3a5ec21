"""Calls of the ffmpeg program: argument lists, local files only, its own words in every error."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import BinaryIO

import imageio_ffmpeg

from g4g.errors import MediaError

ALLOWED_PROTOCOLS = "file,pipe"
"""What ffmpeg and PyAV may open: a playlist that names a web address must not reach the network."""

ALLOWED_FORMATS = ",".join(
    "3gp aac ac3 aiff alaw amr apng asf au av1 avi avif caf dts dv eac3 f4v flac flv gif h263 h264 hevc image2 ivf m4a "
    "m4v matroska mjpeg mlv mov mp3 mp4 mpeg mpegts mpegvideo mulaw mxf nut obu ogg rm truehd tta vc1 voc vvc w64 wav "
    "webm webp_anim wtv wv yuv4mpegpipe bmp_pipe dpx_pipe exr_pipe gif_pipe j2k_pipe jpeg_pipe jpegls_pipe jpegxl_pipe "
    "pam_pipe pbm_pipe pcx_pipe pgm_pipe png_pipe ppm_pipe psd_pipe qoi_pipe sgi_pipe sunrast_pipe tiff_pipe webp_pipe "
    "xbm_pipe xpm_pipe sup srt webvtt".split()
)
"""Demuxers of files that hold their media themselves: a playlist or a script that names other files is refused, and
so is plain text, which ffmpeg would otherwise show as pictures of letters."""

FIRST_LINES = 2
"""So many of ffmpeg's different lines, and the last one, stand in an error: the first name the cause."""

_WHO = re.compile(r"^(\[[^\]]*\]\s*)+")
"""What ffmpeg writes before its words: the name and the address of whoever speaks."""


def to_url(path: Path) -> str:
    """Name a file so that ffmpeg never takes it for an option, a protocol or a device.

    Args:
        path: a local file.
    Returns:
        "file:" and the absolute path.
    """
    return "file:" + os.path.abspath(path)


def input_arguments(path: Path) -> list[str]:
    """List the arguments that make ffmpeg read one local file.

    Args:
        path: a local file.
    Returns:
        the arguments up to and with -i.
    """
    limits = ["-protocol_whitelist", ALLOWED_PROTOCOLS, "-format_whitelist", ALLOWED_FORMATS]
    return [*limits, "-i", to_url(path)]


def ffmpeg_command() -> list[str]:
    """List the start of every ffmpeg call: the program, quiet but for errors, never asking.

    Returns:
        the program's path and the global options.
    Raises:
        MediaError: imageio-ffmpeg has no ffmpeg for this machine.
    """
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise MediaError(
            f"ffmpeg was not found ({error}); reinstall imageio-ffmpeg or set IMAGEIO_FFMPEG_EXE"
        ) from error
    return [program, "-nostdin", "-hide_banner", "-v", "error"]


def run_ffmpeg(arguments: list[str], task: str, stdout: BinaryIO | int = subprocess.DEVNULL) -> bool:
    """Run ffmpeg to its end.

    Args:
        arguments: what follows the global options.
        task: the work in words, for the error message: "cannot {task}".
        stdout: where its standard output goes.
    Returns:
        True where ffmpeg had nothing to complain of.
    Raises:
        MediaError: ffmpeg failed; the message holds its words.
    """
    done = subprocess.run(
        ffmpeg_command() + arguments, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, check=False,
        start_new_session=True,  # Ctrl-C is ours to handle: an ffmpeg that stops first would look like a fault
    )  # fmt: skip
    if done.returncode:
        raise ffmpeg_error(task, done.returncode, done.stderr)
    return not done.stderr.strip()


def ffmpeg_error(task: str, code: int, stderr: bytes) -> MediaError:
    """Make the error of a failed ffmpeg call.

    Args:
        task: the work in words.
        code: ffmpeg's exit status.
        stderr: all that ffmpeg wrote there.
    Returns:
        the error, to be raised.
    """
    lines = [_WHO.sub("", line.strip()) for line in stderr.decode("utf-8", "replace").strip().splitlines()]
    words = list(dict.fromkeys(line for line in lines if line and "message repeated" not in line))
    words = words if len(words) <= FIRST_LINES else [*words[:FIRST_LINES], words[-1]]
    return MediaError(f"cannot {task}: ffmpeg ended with status {code}: " + ("; ".join(words) or "it gave no reason"))
