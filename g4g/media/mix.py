"""Several sounds heard together, as one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from g4g.media.decode import check_input
from g4g.media.ffmpeg import input_arguments, run_ffmpeg, to_url
from g4g.media.read import align_filter
from g4g.media.sound import NO_CLIPPING


@contextmanager
def mixed_sound(paths: list[str | os.PathLike]) -> Iterator[Path]:
    """Mix sounds into a file that exists within the `with` block, in a private folder.

    Args:
        paths: sound files, or videos with sound.
    Yields:
        the one file itself, or a FLAC of all, as long as the longest, each as loud as before.
    Raises:
        MediaError: a file without sound, or one that cannot be read.
    """
    files = [check_input(path) for path in paths]
    if len(files) == 1:
        yield files[0]
        return
    inputs = [word for file in files for word in input_arguments(file)]
    aligned = "".join(f"[{i}:a:0]{align_filter(file)}[s{i}];" for i, file in enumerate(files))
    labels = "".join(f"[s{i}]" for i in range(len(files)))
    graph = f"{aligned}{labels}amix=inputs={len(files)}:duration=longest:normalize=0,{NO_CLIPPING}[heard]"
    with tempfile.TemporaryDirectory(prefix="g4g-") as folder:
        mixed = Path(folder) / "mixed.flac"
        wanted = ["-filter_complex", graph, "-map", "[heard]", "-c:a", "flac", to_url(mixed)]
        run_ffmpeg(["-copyts", *inputs, *wanted], "mix the sounds of the speakers")
        yield mixed
