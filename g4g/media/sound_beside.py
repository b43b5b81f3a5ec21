"""The sound of an output, encoded while its frames are still written: that alone takes 0.04 s for each second."""

from __future__ import annotations

import subprocess
from pathlib import Path

from g4g.media.ffmpeg import ffmpeg_command, ffmpeg_error, to_url


class SoundEncoder:
    """An ffmpeg that encodes a sound track into a file of its own; to be stopped, or waited for by `finish`.

    Args:
        arguments: inputs, filters and codec, which end before the container.
        muxer: of the file, that of the output: elsewhere a delay at its start would be lost when it is copied.
        folder: of our own, for the file and ffmpeg's words.
        task: in words, for the error message.
    """

    def __init__(self, arguments: list[str], muxer: str, folder: Path, task: str) -> None:
        self._file, self._task = folder / "sound", task
        self._stderr = (folder / "sound_stderr").open("w+b")
        self._process = subprocess.Popen(
            [*ffmpeg_command(), *arguments, "-f", muxer, to_url(self._file)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._stderr,
            start_new_session=True,  # Ctrl-C is ours to handle
        )  # fmt: skip

    def finish(self) -> Path:
        """Wait for the sound, and return its file.

        Raises:
            MediaError: ffmpeg failed; the message holds its words.
        """
        if code := self._process.wait():
            self._stderr.seek(0)
            raise ffmpeg_error(self._task, code, self._stderr.read())
        return self._file

    def stop(self) -> None:
        """End the process, where it still runs."""
        self._process.kill()
        self._process.wait()
        self._stderr.close()
