"""The held-out clips of the split, with all that the benchmarks compare against."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.errors import DataError
from g4g.training.data import Shot, load_affines, load_shot, read_entries, read_split
from g4g.training.prepare import clip_of, prepare

VIDEOS = os.path.join(os.environ.get("G4G_DATA", "../shared/data"), "grid")
GROUPS = {"validation": "s1", "unseen_speakers": "unseen", "validation_others": "s26+s31"}
"""Keys of the split and what the table calls them; s26 and s31 have other clips in training, "unseen" none."""


@dataclass(frozen=True)
class Clip:
    """A prepared shot and the video that it was cut from."""

    group: str
    source: Path
    start: int
    shot: Shot
    frame_to_crop: np.ndarray

    @property
    def name(self) -> str:
        return self.shot.name


def load_clips(
    folder: str | Path, limit: int | None = None, groups: Sequence[str] = tuple(GROUPS.values())
) -> list[Clip]:
    """Load the held-out clips of some groups, at most `limit` of each, the groups in the order of GROUPS."""
    folder = Path(folder)
    entries = read_entries(folder)
    prepared = {entry["clip"] for entry in entries}
    clips, missing = [], []
    for group, names in _list_held_out(groups).items():
        missing += [name for name in names if name not in prepared]
        members = [entry for entry in entries if entry["clip"] in names]
        clips += [_load_clip(folder, entry, group) for entry in members[:limit]]
    if missing and limit is None:
        print(f"{len(missing)} held-out clips are not in {folder}: {', '.join(missing[:5])} ...")
    if not clips:
        raise DataError(f"{folder} holds no held-out clip of the split; prepare the split's videos into it")
    return clips


def load_videos(files: Sequence[Path], folder: Path, group: str) -> list[Clip]:
    """Prepare any videos into `folder` and load all their shots as clips of one group."""
    prepare(files, folder)
    sources = {str(file.resolve()) for file in files}
    return [_load_clip(folder, entry, group) for entry in read_entries(folder) if entry["source"] in sources]


def prepare_held_out(
    videos: str | Path, folder: Path, groups: Sequence[str] = tuple(GROUPS.values()), limit: int | None = None
) -> Path:  # fmt: skip
    """Prepare held-out clips, at most `limit` of each group, out of the folders of videos under `videos`.

    What is prepared already stays.
    """
    wanted = {name for names in _list_held_out(groups).values() for name in names[:limit]}
    files = [file for file in sorted(Path(videos).glob("*/*")) if clip_of(file) in wanted]
    prepare(files, folder, workers=os.cpu_count() or 1)
    return folder


def choose_foreign(clips: list[Clip]) -> list[tuple[Clip, Clip]]:
    """Pair each clip with the sound of other clips of its group; small groups get up to 3 sounds per clip."""
    pairs = []
    for group in dict.fromkeys(clip.group for clip in clips):
        members = [clip for clip in clips if clip.group == group]
        sounds = min(max(1, -(-12 // len(members))), 3, len(members) - 1)
        pairs += [(m, members[(i + k) % len(members)]) for k in range(1, sounds + 1) for i, m in enumerate(members)]
    return pairs


def _list_held_out(groups: Sequence[str]) -> dict[str, list[str]]:
    """List the names of the held-out clips of some groups."""
    split = read_split()
    return {group: split[key] for key, group in GROUPS.items() if group in groups}


def _load_clip(folder: Path, entry: dict, group: str) -> Clip:
    source = Path(entry["source"])
    if not source.is_file():
        raise DataError(f"the video {source} of {entry['name']} is gone; put it back or prepare the data again")
    if abs(entry["fps"] - 25) > 0.01:
        raise DataError(f"{source} has {entry['fps']} fps; sync is scored at 25: prepare a 25 fps copy")
    start = entry["name"].removeprefix(entry["clip"]).lstrip("_")
    return Clip(group, source, int(start or 0), load_shot(folder, entry), load_affines(folder, entry))
