"""Learn persons from their own video before they are dubbed; what was learnt once is taken from the avatar or kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from g4g import __version__
from g4g.avatar import Avatar, AvatarMaker, Learnt
from g4g.avatar.cache import LearntCache, stamp_video
from g4g.avatar.clock import Clock
from g4g.avatar.store import StoredAvatar, hash_weights
from g4g.avatar.unfinished import open_run
from g4g.errors import ConfigError
from g4g.options import Lesson
from g4g.zoo import Models

_FORMAT = 1
_PARTS = ("speech", "aligner", "motion", "generator")


class Learner(Protocol):
    """What learns one person of a video; `progress` is called with (stage, done, total)."""

    def __call__(
        self, models: Models, avatar: Avatar, face: int, lesson: Lesson, progress: Callable | None
    ) -> Learnt: ...


class PersonLearning:
    """Lets a `learner` meet the persons of avatars; dubbing itself knows no training, so it is handed in."""

    def __init__(self, models: Models, maker: AvatarMaker, clock: Clock, learner: Learner | None) -> None:
        self._models, self._maker, self._clock, self._learner = models, maker, clock, learner

    def learn(self, avatar: Avatar, faces: list[int], lesson: Lesson, progress=None) -> Avatar:
        """Learn the persons of some faces, the time shared out among them.

        Args:
            avatar: with these persons.
            faces: their numbers.
            lesson: who was learnt for as long already is not learnt again.
            progress: called with (stage, done, total).
        Raises:
            ConfigError: this Dubber cannot learn.
        """
        if lesson.minutes <= 0:
            return avatar
        if self._learner is None:
            raise ConfigError("this Dubber has no learner; take g4g.Dubber, or leave adapt_minutes out")
        share, warnings = replace(lesson, minutes=lesson.minutes / len(faces)), list(avatar.warnings)
        for face in faces:
            if avatar.persons[face].learnt.minutes < share.minutes:
                with self._clock.timed("learn"):
                    learnt, problem = self._learn_or_remember(avatar, face, share, progress)
                    avatar = self._maker.take_over(avatar, face, learnt)
                warnings += [problem] if problem else []
            warnings.append(f"face {face} {avatar.persons[face].learnt.summary}")
        return replace(avatar, warnings=tuple(warnings))

    def _learn_or_remember(self, avatar: Avatar, face: int, lesson: Lesson, progress) -> tuple[Learnt, str | None]:
        """Take what the user's folder keeps; else learn, going on from where it was stopped before, and keep it."""
        cache = LearntCache.of_user()
        # An avatar file's video is unpacked into another place each time: only its content tells it apart.
        stored = isinstance(avatar, StoredAvatar)
        video = avatar.video_sha256 if stored else stamp_video(avatar.info.path)
        about = [_FORMAT, __version__, video, face, hash_weights(self._models, _PARTS)]
        key = json.dumps([*about, str(lesson.data and lesson.data.resolve())])
        known = cache.load(key)
        if known is not None and known.minutes >= lesson.minutes:
            return known, None
        with open_run(key) as run:
            learnt = self._learner(self._models, avatar, face, replace(lesson, folder=run.path), progress)
            problem = cache.save(key, learnt)
            run.is_finished = learnt.minutes >= lesson.minutes
        return learnt, problem
