"""Plan a dub: whom each sound drives, what becomes of each frame, what each mouth does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.avatar import Avatar, AvatarMaker
from g4g.avatar.clock import Clock
from g4g.dubbing.hearing import Hearing
from g4g.dubbing.learning import PersonLearning
from g4g.dubbing.motions import MouthMotion, move_voice
from g4g.dubbing.people import Appearance, Face, choose_faces, describe_faces, list_appearances
from g4g.dubbing.plan import Plan, compare_sounds, join_plans, plan_frames
from g4g.dubbing.speech import measure_fit, needs_sound
from g4g.dubbing.voices import Heard, Voice, tell_away
from g4g.errors import FaceError
from g4g.faces import find_turned
from g4g.options import SPEAKER, DubOptions, parse_face
from g4g.zoo import Models

_SHORT_S = 5.0
"""Dubs of shorter videos take little memory, and would wait longest for a speech encoder that rested before them."""


@dataclass(frozen=True)
class Dub:
    """What a dub knows before its first frame is made; `plan` sums up those of the `voices`, `motions` has one each."""

    avatar: Avatar
    voices: list[Voice]
    motions: list[MouthMotion]
    plan: Plan
    faces: tuple[Face, ...]
    warnings: tuple[str, ...]


class DubPlanner:
    """Plans dubs of avatars."""

    def __init__(self, models: Models, maker: AvatarMaker, clock: Clock, learning: PersonLearning) -> None:
        self._models, self._maker, self._clock, self._learning = models, maker, clock, learning

    def plan(self, avatar: Avatar, heard: Heard, hearing: Hearing, options: DubOptions, progress=None) -> Dub:
        """Choose whom to dub, meet those persons, plan the frames and move the mouths.

        Args:
            avatar: the video; persons that it lacks are added.
            heard, hearing: the sounds, and who works out their features.
            options, progress: as for `Dubber.dub`.
        Raises:
            FaceError: there is no face, or none that can be dubbed.
        """
        info, tracks = avatar.info, avatar.tracks
        if not len(tracks.faces):
            raise FaceError(
                f"no face in any of the {len(tracks)} frames of {info.path}; a frontal face of at least 40 px is needed"
            )
        need = parse_face(options.face) == SPEAKER and None in heard.waveforms
        appearances, warnings = self.measure_speech(avatar, need)
        voices = self._drive(avatar, appearances, heard, options)
        dubbed = set(np.unique(np.concatenate([voice.faces for voice in voices])).tolist()) - {-1}
        if not dubbed:
            raise FaceError(
                f"no face in {info.path} can be dubbed: all are turned aside or covered; show one frontally"
            )
        speech = hearing.follow(voices)
        if info.duration_s > _SHORT_S:
            hearing.rest()  # afterwards nothing is heard any more
        avatar = self._maker.meet(avatar, sorted(dubbed), progress)
        if not options.dry_run:
            avatar = self._learning.learn(avatar, sorted(dubbed), options.lesson, progress)
        with self._clock.timed("motion", progress):
            how = options.emphasis, options.apart_s
            pairs = zip(voices, speech, strict=True)
            motions = [move_voice(self._models, avatar, voice, *how, features.result()) for voice, features in pairs]
        faces = describe_faces(tracks, appearances, info.fps, dubbed)
        if options.face is None and None in heard.waveforms and needs_sound(appearances):
            warnings.append(_describe_choice(faces, dubbed))
        warnings += compare_sounds(heard.voice_s, heard.sound_s)
        plan = join_plans([voice.plan for voice in voices])
        return Dub(avatar, voices, motions, plan, faces, (*avatar.warnings, *heard.warnings, *warnings))

    def _drive(self, avatar: Avatar, appearances, heard: Heard, options: DubOptions) -> list[Voice]:
        """Choose the face that each sound drives in each scene, and plan its frames."""
        tracks, voices = avatar.tracks, []
        turned = find_turned(tracks)
        for number, waveform in heard.waveforms.items():
            chosen = choose_faces(tracks, appearances, options.face if number is None else number)
            track = tracks.select(chosen)
            away = tell_away(tracks, chosen, track, turned)
            faces = np.where(np.equal(away, None), chosen[tracks.scenes], -1)
            span = (options.length, options.start_s, options.end_s)
            plan = plan_frames(track, away, avatar.info.fps, heard.sound_s, *span)
            voices.append(Voice(track, faces, waveform, plan))
        return voices

    def measure_speech(self, avatar: Avatar, need: bool = True) -> tuple[list[Appearance], list[str]]:
        """List who appears in which scene; where they are several and `need`, with their lips held to the old sound."""
        appearances = list_appearances(avatar.tracks)
        if not (need and avatar.info.has_audio and needs_sound(appearances)):
            return appearances, []
        if not len(avatar.speech):
            return appearances, ["the video's own sound cannot be read: who speaks is told by movement alone"]
        with self._clock.timed("speech"):
            return measure_fit(avatar.tracks, appearances, avatar.speech, self._models.aligner), []


def _describe_choice(faces: tuple[Face, ...], dubbed: set[int]) -> str:
    names = ", ".join(map(str, sorted(dubbed)))
    return (
        f"{len(faces)} faces: dubbed {names}, the one that speaks in each scene; `face` chooses another, g4g faces "
        "shows their numbers"
    )
