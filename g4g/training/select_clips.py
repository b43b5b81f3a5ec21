"""Which shots of a user's clips are fit to learn a speaker from; the others are listed with their reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from g4g.aligner import Aligner, Offset, measure_offset
from g4g.audio import log_mel
from g4g.config import MAX_OFFSET_FRAMES, SCORE_FPS, CropConfig
from g4g.faces import crop_scale, describe_likeness, unit_row
from g4g.training.data import Shot, load_affines, load_shot
from g4g.training.speech_features import Encode, add_speech

_SMALL_FACE_PX = 64
"""Side of the face crop in the video: half of what the networks see."""
_SILENT = -0.5
"""Highest mel level of a shot that nobody speaks in: 65 dB below GRID's loudest sounds."""
_STEADY = 0.15
"""Sound whose level moves by less (7.5 dB) is noise: that of speech moves by 20 dB and more."""
_WORTH_A_WORD_FRAMES = 0.5
"""An offset is told if it is larger; smaller ones are put right too."""
_LIKENESS = 0.75
"""How alike a shot must look to the mean of the main person's, as `describe_likeness` tells."""


@dataclass(frozen=True)
class Verdict:
    """What became of one shot, or of a clip that gave none: used or not, and what is to be known of it."""

    clip: str
    shot: str
    seconds: float
    used: bool
    note: str


@dataclass(frozen=True)
class _Measured:
    """What is measured of a shot: side of its face crop in the video, quiet and loud `levels`, offset, likeness row."""

    shot: Shot
    source: str
    face_px: float
    levels: tuple[float, float]
    offset: Offset | None
    face: np.ndarray

    @property
    def seconds(self) -> float:
        return len(self.shot) / SCORE_FPS


@dataclass(frozen=True)
class SyncCheck:
    """What measures the offsets of clips: an aligner (None: nobody does), and its encoder of speech by name."""

    aligner: Aligner | None
    encoder: str
    encode: Encode


def select_shots(
    folder: str | Path, entries: list[dict], sync: SyncCheck, *, one_person: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[list[Shot], list[Verdict]]:  # fmt: skip
    """Load the shots that show one speaker, speaking; an offset that is clear is corrected, and told with its peak.

    Args:
        folder: what `prepare` wrote, with its `entries`.
        sync: measures offsets.
        one_person: all faces are the speaker: do not set shots aside by likeness (other light, hair, glasses).
        progress: called with (stage, done, total).
    Returns:
        The usable shots with speech features, and a verdict on every one. A shot is left out if it has no speech or
        shows another person; everything else is only said.
    Source:
        Our choice.
    """
    if not entries:
        return [], []
    measured = []
    for number, entry in enumerate(entries, 1):
        measured.append(_measure(Path(folder), entry, sync))
        if progress:
            progress("select", number, len(entries))
    faces = np.stack([one.face for one in measured])
    likeness = faces @ _main_face(faces, [one.seconds for one in measured])
    shots, verdicts = [], []
    for one, alike in zip(measured, likeness, strict=True):
        fault = _find_fault(one, 1.0 if one_person else float(alike))
        verdicts.append(Verdict(one.source, one.shot.name, one.seconds, not fault, fault or _describe(one)))
        if not fault:
            shots.append(put_in_sync(one.shot, one.offset))
    return shots, verdicts


def hold_out_tail(shots: list[Shot], share: float, least: int, most: int) -> tuple[list[Shot], list[Shot]]:
    """Split shots in their order: (to train on, held out); a shot on the border is cut in two.

    Args:
        shots: in the order of the clips.
        share: of the frames to hold out, at least `least` and at most `most` frames.
    """
    gap = 2 * MAX_OFFSET_FRAMES // 3  # neither part hears or sees the other
    wanted = int(np.clip(share * sum(map(len, shots)), least, most))
    train, held = list(shots), []
    while wanted > 0 and train:
        shot = train.pop()
        if len(shot) - wanted > gap + least:
            train.append(_cut(shot, 0, len(shot) - wanted - gap))
            shot = _cut(shot, len(shot) - wanted, len(shot))
        held.insert(0, shot)
        wanted -= len(shot)
    return train, held


def _measure(folder: Path, entry: dict, sync: SyncCheck) -> _Measured:
    [shot], offset = add_speech([load_shot(folder, entry)], folder, sync.encoder, sync.encode), None
    if sync.aligner is not None and shot.kind == "video":
        offset = measure_offset(sync.aligner, shot.mesh, shot.times_s, shot.speech)
    levels = (-1.0, -1.0)
    if len(shot.waveform):
        levels = np.percentile(log_mel(shot.waveform / np.float32(32768)).max(0), (5, 95)).tolist()
    face_px = CropConfig().size / float(np.median(crop_scale(load_affines(folder, entry))))
    return _Measured(shot, entry["source"], face_px, tuple(levels), offset, describe_likeness(shot.crops[::10].mean(0)))


def _find_fault(one: _Measured, likeness: float) -> str:
    quiet, loud = one.levels
    if loud < _SILENT or loud - quiet < _STEADY:
        return "no speech"
    if likeness < _LIKENESS:
        return f"looks like another person ({likeness:.2f} alike, {_LIKENESS:g} is the limit; see --one-person)"
    return ""


def _describe(one: _Measured) -> str:
    notes, offset = [], one.offset
    if one.face_px < _SMALL_FACE_PX:
        notes.append(f"small face: {one.face_px:.0f} px from ear to ear, {_SMALL_FACE_PX} and more are learnt better")
    if offset is not None and not offset.is_clear:
        notes.append(f"the offset of its sound is not clear (peak {offset.peak:.1f}); used as it is")
    elif offset is not None and abs(offset.frames) > _WORTH_A_WORD_FRAMES:
        notes.append(f"sound shifted by {offset.frames:+.1f} frames (peak {offset.peak:.1f})")
    return "; ".join(notes)


def put_in_sync(shot: Shot, offset: Offset | None) -> Shot:
    """Shift a shot's times by its offset, where that is clear."""
    if offset is None or not offset.is_clear:
        return shot
    return replace(shot, times_s=shot.times_s - offset.frames / SCORE_FPS)


def _main_face(faces: np.ndarray, seconds: list[float]) -> np.ndarray:
    """Average the largest group of faces (N, D) that are alike, by seconds: a unit row."""
    alike = faces @ faces.T >= _LIKENESS
    group = alike[np.argmax(alike @ np.array(seconds))]
    return unit_row(faces[group].mean(0))


def _cut(shot: Shot, start: int, stop: int) -> Shot:
    rows = slice(start, stop)
    return replace(
        shot, name=f"{shot.name}[{start}:{stop}]", crops=shot.crops[rows], mesh=shot.mesh[rows],
        times_s=shot.times_s[rows],
    )  # fmt: skip
