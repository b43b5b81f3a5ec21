"""Which sound drives whom, and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.dubbing.people import parse_face
from g4g.dubbing.plan import COVERED, NO_FACE, OTHER_FACE, TURNED_AWAY, Plan
from g4g.errors import ConfigError
from g4g.faces import FaceTrack, FaceTracks
from g4g.options import DubOptions


@dataclass(frozen=True)
class Voice:
    """One sound and whom it drives: at most one face per frame of the video, `faces` (T,) tells which, -1 for none.

    `track` holds the face that was chosen in each scene, also where it cannot be dubbed.
    """

    track: FaceTrack
    faces: np.ndarray
    waveform: np.ndarray
    plan: Plan


def list_sounds(audio: str | Path | None, options: DubOptions) -> dict[int | None, str | Path]:
    """Give the sound that drives each face by its number; None stands for whom `options.face` chooses.

    Raises:
        ConfigError: there is no sound, or face is no choice at all.
    """
    if options.speakers:
        return dict(options.speakers)
    if audio is None:
        raise ConfigError("no sound given: name an audio, or a sound for each of several speakers")
    parse_face(options.face)
    return {None: options.voice or audio}


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
