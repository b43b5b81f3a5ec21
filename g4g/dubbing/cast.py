"""Who plays in a dub: the faces that are driven, each with its sound, its plan and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.dubbing.people import Face, parse_face
from g4g.dubbing.plan import COVERED, NO_FACE, OTHER_FACE, TURNED_AWAY, Plan
from g4g.errors import ConfigError
from g4g.faces import FaceTrack, FaceTracks
from g4g.media import MediaInfo


@dataclass(frozen=True)
class ShownFace:
    """What is shown of a person in one pose.

    Attributes:
        crops: the references (4, s, s, 3) uint8, s a multiple of the networks' size.
        landmarks: theirs, (4, 68, 2), px of a crop of the networks' size.
        shares: how much each of the video's frames takes of them, (T,).
        reach: how far this mouth moves, over what was learnt of others; 1 where that is not known.
    """

    crops: np.ndarray
    landmarks: np.ndarray
    shares: np.ndarray
    reach: float = 1.0


@dataclass(frozen=True)
class Role:
    """Whom one sound drives: at most one face per frame, `faces` (T,) tells which, -1 for none.

    `references` shows each of these faces in one or more poses.
    """

    track: FaceTrack
    faces: np.ndarray
    waveform: np.ndarray
    plan: Plan
    references: dict[int, list[ShownFace]]


@dataclass(frozen=True)
class Cast:
    """What a dub knows of its video before the first frame is made; `plan` sums up those of the `roles`."""

    info: MediaInfo
    roles: list[Role]
    plan: Plan
    tracks: FaceTracks
    faces: tuple[Face, ...]
    warnings: list[str]


def list_voices(audio, voice, face, speakers) -> dict[int | None, str | Path]:
    """Give the sound that drives each face by its number; None stands for whom `face` chooses.

    Args:
        audio, voice, face, speakers: as for `Dubber.dub`.
    Raises:
        ConfigError: they do not fit each other, or face is no choice at all.
    """
    if speakers:
        if voice is not None or face is not None:
            raise ConfigError("speakers name faces and their sounds; leave out face and voice")
        return dict(speakers)
    if audio is None:
        raise ConfigError("no sound given: name an audio, or a sound for each of several speakers")
    parse_face(face)
    return {None: voice or audio}


def tell_away(tracks: FaceTracks, chosen: np.ndarray, track: FaceTrack, turned: np.ndarray) -> np.ndarray:
    """Tell why each frame cannot be dubbed, (T,), None where it can.

    Args:
        tracks: all faces.
        chosen: which of them is dubbed in each scene, as `choose_faces` tells.
        track: those faces, as `tracks.select` puts them together.
        turned: rows of `tracks` in which a face is turned too far aside, (M,), bool.
    """
    own = tracks.faces == chosen[tracks.scenes[tracks.frames]]
    away = np.full(len(tracks), NO_FACE, object)
    away[tracks.frames] = OTHER_FACE
    away[track.found] = None
    away[tracks.frames[own & tracks.covered]] = COVERED
    away[tracks.frames[own & turned]] = TURNED_AWAY
    return away
