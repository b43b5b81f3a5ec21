"""Which shots of a user's clips are fit to learn a speaker from; the others are listed with their reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import safe_open

from g4g.aligner import Aligner, compare_shifts, tell_offset
from g4g.config import MAX_OFFSET_FRAMES, SCORE_FPS
from g4g.faces import crop_scale, describe_likeness, unit_row
from g4g.training.aligner import embed_shot
from g4g.training.data import Shot, load_shot

_EVERY = 3
"""Of a shot's lips, every third window is compared with the sound."""
_MIN_FACE_PX = 64
"""Side of the face crop in the video: half of what the networks see."""
_SILENT = -0.5
"""Highest mel level of a shot that nobody speaks in: 65 dB below GRID's loudest sounds."""
_STEADY = 0.15
"""Sound whose level moves by less (7.5 dB) is noise: that of speech moves by 20 dB and more."""
_FEWEST_TOGETHER, _CLEAR_TOGETHER, _NEAR = 3, 0.04, 2
"""So many clips tell an offset together; their mean is less noisy, so that a lower peak is clear; frames off it."""
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
class _Look:
    """What is measured of a shot: quiet and loud `levels`, looks `face`, fit at each shift `means` (31,)."""

    shot: Shot
    source: str
    face_px: float
    levels: tuple[float, float]
    means: np.ndarray | None
    face: np.ndarray

    @property
    def seconds(self) -> float:
        return len(self.shot) / SCORE_FPS


def vet_shots(
    folder: str | Path, entries: list[dict], aligner: Aligner | None, *, one_person: bool = False,
    finer: int = 1, progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Shot], list[Verdict]]:  # fmt: skip
    """Load the shots that show one speaker, speaking, in sync; a clip's offset of up to 15 frames is corrected.

    Args:
        folder: what `prepare` wrote, with its `entries`.
        aligner: judges the sync; None where none was trained: then nobody does.
        one_person: all faces are the speaker: do not set shots aside by looks (other light, hair, glasses).
        finer: as for `load_shot`.
        progress: called with (done, total).
    Returns:
        The usable shots, and a verdict on every one.
    Source:
        Our choice.
    """
    if not entries:
        return [], []
    looks = []
    for number, entry in enumerate(entries, 1):
        looks.append(_look_at(Path(folder), entry, aligner, finer))
        if progress:
            progress(number, len(entries))
    offsets = _tell_offsets(_mean_by_clip(looks)) if aligner else {}
    faces = np.stack([look.face for look in looks])
    likeness = faces @ _main_face(faces, [look.seconds for look in looks])
    shots, verdicts = [], []
    for look, alike in zip(looks, likeness, strict=True):
        offset = offsets.get(look.shot.clip, 0.0)
        fault = _find_fault(look, 1.0 if one_person else float(alike), offset)
        note = fault or (f"sound shifted by {offset:+.1f} frames" if abs(offset) > 0.5 else "")
        verdicts.append(Verdict(look.source, look.shot.name, look.seconds, not fault, note))
        if not fault:
            shots.append(replace(look.shot, times_s=look.shot.times_s - offset / SCORE_FPS))
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


def _look_at(folder: Path, entry: dict, aligner: Aligner | None, finer: int) -> _Look:
    shot = load_shot(folder, entry, finer)
    with safe_open(folder / entry["file"], "numpy") as file:
        frame_to_crop = file.get_tensor("frame_to_crop")
    means = compare_shifts(*embed_shot(aligner, shot, _EVERY), _EVERY) if aligner else None
    levels = tuple(np.percentile(shot.mel.max(0), (5, 95)).tolist())
    face_px = shot.crops.shape[1] / float(np.median(crop_scale(frame_to_crop)))
    return _Look(shot, entry["source"], face_px, levels, means, describe_likeness(shot.crops[::10].mean(0)))


def _find_fault(look: _Look, likeness: float, offset: float | None) -> str:
    if look.face_px < _MIN_FACE_PX:
        return f"face too small: {look.face_px:.0f} px from ear to ear, {_MIN_FACE_PX} are needed"
    quiet, loud = look.levels
    if loud < _SILENT or loud - quiet < _STEADY:
        return "no speech"
    if likeness < _LIKENESS:
        return f"looks like another person ({likeness:.2f} alike, {_LIKENESS:g} is the limit; see --one-person)"
    if offset is None:
        return f"lips and sound do not fit at any shift of up to {MAX_OFFSET_FRAMES} frames"
    return ""


def _main_face(faces: np.ndarray, seconds: list[float]) -> np.ndarray:
    """Average the largest group of faces (N, D) that are alike, by seconds: a unit row."""
    alike = faces @ faces.T >= _LIKENESS
    group = alike[np.argmax(alike @ np.array(seconds))]
    return unit_row(faces[group].mean(0))


def _tell_offsets(means: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Tell each clip's offset; where it is not clear, all clips are looked at together, as one camera made them.

    Of somebody whom the aligner never saw, three seconds may not tell it, while half a minute does. A clip whose own
    best shift lies elsewhere stays out.
    """
    offsets = {clip: tell_offset(row) for clip, row in means.items()}
    together = tell_offset(np.mean(list(means.values()), axis=0), _CLEAR_TOGETHER)
    if len(means) < _FEWEST_TOGETHER or together is None:
        return offsets
    fits = {clip: abs(row.argmax() - MAX_OFFSET_FRAMES - together) <= _NEAR for clip, row in means.items()}
    return {clip: together if offset is None and fits[clip] else offset for clip, offset in offsets.items()}


def _mean_by_clip(looks: list[_Look]) -> dict[str, np.ndarray]:
    """Average `means` over each clip's shots, by their length: a clip has one offset."""
    clips = {}
    for look in looks:
        clips.setdefault(look.shot.clip, []).append(look)
    return {
        clip: np.average([look.means for look in shots], axis=0, weights=[look.seconds for look in shots])
        for clip, shots in clips.items()
    }


def _cut(shot: Shot, start: int, stop: int) -> Shot:
    rows = slice(start, stop)
    return replace(
        shot, name=f"{shot.name}[{start}:{stop}]", crops=shot.crops[rows], landmarks=shot.landmarks[rows],
        times_s=shot.times_s[rows], fine=None if shot.fine is None else shot.fine[rows],
    )  # fmt: skip
