"""Make an avatar: look at a video once, before any new sound is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from g4g.audio import SPEECH_RATE, encode_speech
from g4g.avatar.cache import TrackCache
from g4g.avatar.clock import Clock
from g4g.avatar.finish import choose_finish
from g4g.avatar.kept import KeptParts
from g4g.avatar.learnt import Learnt
from g4g.avatar.library import MouthLibrary, find_sharp, share_entries, spread_entries
from g4g.avatar.open_mouth import complete_library
from g4g.avatar.packing import settle_tracks
from g4g.avatar.person import HeadTrack, Person
from g4g.avatar.retrieve import describe_entries
from g4g.avatar.steady import steady_pose
from g4g.avatar.window import Window
from g4g.config import CropConfig
from g4g.errors import FaceError, MediaError
from g4g.faces import (
    FaceTracks,
    crop_scale,
    find_face,
    find_runs,
    find_turned,
    follow_faces,
    load_canonical,
    make_backend,
    place_head,
    refine_crop,
)
from g4g.faces.cuts import mark_cuts
from g4g.media import MediaInfo, probe, read_waveform
from g4g.media.ahead import map_ahead, run_ahead
from g4g.media.decode import raise_fault
from g4g.media.picture import Picture
from g4g.media.read import pick_pictures, read_pictures
from g4g.memory import drop_pages, give_back_memory, list_blocks
from g4g.motion import Motion, fit_gain, fit_neutral, move_mouth
from g4g.painter import Painter
from g4g.threads import count_threads
from g4g.zoo import Models

_LEAST_SCALE, _MOST_SCALE = 2, 4
"""Crops have so many times 128 px each way: 4 hold the detail of faces up to 512 px."""
_FITTED_FRAMES = 1500
"""The neutral face is fitted to as many frames as a minute has, evenly spread; the gain to the first minute."""
_HEARD_S = 2.0
"""So much more sound is heard for the gain than these frames last: more than motion looks ahead."""
_AHEAD = 4
"""Frames that are read ahead."""
_BLOCK = 500
"""Frames whose points are lifted at a time."""

Progress = Callable[[str, int, int], None] | None


@dataclass(frozen=True)
class Avatar:
    """All of a dub that does not depend on the new sound.

    Attributes:
        info: the video.
        tracks: every face in it.
        speech: features of its own sound (S, D), 50 rows a second; no rows where it has none.
        persons: by the number of the face; those that can be dubbed, as far as they were asked for.
        faults: what is damaged in the video, a sentence each.
        warnings: what else was not as usual.
        kept: what it shows around its faces, where that was kept.
    """

    info: MediaInfo
    tracks: FaceTracks
    speech: np.ndarray
    persons: dict[int, Person]
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    kept: KeptParts = field(default_factory=KeptParts, kw_only=True, repr=False, compare=False)


def make_avatar(
    models: Models, video: str | Path, *, backend: str = "mediapipe", tolerant: bool = False,
    progress: Progress = None,
) -> Avatar:  # fmt: skip
    """Look at a video: who is in it, how each mouth moves and looks.

    Args:
        models: the networks.
        video: a video, a still picture or a folder of pictures.
        backend: face backend by name.
        tolerant: use what can be read of a damaged video.
        progress: called with (stage, done, total).
    Returns:
        Avatar with all persons that can be dubbed.
    Raises:
        MediaError: the video cannot be read. FaceError: it shows no face that can be dubbed.
    """
    maker = AvatarMaker(models, backend, Clock())
    return maker.meet_all(maker.look(video, tolerant, progress), progress)


class AvatarMaker:
    """Makes avatars in two steps: `look` at the video, then `meet` the persons that are needed."""

    def __init__(self, models: Models, backend: str, clock: Clock, device: str = "cpu") -> None:
        self._models, self._backend, self._clock, self._device = models, backend, clock, device

    def look(self, video: str | Path, tolerant: bool = False, progress: Progress = None) -> Avatar:
        """Follow all faces, or take the tracks that an earlier run kept, and listen to the video's own sound.

        Raises:
            MediaError: the video cannot be read, or is damaged and not `tolerant`.
        """
        with self._clock.timed("audio"):
            info = probe(video)
        faults: list[str] = []

        def note(fault: str) -> None:
            faults.append(fault)
            if not tolerant:
                raise_fault(fault)

        kept = KeptParts(info.frame_count)
        with ThreadPoolExecutor(1) as beside:
            speech = beside.submit(self._hear, info)
            with self._clock.timed("faces"):
                tracks, problem = self._follow(info, kept, progress, note)
            with self._clock.timed("speech", progress):
                speech = speech.result()
        return Avatar(info, tracks, speech, {}, tuple(faults), (problem,) if problem else (), kept=kept)

    def _follow(self, info: MediaInfo, parts: KeptParts, progress, note) -> tuple[FaceTracks, str | None]:
        cache, video = TrackCache.of_user(), info.path
        if (kept := cache.load(video, self._backend)) is not None:
            for fault in kept[1]:
                note(fault)
            return kept[0], None
        faults: list[str] = []
        reading = read_pictures(video, is_exact=False, on_fault=lambda fault: (faults.append(fault), note(fault)))
        frames = run_ahead(mark_cuts(parts.show(reading)), _AHEAD)
        frames = report_each(frames, "faces", info.frame_count, progress)
        backend = make_backend(self._backend)
        tracks = settle_tracks(follow_faces(frames, backend, on_faces=parts.keep))
        parts.close()
        give_back_memory()
        return tracks, cache.save(video, self._backend, tracks, faults)

    def _hear(self, info: MediaInfo) -> np.ndarray:
        """Encode a video's own sound, where it has any that can be read: nobody asked for it."""
        silent = np.zeros((0, self._models.speech.config.size), np.float32)
        if not info.has_audio or info.is_still:
            return silent
        try:
            waveform = read_waveform(info.path, on_fault=pass_over)
        except MediaError:
            return silent
        speech = encode_speech(self._models.speech, waveform, partial(drop_pages, waveform))
        give_back_memory()  # faces are followed for much longer
        return speech

    def meet_all(self, avatar: Avatar, progress: Progress = None) -> Avatar:
        """Add all persons that can be dubbed. Raises FaceError where there is none."""
        avatar = self.meet(avatar, np.unique(avatar.tracks.faces).tolist(), progress)
        if not avatar.persons:
            raise FaceError(f"no face in {avatar.info.path} can be dubbed: show one of at least 40 px frontally")
        return avatar

    def meet(self, avatar: Avatar, faces: Iterable[int], progress: Progress = None) -> Avatar:
        """Add persons to an avatar: heads, shapes, gain and mouth libraries, the video being read once more.

        A face that is turned aside or covered in every frame is left out.
        """
        usable = find_usable(avatar.tracks)
        wanted = [face for face in faces if face in usable and face not in avatar.persons]
        with self._clock.timed("shapes", progress):
            heads = {face: _follow_head(avatar, face) for face in wanted}
            persons = {face: self._know(avatar, head) for face, head in heads.items()}
        drop_pages(avatar.tracks.mesh, avatar.speech)
        with self._clock.timed("library"):
            libraries = self._read_libraries(avatar, persons, usable, progress)
            if not avatar.kept.is_whole:  # what is whole is dubbed without reading the video again
                avatar.kept.drop()
        drop_pages(avatar.tracks.mesh)
        persons = {face: replace(person, library=libraries[face]) for face, person in persons.items()}
        done = {
            face: replace(person, library=complete_library(person, self._models.motion.space))
            for face, person in persons.items()
        }
        with self._clock.timed("finish", progress):
            models = self._models
            painter, space = Painter(models.generator, models.fusion, self._device), models.motion.space
            finishes = {face: choose_finish(painter, person, space, avatar.speech) for face, person in done.items()}
        done = {face: replace(person, finish=finishes[face]) for face, person in done.items()}
        return replace(avatar, persons=avatar.persons | done)

    def take_over(self, avatar: Avatar, face: int, learnt: Learnt) -> Avatar:
        """Give a person what was learnt of them; gain and finish are measured once more, with it."""
        person, models = avatar.persons[face], learnt.teach(self._models)
        painter = Painter(models.generator, models.fusion, self._device)
        person = replace(
            person, learnt=learnt, gain=_measure_gain(models.motion, avatar, person.head, person.shapes),
            finish=choose_finish(painter, person, models.motion.space, avatar.speech),
        )  # fmt: skip
        return replace(avatar, persons=avatar.persons | {face: person})

    def _know(self, avatar: Avatar, head: HeadTrack) -> Person:
        """Measure a person's neutral face, shapes and gain; the library is still empty."""
        motion, count = self._models.motion, len(head.frames)
        space, moves = motion.space, load_canonical().moves[:, None]
        some = np.arange(0, count, -(-count // _FITTED_FRAMES))
        degrees = head.pose.degrees
        neutral = fit_neutral(head.lift(some).astype(np.float32), degrees[some], space)
        shapes = np.concatenate([
            space.encode((head.lift(rows) - neutral.at(degrees[rows])) * moves)
            for rows in list_blocks(count, _BLOCK)
        ])  # fmt: skip
        gain = _measure_gain(motion, avatar, head, shapes)
        return Person(head, neutral, shapes, gain, choose_scale(head.frame_to_crop), _empty_library(space.size))

    def _read_libraries(self, avatar: Avatar, persons, usable, progress) -> dict[int, MouthLibrary]:
        """Choose the entries of each person and cut them out of what was kept, or of one more reading of the video."""
        shares, tracks, size = _share_budget(avatar.tracks, usable), avatar.tracks, CropConfig().size
        libraries, wanted = {}, {}
        for face, person in persons.items():
            head, rows = person.head, person.head.find_rows(tracks.frames[usable[face]])
            features = describe_entries(
                person.shapes[rows], head.pose.degrees[rows], head.light[rows], self._models.motion.space
            )
            rows = rows[spread_entries(features, shares[face])]
            frames, side = head.frames[rows], size * person.scale
            libraries[face] = MouthLibrary(
                frames, tracks.times_s[frames], person.shapes[rows], head.pose.degrees[rows], head.light[rows],
                np.zeros((len(rows), side, side, 3), np.uint8), head.draw(rows, head.lift(rows)),
            )  # fmt: skip
            affines = refine_crop(head.frame_to_crop[rows], person.scale)
            for crop, affine, frame in zip(libraries[face].crops, affines, frames.tolist(), strict=True):
                window = Window.around(affine, side, (avatar.info.height, avatar.info.width))
                wanted.setdefault(frame, []).append((crop, window))
        shown = run_ahead(_show_windows(avatar, wanted), _AHEAD)
        for _ in report_each(map_ahead(_fill_crops, shown, count_threads()), "library", len(wanted), progress):
            pass
        return {face: library.keep(find_sharp(library.crops)) for face, library in libraries.items()}


def _show_windows(
    avatar: Avatar, wanted: dict[int, list[tuple[np.ndarray, Window]]]
) -> Iterator[list[tuple[np.ndarray, Window, Picture]]]:  # fmt: skip
    """Yield the crops and windows of each wanted frame with a picture that shows them: what was kept comes first."""
    missing = []
    for number in sorted(wanted):
        parts = avatar.kept.take(number, [window.box for _, window in wanted[number]])
        if parts is None:
            missing.append(number)
        else:
            yield [(*one, part) for one, part in zip(wanted[number], parts, strict=True)]
    for number, picture in pick_pictures(avatar.info.path, missing, on_fault=pass_over):
        yield [(*one, picture) for one in wanted[number]]


def _fill_crops(shown: list[tuple[np.ndarray, Window, Picture]]) -> None:
    """Cut crops (s, s, 3) out of the pictures that show their windows."""
    for crop, window, picture in shown:
        crop[:] = window.crop(picture.cut(window.box), "bicubic")


def choose_scale(frame_to_crop: np.ndarray) -> int:
    """Say how many times finer than 128 px crops must be to hold what the frames hold, affines (N, 2, 3)."""
    return int(np.clip(np.ceil(1 / crop_scale(frame_to_crop).mean()), _LEAST_SCALE, _MOST_SCALE))


def find_usable(tracks: FaceTracks) -> dict[int, np.ndarray]:
    """List the rows of each face that show its mouth: neither turned aside nor covered."""
    free = ~(find_turned(tracks) | tracks.covered)
    rows = {int(face): np.flatnonzero(free & (tracks.faces == face)) for face in np.unique(tracks.faces)}
    return {face: own for face, own in rows.items() if len(own)}


def _share_budget(tracks: FaceTracks, usable: dict[int, np.ndarray]) -> dict[int, int]:
    """Say how many entries the library of each face gets: the same whoever of them is dubbed."""
    side = CropConfig().size
    scales = [choose_scale(tracks.frame_to_crop[tracks.faces == face]) for face in usable]
    shares = share_entries([len(rows) for rows in usable.values()], [3 * (side * scale) ** 2 for scale in scales])
    return dict(zip(usable, shares, strict=True))


def _follow_head(avatar: Avatar, number: int) -> HeadTrack:
    tracks = avatar.tracks
    frames, mesh = (array[HeadTrack.rows_of(tracks, number)] for array in (tracks.frames, tracks.mesh))
    face = find_face(mesh)
    apart = (np.diff(frames, prepend=-1) != 1) | tracks.cuts[frames]
    pose = steady_pose(place_head(mesh, face), face, find_runs(np.ones(len(frames), bool), apart), avatar.info.fps)
    return HeadTrack.of(tracks, number, pose, face)


def _measure_gain(motion: Motion, avatar: Avatar, head: HeadTrack, shapes: np.ndarray) -> float:
    """Fit a person's gain to the first minute of the video's own sound; 1 where there is none."""
    if not len(avatar.speech):
        return 1.0
    times_s = avatar.tracks.times_s[head.frames[:_FITTED_FRAMES]]
    heard = avatar.speech[: int((times_s[-1] + _HEARD_S) * SPEECH_RATE)]
    predicted, _ = move_mouth(motion, heard, times_s)
    return fit_gain(predicted, shapes[: len(times_s)], motion)


def _empty_library(size: int) -> MouthLibrary:
    none = np.zeros(0)
    return MouthLibrary(none.astype(int), none, np.zeros((0, size)), none, none, none, none)


def pass_over(sentence: str) -> None:
    """Pass over a fault that the first reading of the video has reported."""


def report_each(items: Iterable, stage: str, total: int, progress: Progress) -> Iterator:
    """Yield items and tell `progress`, where there is one, of each."""
    for number, item in enumerate(items, 1):
        yield item
        if progress:
            progress(stage, number, max(total, number))
