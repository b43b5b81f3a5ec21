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
from g4g.errors import FaceError, MediaError
from g4g.faces import FaceTrack, FaceTracks, crop_face, crop_scale, follow_faces, make_backend, refine_crop
from g4g.generator import OVERSAMPLING, add_gallery, follow_pose
from g4g.media import MediaInfo, pick_frames, probe, read_frames, read_waveform
from g4g.zoo import Models

_MOST_FINER = 4
"""Mouths are drawn with at most so many times the networks' pixels each way: detail of faces up to 512 px."""


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
        with self._clock.timed("references"):
            shown = self._read_references(video, [(track, faces) for track, faces, _, _ in parts])
        with self._clock.timed("speech"):
            self._measure_reach(info, [(track, faces) for track, faces, _, _ in parts], shown)
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

    def _read_references(self, video, parts: list[tuple[FaceTrack, np.ndarray]]) -> list[dict[int, list[ShownFace]]]:
        """Choose the references of each face, for each (track, faces), and cut all out of one reading of the video."""
        size, cuts, chosen = self._models.generator.crop.size, defaultdict(dict), []
        for role, (track, faces) in enumerate(parts):
            for face in np.unique(faces[faces >= 0]).tolist():
                rows = np.flatnonzero(faces == face)
                poses, shares = follow_pose(track.crop_landmarks(rows))
                chosen.append((role, face, rows, rows[poses], shares))
                finer = OVERSAMPLING * choose_finer(track.frame_to_crop[rows[poses.ravel()]])
                for row in np.unique(rows[poses]).tolist():
                    cuts[row][role] = refine_crop(track.frame_to_crop[row], finer), size * finer
        crops = {
            (number, role): crop_face(frame, *cut, "bicubic")
            for number, frame in pick_frames(video, cuts, on_fault=pass_over)
            for role, cut in cuts[number].items()
        }
        shown: list[dict[int, list[ShownFace]]] = [{} for _ in parts]
        for role, face, rows, poses, shares in chosen:
            track, faces = parts[role]
            for pose, share in zip(poses, shares.T, strict=True):
                pictures, points = np.stack([crops[row, role] for row in pose.tolist()]), track.crop_landmarks(pose)
                if self._models.gallery is not None:
                    alike = track.crop_landmarks(rows[share > 0])
                    pictures, points = add_gallery(self._models.gallery, alike, pictures, points)
                everywhere = np.zeros(len(faces))
                everywhere[rows] = share
                shown[role].setdefault(face, []).append(ShownFace(pictures, points, everywhere))
        return shown

    def _measure_reach(self, info: MediaInfo, parts, shown: list[dict[int, list[ShownFace]]]) -> None:
        """Fill in how far the people of each (track, faces) move their mouths with the video's own sound."""
        if not info.has_audio:
            return
        try:
            waveform = read_waveform(info.path)
        except MediaError:  # nobody asked for it
            return
        for (track, faces), people in zip(parts, shown, strict=True):
            for face, poses in people.items():
                rows, usual = np.flatnonzero(faces == face), max(poses, key=lambda pose: pose.shares.sum())
                reach = measure_reach(self._models, track, rows, usual.landmarks, waveform, self._device)
                people[face] = [replace(pose, reach=reach) for pose in poses]


def choose_finer(frame_to_crop: np.ndarray) -> int:
    """Say how many times finer mouths must be drawn to hold what the frames hold, affines (N, 2, 3)."""
    return int(np.clip(np.ceil(1 / crop_scale(frame_to_crop).mean()), 2, _MOST_FINER))


def _duration_s(waveform: np.ndarray) -> float:
    return len(waveform) / AudioConfig().sample_rate


def pass_over(sentence: str) -> None:
    """Pass over a fault that the first reading of the video has reported."""


def _report(frames, stage: str, total: int, progress) -> Iterator:
    for number, item in enumerate(frames, 1):
        yield item
        if progress:
            progress(stage, number, max(total, number))
