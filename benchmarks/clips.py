"""The held-out clips of the split, with all that the benchmarks compare against."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from g4g.audio import log_mel
from g4g.errors import DataError
from g4g.training.data import Shot, read_entries, read_split
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


def load_clips(folder: str | Path, limit: int | None) -> list[Clip]:
    """Load the held-out clips, at most `limit` of each group, the groups in the order of GROUPS."""
    folder = Path(folder)
    entries = read_entries(folder)
    prepared = {entry["clip"] for entry in entries}
    split, clips, missing = read_split(), [], []
    for key, group in GROUPS.items():
        missing += [name for name in split[key] if name not in prepared]
        members = [entry for entry in entries if entry["clip"] in split[key]]
        clips += [_load_clip(folder, entry, group) for entry in members[:limit]]
    if missing:
        print(f"{len(missing)} held-out clips are not in {folder}: {', '.join(missing[:5])} ...")
    if not clips:
        raise DataError(f"{folder} holds no held-out clip of the split; prepare the split's videos into it")
    return clips


def prepare_held_out(videos: str | Path, folder: Path) -> Path:
    """Prepare the held-out clips out of the folders of videos under `videos`; what is prepared already stays."""
    wanted = {name for key in GROUPS for name in read_split()[key]}
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


def _load_clip(folder: Path, entry: dict, group: str) -> Clip:
    source = Path(entry["source"])
    if not source.is_file():
        raise DataError(f"the video {source} of {entry['name']} is gone; put it back or prepare the data again")
    if abs(entry["fps"] - 25) > 0.01:
        raise DataError(f"{source} has {entry['fps']} fps; sync is scored at 25: prepare a 25 fps copy")
    tensors = load_file(folder / entry["file"])
    mel = log_mel(tensors["waveform"])
    names = entry["name"], entry["clip"], entry["speaker"]
    shot = Shot(*names, tensors["crops"], tensors["landmarks"], tensors["times_s"], mel)
    start = entry["name"].removeprefix(entry["clip"]).lstrip("_")
    return Clip(group, source, int(start or 0), shot, tensors["frame_to_crop"])
