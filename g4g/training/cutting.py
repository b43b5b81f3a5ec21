"""One video or still to shots of face crops with mesh and sound: by stretches, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from g4g.aligner import nearest_frames
from g4g.checkpoints.atomic import write_whole
from g4g.config import AudioConfig, CropConfig
from g4g.dubbing.people import choose_faces, list_appearances
from g4g.errors import FaceError
from g4g.faces import FaceTrack, FaceTracks, crop_face, crop_mesh, follow_faces, make_backend, refine_crop
from g4g.media import MediaInfo, probe, read_frames, read_waveform
from g4g.media.read import VideoFrame
from g4g.options import parse_face
from g4g.stamp import stamp_file

MIN_SHOT_FRAMES = 25
MAX_SHOT_FRAMES = 250
"""Of the 25 fps copy."""
SOUND_AROUND_S = 0.5
"""A shot's sound begins this much before its first frame and ends as much after its last."""
STRETCH_FRAMES = 1500
"""So many frames are followed and cut before the next ones are looked at, and kept should the run be interrupted."""
_FOLDERS_OF_MANY = ("others", "portraits", "wild")
_NO_FACE = "no face for a second on end"
_TWO_PEOPLE = (
    "two people at once for most of the time: say whom to take by --face left, right, largest, a number that g4g faces "
    "lists, or x,y"
)


@dataclass(frozen=True)
class Job:
    """A video to cut, named `clip` in `folder`; the rest as for `prepare`."""

    file: Path
    clip: str
    folder: Path
    face: str | int | tuple | None
    faces: str
    enough_frames: int | None
    crop_px: int

    @property
    def part(self) -> Path:
        """The file that says how far the job has come."""
        return self.folder / "shots" / f"{self.clip}.{self.crop_px}.part"


@dataclass
class Cut:
    """How far a video has been cut: `frames` of it, into `shots`; `left_out` tells seconds by reason."""

    stamp: str
    frames: int = 0
    shots: list[dict] = field(default_factory=list)
    left_out: dict[str, float] = field(default_factory=dict)

    def leave_out(self, reason: str, seconds: float) -> None:
        """Note that some of the video is of no use."""
        self.left_out[reason] = self.left_out.get(reason, 0.0) + seconds


def cut_shots(job: Job) -> Cut:
    """Cut a video into shots at 25 frames/s; what an interrupted call has cut is not cut again. A still is one shot.

    Raises:
        MediaError: the video or its sound cannot be read. FaceError: no shot in all of it, or not the asked face.
    """
    info, cut = probe(job.file), _take_up(job)
    waveform = np.zeros(0, np.float32) if info.is_still else read_waveform(job.file)
    # Two readings side by side: what the first has followed, the second cuts.
    seen, shown = (islice(read_frames(job.file), cut.frames, None) for _ in range(2))
    # A person's number and place hold for the whole video.
    stretch = STRETCH_FRAMES if isinstance(parse_face(job.face), str) else None
    while not _has_enough(job, cut):
        tracks = follow_faces(islice(seen, stretch), make_backend(job.faces))
        if not len(tracks):
            break
        _cut_stretch(job, cut, info, tracks, islice(shown, len(tracks)), waveform)
        cut.frames += len(tracks)
        write_whole(job.part, json.dumps(asdict(cut)).encode())
    if not cut.shots:
        raise FaceError(max(cut.left_out, key=cut.left_out.get, default=_NO_FACE))
    return cut


def speaker_of(file: Path) -> str:
    """Name the speaker: the folder; in a folder of many the file name's part before the first underscore."""
    folder = file.resolve().parent.name
    return file.stem.split("_")[0] if folder in _FOLDERS_OF_MANY else folder.removeprefix("raw_")


def _take_up(job: Job) -> Cut:
    """Take up what an interrupted run has cut of this very file."""
    fresh = Cut(stamp_file(job.file))
    known = Cut(**json.loads(job.part.read_text())) if job.part.is_file() else fresh
    return known if known.stamp == fresh.stamp else fresh


def _has_enough(job: Job, cut: Cut) -> bool:
    return job.enough_frames is not None and sum(shot["frames"] for shot in cut.shots) >= job.enough_frames


def _cut_stretch(
    job: Job, cut: Cut, info: MediaInfo, tracks: FaceTracks, shown: Iterator[VideoFrame], waveform: np.ndarray
) -> None:
    """Cut the shots of one stretch, whose frames `shown` gives once more; it is read to its end."""
    track = _choose_track(job, cut, tracks, info.fps)
    left, number, frames = len(tracks) if track else 0, -1, enumerate(shown)
    for rows in _list_pieces(track, 1 if info.is_still else MIN_SHOT_FRAMES) if track else ():
        if _has_enough(job, cut):
            break
        crops = []
        for row in rows.tolist():
            while number < row:
                number, item = next(frames)
            affine = refine_crop(track.frame_to_crop[row], job.crop_px / CropConfig().size)
            crops.append(crop_face(item.frame, affine, job.crop_px, "bicubic"))
        cut.shots.append(_save_shot(job, cut, info, track, waveform, rows, np.stack(crops)))
        left -= int(np.ptp(rows)) + 1
    if left and not _has_enough(job, cut):
        cut.leave_out(_NO_FACE, left / info.fps)
    deque(frames, maxlen=0)


def _choose_track(job: Job, cut: Cut, tracks: FaceTracks, fps: float) -> FaceTrack | None:
    """Follow one face per scene; None, with a note, where there is none, or two and nobody said which."""
    if not len(tracks.faces):
        cut.leave_out(_NO_FACE, len(tracks) / fps)
        return None
    appearances = list_appearances(tracks)
    largest = max(person.width_px for person in appearances)
    rows = np.concatenate([person.rows for person in appearances if person.width_px > largest / 2])
    seen = np.bincount(tracks.frames[rows])
    if job.face is None and (seen > 1).sum() > (seen > 0).sum() / 2:
        cut.leave_out(_TWO_PEOPLE, len(tracks) / fps)
        return None
    return tracks.select(choose_faces(tracks, appearances, "largest" if job.face is None else job.face))


def _list_pieces(track: FaceTrack, least: int) -> list[np.ndarray]:
    """List the frames of each shot, at 25 frames/s: of more some are passed over, of fewer some come twice."""
    runs = [start + nearest_frames(track.times_s[start:stop])[0] for start, stop in track.runs()]
    pieces = [rows[first : first + MAX_SHOT_FRAMES] for rows in runs for first in range(0, len(rows), MAX_SHOT_FRAMES)]
    return [rows for rows in pieces if len(rows) >= least]


def _save_shot(
    job: Job, cut: Cut, info: MediaInfo, track: FaceTrack, waveform: np.ndarray, rows: np.ndarray, crops: np.ndarray
) -> dict:
    rate, times_s, frame_to_crop = AudioConfig().sample_rate, track.times_s[rows], track.frame_to_crop[rows]
    first = max(int((times_s[0] - SOUND_AROUND_S) * rate), 0)
    last = int((times_s[-1] + 1 / info.fps + SOUND_AROUND_S) * rate)
    start = cut.frames + int(rows[0])
    name = f"{job.clip}_{start}" if start else job.clip
    target = job.folder / "shots" / f"{name}.safetensors"
    tensors = {
        "crops": crops,
        "mesh": crop_mesh(frame_to_crop, track.mesh[rows]),
        "times_s": times_s - first / rate,
        "waveform": np.round(np.array(waveform[first:last]).clip(-1, 1) * 32767).astype(np.int16),
        "frame_to_crop": frame_to_crop.astype(np.float32),
    }
    write_whole(target, save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))
    return {
        "name": name, "clip": job.clip, "file": f"shots/{target.name}", "kind": "still" if info.is_still else "video",
        "source": str(job.file.resolve()), "stamp": cut.stamp, "speaker": speaker_of(job.file),
        "frames": len(crops), "fps": info.fps, "start_s": first / rate,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }  # fmt: skip
