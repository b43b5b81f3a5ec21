"""Which sound drives whom, and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from g4g.config import AudioConfig
from g4g.dubbing.plan import COVERED, NO_FACE, OTHER_FACE, TURNED_AWAY, Plan
from g4g.faces import FaceTrack, FaceTracks
from g4g.media import read_waveform
from g4g.media.decode import raise_fault

_SILENCE = 0.003
"""-50 dB of full scale: speech that is recorded far too softly still peaks above it."""
_BLOCK = 1 << 20
"""Samples that are looked at together: long sounds stay on disk."""


@dataclass(frozen=True)
class Voice:
    """One sound and whom it drives: at most one face per frame of the video, `faces` (T,) tells which, -1 for none.

    `track` holds the face that was chosen in each scene, also where it cannot be dubbed.
    """

    track: FaceTrack
    faces: np.ndarray
    waveform: np.ndarray
    plan: Plan


@dataclass(frozen=True)
class Heard:
    """The sounds of a dub, read: `waveforms` by the number of the face that each drives (None: the chosen one).

    `voice_s` is the length of the longest of them, `sound_s` that of what is heard; `warnings` are sentences.
    """

    waveforms: dict[int | None, np.ndarray]
    voice_s: float
    sound_s: float
    warnings: tuple[str, ...] = ()


def hear_sounds(audio: str | Path | None, sounds: dict[int | None, str | Path], tolerant: bool) -> Heard:
    """Read all sounds, before anybody looks at the video: a fault in them is told at once.

    Args:
        audio: what is heard; None: all sounds together.
        sounds: as `list_sounds` gives them.
        tolerant: use what can be read of a damaged sound.
    Raises:
        MediaError: a sound cannot be read, or is damaged and not `tolerant`.
    """
    faults: list[str] = []
    on_fault = faults.append if tolerant else raise_fault
    waveforms = {number: read_waveform(sound, on_fault=on_fault) for number, sound in sounds.items()}
    voice_s = max(map(_duration_s, waveforms.values()))
    is_heard = audio is None or list(map(Path, sounds.values())) == [Path(audio)]
    sound_s = voice_s if is_heard else _duration_s(read_waveform(audio, on_fault=on_fault))
    silent = [sounds[number] for number, waveform in waveforms.items() if is_silent(waveform)]
    quiet = [f"{sound} is silent: the mouth rests" for sound in silent]
    return Heard(waveforms, voice_s, sound_s, (*dict.fromkeys(faults), *quiet))


def is_silent(waveform: np.ndarray) -> bool:
    """Tell whether a sound, (N,) in [-1, 1], never rises above the noise of a quiet room."""
    return all(np.abs(waveform[first : first + _BLOCK]).max() < _SILENCE for first in range(0, len(waveform), _BLOCK))


def _duration_s(waveform: np.ndarray) -> float:
    return len(waveform) / AudioConfig().sample_rate


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
