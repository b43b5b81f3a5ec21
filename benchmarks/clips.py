"""The held-out clips of the split, with all that the benchmarks compare against."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from g4g.audio import encode_speech
from g4g.errors import DataError
from g4g.faces import crop_face, refine_crop
from g4g.media import pick_frames
from g4g.training.data import Shot, group_of, load_affines, load_shot, read_entries, read_split
from g4g.training.prepare import clip_of, prepare
from g4g.training.speech_features import add_speech
from g4g.zoo import Models

DATA = os.environ.get("G4G_DATA", "../shared/data")
"""Where the videos lie, each in the folder of its speaker or of its collection."""
GROUPS: dict[str, tuple[str, str | None]] = {
    "glasses": ("measured_only", "glasses"),
    "moving": ("measured_only", "moving"),
    "s4": ("unseen_clips", "s4"),
    "actor": ("unseen_clips", "cremad"),
    "s26": ("validation_others", "s26"),
    "s31": ("validation_others", "s31"),
    "unseen": ("unseen_speakers", None),
    "s1": ("validation", "s1"),
}
"""Group -> list of the split, and the speaker in it (None: all). No training knows "glasses", "moving" and "unseen";
of the others it knows other clips."""
WILD = ("glasses", "moving", "actor")
"""Outside the studio."""


@dataclass(frozen=True)
class Clip:
    """A prepared shot of the folder `home`, and the video that it was cut from.

    `start_s` says when in the video the shot's sound begins.
    """

    group: str
    home: Path
    source: Path
    fps: float
    start_s: float
    shot: Shot
    frame_to_crop: np.ndarray

    @property
    def name(self) -> str:
        return self.shot.name

    @property
    def numbers(self) -> np.ndarray:
        """Which frames of the video the shot's T frames are, (T,)."""
        return np.rint((self.shot.times_s + self.start_s) * self.fps).astype(int)

    def read_frames(self, video: Path, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """Read the frames of a video, the source or its dub, that show some of the shot's frames; rows ascend."""
        numbers = self.numbers[list(rows)]
        shown = dict(pick_frames(video, numbers))
        for number in numbers.tolist():
            yield shown[number]

    def cut_crops(self, video: Path, rows: Sequence[int], scale: int) -> np.ndarray:
        """Cut crops of so many times 128 px out of a video, (len(rows), s, s, 3) uint8, as a dub cuts them."""
        matrices = refine_crop(self.frame_to_crop[list(rows)], scale)
        frames = self.read_frames(video, rows)
        return np.stack([crop_face(f, m, 128 * scale, "bicubic") for f, m in zip(frames, matrices, strict=True)])


def load_clips(folders: Sequence[str | Path], limit: int | None = None, groups: Sequence[str] = ()) -> list[Clip]:
    """Load the held-out clips of some groups (none named: all), at most `limit` of each, in the order of GROUPS.

    Args:
        folders: that `g4g prepare` wrote.
        limit: clips of each group.
        groups: keys of GROUPS.
    """
    found: dict[str, list[tuple[Path, dict]]] = {group: [] for group in GROUPS if group in (groups or GROUPS)}
    for folder in map(Path, folders):
        for entry in read_entries(folder):
            if (group := find_group(entry["clip"], entry["speaker"])) in found:
                found[group].append((folder, entry))
    clips = [_load_clip(*one, group) for group, members in found.items() for one in members[:limit]]
    if not clips:
        raise DataError(f"{', '.join(map(str, folders))}: no held-out clip of the split; prepare the split's videos")
    return clips


def find_group(clip: str, speaker: str) -> str | None:
    """Tell in which group a clip of the split is; None: in none."""
    for group, (part, who) in GROUPS.items():
        if group_of(clip) == part and who in (None, speaker):
            return group
    return None


def prepare_held_out(folder: Path, groups: Sequence[str] = (), limit: int | None = None, data: str = DATA) -> Path:
    """Prepare the held-out clips of some groups, at most `limit` of each; what is prepared already stays.

    Args:
        folder: to prepare into.
        groups, limit: as for `load_clips`.
        data: folder with the videos, each of them in a folder of its speaker.
    """
    split, places = read_split(), {clip_of(file): file for file in sorted(Path(data).rglob("*.mp*"))}
    files = []
    for group in groups or GROUPS:
        part, who = GROUPS[group]
        named = [places[name] for name in split[part] if name in places]
        files += [file for file in named if who in (None, *_speakers(file))][:limit]
    prepare(files, folder)
    return folder


def hear_clips(clips: Sequence[Clip], models: Models, kept: str | None = None) -> list[Clip]:
    """Give clips their speech features, by the weights' own encoder or as they are `kept` under this name."""
    if kept is not None:
        shots = [add_speech([clip.shot], clip.home, kept)[0] for clip in clips]
    else:
        sounds = [clip.shot.waveform.astype(np.float32) / 32767 for clip in clips]
        heard = [encode_speech(models.speech, sound) for sound in sounds]
        shots = [replace(clip.shot, speech=speech) for clip, speech in zip(clips, heard, strict=True)]
    return [replace(clip, shot=shot) for clip, shot in zip(clips, shots, strict=True)]


def choose_foreign(clips: list[Clip]) -> list[tuple[Clip, Clip]]:
    """Pair each clip with the sound of other clips of its group; small groups get up to 3 sounds per clip."""
    pairs = []
    for group in dict.fromkeys(clip.group for clip in clips):
        members = [clip for clip in clips if clip.group == group]
        sounds = min(max(1, -(-12 // len(members))), 3, len(members) - 1)
        pairs += [(m, members[(i + k) % len(members)]) for k in range(1, sounds + 1) for i, m in enumerate(members)]
    return pairs


def _speakers(file: Path) -> tuple[str, str]:
    """A speaker is named by the folder, or in a folder of many by the file."""
    return file.parent.name, file.stem.split("_")[0]


def _load_clip(folder: Path, entry: dict, group: str) -> Clip:
    source = Path(entry["source"])
    if not source.is_file():
        raise DataError(f"the video {source} of {entry['name']} is gone; put it back or prepare the data again")
    frame_to_crop = load_affines(folder, entry).astype(np.float64)
    return Clip(group, folder, source, entry["fps"], entry["start_s"], load_shot(folder, entry), frame_to_crop)
