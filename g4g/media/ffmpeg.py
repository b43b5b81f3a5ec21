"""Calls of the ffmpeg program: argument lists, local files only, its own words in every error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import BinaryIO

import imageio_ffmpeg

from g4g.errors import MediaError

ALLOWED_PROTOCOLS = "file,pipe"
"""What ffmpeg and PyAV may open: a playlist that names a web address must not reach the network."""

STDERR_LINES = 12
"""How many of ffmpeg's last lines an error message repeats."""


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
    return ["-protocol_whitelist", ALLOWED_PROTOCOLS, "-i", to_url(path)]


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


def run_ffmpeg(arguments: list[str], task: str, stdout: BinaryIO | int = subprocess.DEVNULL) -> None:
    """Run ffmpeg to its end.

    Args:
        arguments: what follows the global options.
        task: the work in words, for the error message: "cannot {task}".
        stdout: where its standard output goes.
    Raises:
        MediaError: ffmpeg failed; the message holds its last lines.
    """
    done = subprocess.run(
        ffmpeg_command() + arguments, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise ffmpeg_error(task, done.returncode, done.stderr)


def ffmpeg_error(task: str, code: int, stderr: bytes) -> MediaError:
    """Make the error of a failed ffmpeg call.

    Args:
        task: the work in words.
        code: ffmpeg's exit status.
        stderr: all that ffmpeg wrote there.
    Returns:
        the error, to be raised.
    """
    lines = stderr.decode("utf-8", "replace").strip().splitlines()[-STDERR_LINES:]
    return MediaError(f"cannot {task}: ffmpeg ended with status {code}: " + ("\n".join(lines) or "it gave no reason"))
