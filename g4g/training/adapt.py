"""Learn one person from the very video that is to be dubbed: the avatar's tracks become shots, and these are learnt."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from g4g.aligner import measure_offset, nearest_frames
from g4g.avatar import Avatar, Learnt
from g4g.avatar.prepare import find_usable, pass_over
from g4g.config import SCORE_FPS, CropConfig
from g4g.errors import DataError
from g4g.faces import crop_face, crop_mesh, find_runs, refine_crop
from g4g.media import pick_frames, read_waveform
from g4g.options import CROP_PX, Lesson
from g4g.training.base_teacher import make_foreign
from g4g.training.best_checkpoint import BestCheckpoint
from g4g.training.cutting import MAX_SHOT_FRAMES, MIN_SHOT_FRAMES
from g4g.training.data import Shot, read_crop_px
from g4g.training.finetune import load_replay
from g4g.training.loop import Plan
from g4g.training.select_clips import put_in_sync
from g4g.training.speaker import SpeakerFigures
from g4g.training.speaker_run import Lessons, SpeakerRun
from g4g.zoo import Models, load

_LEAST_S = 1.4
_MOST_SHOTS = 20
"""Of MAX_SHOT_FRAMES each: three minutes, 550 MB of crops on disk, teach as much as an hour."""


def learn_person(
    models: Models, avatar: Avatar, face: int, lesson: Lesson, progress: Callable[[str, int, int], None] | None
) -> Learnt:
    """Learn a person's teeth, lips, skin and movements from the avatar's own video.

    Args:
        models: the base.
        avatar: with this person.
        face: the person's number.
        lesson: how long, and from what else; what was stopped in its folder goes on.
        progress: called with ("learn", seconds done, seconds in all).
    Returns:
        The networks that beat the base on the held-out end; none where nothing can be learnt, or nothing was better.
        Ctrl-C ends the training, not the dub.
    Raises:
        DataError: `lesson.data` is no prepared data. MediaError: the video cannot be read. CheckpointError: the disk
        refuses.
    Source:
        Our choice.
    """
    if not len(avatar.speech):
        return Learnt(minutes=lesson.minutes, summary="was not learnt: the video has no sound of its own to learn from")
    crop_px = read_crop_px(lesson.data) if lesson.data else CROP_PX
    with tempfile.TemporaryDirectory(prefix="g4g-") as folder:
        shots = cut_person(avatar, face, Path(folder), crop_px)
        seconds = sum(map(len, shots)) / SCORE_FPS
        if seconds < _LEAST_S:
            return Learnt(
                minutes=lesson.minutes,
                summary=f"was not learnt: it is seen for {seconds:.1f} s on end, {_LEAST_S:g} s are needed",
            )
        shots = [_put_in_sync(models, shot) for shot in shots]
        try:
            replay = load_replay(lesson.data, models) if lesson.data else []
            foreign = [] if replay else make_foreign(models, read_waveform(avatar.info.path))
            lessons = Lessons.split(shots, replay, foreign)
        except DataError as error:
            return Learnt(minutes=lesson.minutes, summary=f"was not learnt: {error}")
        return _train(models, lessons, lesson, lesson.folder or Path(folder), progress)


def _train(models: Models, lessons: Lessons, lesson: Lesson, folder: Path, progress) -> Learnt:
    total, lines = round(lesson.minutes * 60), []
    plan = Plan(
        lesson.minutes, device=str(models.motion.components.device),
        report=lambda done: progress("learn", round(done * total), total) if progress else None,
    )  # fmt: skip
    run = SpeakerRun(models, lessons, lines.append)
    file, run_file = folder / "best.safetensors", folder / "run"
    best = BestCheckpoint(file, folder / "curve.json", run.adapted, {"clips": []}, run.before, lines.append)
    is_begun = run_file.with_suffix(".state").is_file()
    if is_begun:
        best.remember()
    finished = run.train(run_file, plan, best, is_begun)
    learnt = replace(run.adapted, generator=load(file).generator if best.improved else models.generator)
    minutes = lesson.minutes if finished else best.curve[-1][0]  # whoever asks for all of them learns anew
    return Learnt.of(models, learnt, minutes, _sum_up(best.before, best.best))


def _sum_up(before: SpeakerFigures, after: SpeakerFigures) -> str:
    """Say what was gained; motion and picture are each as good as the base's at least."""
    if after == before:
        return "was not learnt: nothing was better than the base on its held-out end; more minutes may help"
    summary = f"was learnt: mouth {before.mouth_psnr_db:.1f} -> {after.mouth_psnr_db:.1f} dB"
    if before.perceptual:
        summary += f", perceptual distance {before.perceptual:.3f} -> {after.perceptual:.3f}"
    return summary + f", openings correlate {before.opening_r:.2f} -> {after.opening_r:.2f}, on its held-out end"


def cut_person(avatar: Avatar, face: int, folder: Path, crop_px: int) -> list[Shot]:
    """Cut one person out of the video at 25 frames/s, as shots whose crops lie in `folder`.

    Args:
        avatar: with this person.
        face: the person's number.
        folder: for the crops; they are mapped, not read.
        crop_px: their side.
    Returns:
        Shots of one to ten seconds, evenly spread where the video has more than three minutes; frames in which the
        mouth is covered or turned aside are left out.
    """
    tracks, head = avatar.tracks, avatar.persons[face].head
    usable = np.zeros(len(head.frames), bool)
    usable[head.find_rows(tracks.frames[find_usable(tracks)[face]])] = True
    apart = (np.diff(head.frames, prepend=-2) != 1) | tracks.cuts[head.frames]
    times_s = tracks.times_s[head.frames]
    runs = [start + nearest_frames(times_s[start:stop])[0] for start, stop in find_runs(usable, apart)]
    pieces = [rows[i : i + MAX_SHOT_FRAMES] for rows in runs for i in range(0, len(rows), MAX_SHOT_FRAMES)]
    pieces = [rows for rows in pieces if len(rows) >= MIN_SHOT_FRAMES]
    if len(pieces) > _MOST_SHOTS:
        pieces = [pieces[i] for i in np.linspace(0, len(pieces) - 1, _MOST_SHOTS).astype(int)]
    shots, wanted = [], {}
    for number, rows in enumerate(pieces):
        shape = (len(rows), crop_px, crop_px, 3)
        crops = np.memmap(folder / f"{number}.crops", np.uint8, "w+", shape=shape)
        mesh = crop_mesh(head.frame_to_crop[rows], head.mesh[rows])
        silent = np.zeros(0, np.int16)
        shots.append(Shot(str(number), "", "", crops, mesh, times_s[rows], silent, speech=avatar.speech))
        for place, row in enumerate(rows.tolist()):
            wanted.setdefault(int(head.frames[row]), []).append((crops[place], head.frame_to_crop[row]))
    for number, frame in pick_frames(avatar.info.path, wanted, on_fault=pass_over):
        for crop, matrix in wanted[number]:
            crop[:] = crop_face(frame, refine_crop(matrix, crop_px / CropConfig().size), crop_px, "bicubic")
    return shots


def _put_in_sync(models: Models, shot: Shot) -> Shot:
    return put_in_sync(shot, measure_offset(models.aligner, shot.mesh, shot.times_s, shot.speech))
