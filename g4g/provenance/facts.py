"""What a dub states: which program and weights, from which source and sounds, when and whose lips."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from g4g import __version__
from g4g.checkpoints import hash_file

PROGRAM = "g4g"
"""Name of the program in every mark."""


@dataclass(frozen=True)
class DubFacts:
    """The statement of one dub; no file name and no name of a person or machine is in it.

    Attributes:
        weights: their name.
        weights_sha256: of their file; empty: the networks did not come from a file.
        source_sha256: of the video's bytes, as `hash_source` tells.
        sounds_sha256: of the sound files, each in the same way.
        faces: numbers of the faces that were dubbed, as `g4g faces` lists them.
        spans_s: from when to when lips were made, in seconds of the output.
        learnt_sha256: (face, sha256 of its networks' numbers) of each face with networks of its own.
    """

    weights: str
    weights_sha256: str
    source_sha256: str
    sounds_sha256: tuple[str, ...]
    faces: tuple[int, ...]
    spans_s: tuple[tuple[float, float], ...]
    learnt_sha256: tuple[tuple[int, str], ...] = ()

    def to_json(self) -> dict:
        """Return the content of the assertion `g4g.dub`; bare lists of small numbers would be read as bytes."""
        return {
            "software": {"name": PROGRAM, "version": __version__},
            "weights": {"name": self.weights, "sha256": self.weights_sha256},
            "source": {"sha256": self.source_sha256},
            "sounds": [{"sha256": digest} for digest in self.sounds_sha256],
            "faces": [{"number": face} for face in self.faces],
            "spans": [{"start_s": start, "end_s": end} for start, end in self.spans_s],
            "learnt": [{"face": face, "sha256": digest} for face, digest in self.learnt_sha256],
        }


def hash_source(path: str | Path) -> str:
    """Return the sha256 of a file; of a folder, that of its files' sha256 in the order of their names.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        return hash_file(path)
    digests = [hash_file(file) for file in sorted(path.iterdir()) if file.is_file()]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def list_spans(passed: Iterable[str | None], times_s: Sequence[float], end_s: float) -> tuple[tuple[float, float], ...]:
    """List from when to when frames were dubbed.

    Args:
        passed: why each frame passed through, None where it was dubbed.
        times_s: when each is shown, in seconds.
        end_s: when the last one ends.
    Returns:
        (from, to) in seconds, rounded to milliseconds.
    Example:
        >>> list_spans([None, None, "no face", None], [0.0, 0.04, 0.08, 0.12], 0.16)
        ((0.0, 0.08), (0.12, 0.16))
    """
    spans, first = [], 0
    for is_dubbed, frames in groupby(passed, lambda why: why is None):
        after = first + len(list(frames))
        stop_s = times_s[after] if after < len(times_s) else end_s
        if is_dubbed:
            spans.append((round(float(times_s[first]), 3), round(float(stop_s), 3)))
        first = after
    return tuple(spans)
