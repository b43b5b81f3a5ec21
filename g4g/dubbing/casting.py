"""Look at a video before it is dubbed: who is in it, who speaks, what becomes of each frame, what mouths are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from g4g.config import AudioConfig
from g4g.dubbing.cache import TrackCache
from g4g.dubbing.cast import Cast, Role, ShownFace, tell_away
from g4g.dubbing.clock import Clock
from g4g.dubbing.people import (
    SPEAKER,
    Appearance,
    choose_faces,
    describe_faces,
    find_turned,
    list_appearances,
    parse_face,
)
from g4g.dubbing.plan import compare_sounds, join_plans, plan_frames
from g4g.dubbing.reach import measure_reach
from g4g.dubbing.speech import measure_fit, needs_sound
from g4g.dubbing.views import choose_tried, list_views
from g4g.errors import FaceError, MediaError
from g4g.faces import FaceTrack, FaceTracks, crop_face, follow_faces, make_backend, refine_crop
from g4g.generator import add_gallery
from g4g.media import MediaInfo, pick_frames, probe, read_frames, read_waveform
from g4g.zoo import Models

_MOST_CANDIDATE_BYTES = 128 * 1024 * 1024
"""Where the candidates of all faces and poses together are larger, the first of them serve untried."""


class Casting:
    """Finds the cast of videos."""

    def __init__(self, models: Models, faces: str, device: str, clock: Clock) -> None:
        self._models, self._faces, self._device, self._clock = models, faces, device, clock

    def cast(self, video, audio, voices, face, length, start_s, end_s, progress, on_fault) -> Cast:
        """Read the sounds, follow the faces, choose whom to dub, plan the frames and choose the references.

        Args:
            video, audio, face, length, start_s, end_s, progress: as for `Dubber.dub`.
            voices: as `list_voices` gives them.
            on_fault: told what is wrong with the video; raises where nothing may be.
        """
        with self._clock.timed("audio"):
            info = probe(video)
            waveforms = {number: read_waveform(voice) for number, voice in voices.items()}
            lengths_s = [_duration_s(waveform) for waveform in waveforms.values()]
            is_heard = audio is None or list(voices.values()) == [audio]
            sound_s = max(lengths_s) if is_heard else _duration_s(read_waveform(audio))
        tracks, warnings = self.follow(video, info, progress, on_fault)
        if not len(tracks.faces):
            raise FaceError(
                f"no face in any of the {len(tracks)} frames of {video}; a frontal face of at least 40 px is needed"
            )
        appearances, more = self.measure_speech(video, info, tracks, parse_face(face) == SPEAKER and None in voices)
        turned, parts = find_turned(tracks), []
        for number, waveform in waveforms.items():
            chosen = choose_faces(tracks, appearances, face if number is None else number)
            track = tracks.select(chosen)
            away = tell_away(tracks, chosen, track, turned)
            plan = plan_frames(track, away, info.fps, sound_s, length, start_s, end_s)
            parts.append((track, np.where(np.equal(away, None), chosen[tracks.scenes], -1), waveform, plan))
        if all((faces < 0).all() for _, faces, _, _ in parts):
            raise FaceError(f"no face in {video} can be dubbed: all are turned aside or covered; show one frontally")
        own = _read_own(info)
        with self._clock.timed("references"):
            shown = self._read_references(video, [(track, faces) for track, faces, _, _ in parts], own)
        with self._clock.timed("speech"):
            self._measure_reach([(track, faces) for track, faces, _, _ in parts], shown, own)
        roles = [Role(*part, references) for part, references in zip(parts, shown, strict=True)]
        dubbed = {face for role in roles for face in role.references}
        faces = describe_faces(tracks, appearances, info.fps, dubbed)
        if face is None and None in voices and needs_sound(appearances):
            names = ", ".join(map(str, sorted(dubbed)))
            more.append(
                f"{len(faces)} faces: dubbed {names}, the one that speaks in each scene; --face chooses another, "
                "g4g faces shows their numbers"
            )
        more += compare_sounds(max(lengths_s), sound_s)
        return Cast(info, roles, join_plans([role.plan for role in roles]), tracks, faces, warnings + more)

    def follow(self, video, info: MediaInfo, progress, on_fault) -> tuple[FaceTracks, list[str]]:
        """Follow all faces, or take the tracks that an earlier run kept; also say what went wrong in keeping them."""
        cache, path, faults = TrackCache.of_user(), Path(video), []
        with self._clock.timed("faces"):
            if (kept := cache.load(path, self._faces)) is not None:
                for fault in kept[1]:
                    on_fault(fault)
                return kept[0], []

            def note(fault: str) -> None:
                faults.append(fault)
                on_fault(fault)

            frames = _report(read_frames(video, on_fault=note), "faces", info.frame_count, progress)
            tracks = follow_faces(frames, make_backend(self._faces))
            problem = cache.save(path, self._faces, tracks, faults)
        return tracks, [problem] if problem else []

    def measure_speech(self, video, info, tracks, need: bool = True) -> tuple[list[Appearance], list[str]]:
        """List who appears in which scene; where they are several and `need`, with their lips held to the old sound."""
        appearances = list_appearances(tracks)
        if not (need and info.has_audio and needs_sound(appearances)):
            return appearances, []
        with self._clock.timed("speech"):
            try:
                waveform = read_waveform(video)
            except MediaError:
                return appearances, ["the video's own sound cannot be read: who speaks is told by movement alone"]
            frames, size = read_frames(video, on_fault=pass_over), self._models.generator.crop.size
            aligner = self._models.aligner
            return measure_fit(tracks, appearances, frames, waveform, aligner, size, self._device), []

    def _read_references(
        self, video, parts: list[tuple[FaceTrack, np.ndarray]], own: np.ndarray | None
    ) -> list[dict[int, list[ShownFace]]]:
        """Choose the references of each face, for each (track, faces), and cut all out of one reading of the video.

        Where the video's own sound is there, candidates are tried on it.
        """
        size = self._models.generator.crop.size
        views = [view for role, part in enumerate(parts) for view in list_views(role, *part)]
        if own is None or sum(view.candidate_pixels for view in views) * 3 * size**2 > _MOST_CANDIDATE_BYTES:
            views = [view.settle() for view in views]
        wanted = defaultdict(dict)
        for view in views:
            for row, finer in view.list_crops(self._models.generator.config.finer):
                wanted[row][view.role, finer] = refine_crop(view.track.frame_to_crop[row], finer)
        crops = {
            (row, *key): crop_face(frame, matrix, size * key[1], "bicubic")
            for row, frame in pick_frames(video, wanted, on_fault=pass_over)
            for key, matrix in wanted[row].items()
        }
        shown: list[dict[int, list[ShownFace]]] = [{} for _ in parts]
        for view in views:
            chosen = view.candidates[:, 0]
            if len(view.tried):
                chosen = choose_tried(self._models, view, crops, own, self._device)
            pictures = np.stack([crops[row, view.role, view.finer] for row in chosen.tolist()])
            points = view.track.steady_landmarks[chosen]
            if self._models.gallery is not None:
                alike = view.track.steady_landmarks[np.flatnonzero(view.shares)]
                pictures, points = add_gallery(self._models.gallery, alike, pictures, points)
            shown[view.role].setdefault(view.face, []).append(ShownFace(pictures, points, view.shares))
        return shown

    def _measure_reach(self, parts, shown: list[dict[int, list[ShownFace]]], own: np.ndarray | None) -> None:
        """Fill in how far the people of each (track, faces) move their mouths with the video's own sound."""
        if own is None:
            return
        for (track, faces), people in zip(parts, shown, strict=True):
            for face, poses in people.items():
                rows, usual = np.flatnonzero(faces == face), max(poses, key=lambda pose: pose.shares.sum())
                reach = measure_reach(self._models, track, rows, usual.landmarks, own, self._device)
                people[face] = [replace(pose, reach=reach) for pose in poses]


def _read_own(info: MediaInfo) -> np.ndarray | None:
    """Read a video's own sound, where it has any: nobody asked for it."""
    if not info.has_audio:
        return None
    try:
        return read_waveform(info.path)
    except MediaError:
        return None


def _duration_s(waveform: np.ndarray) -> float:
    return len(waveform) / AudioConfig().sample_rate


def pass_over(sentence: str) -> None:
    """Pass over a fault that the first reading of the video has reported."""


def _report(frames, stage: str, total: int, progress) -> Iterator:
    for number, item in enumerate(frames, 1):
        yield item
        if progress:
            progress(stage, number, max(total, number))
