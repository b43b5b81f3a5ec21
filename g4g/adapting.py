"""The Dubber that people use: the one of `g4g.dubbing`, which learns persons by `g4g.training`."""

from __future__ import annotations

from collections.abc import Callable

from g4g import dubbing
from g4g.avatar import Avatar, Learnt
from g4g.options import Lesson
from g4g.zoo import Models


class Dubber(dubbing.Dubber):
    """Dub videos with one set of weights; `adapt_minutes` learns the person from the video first.

    Example:
        >>> import g4g
        >>> dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    """

    def __init__(self, models: Models, faces: str = "mediapipe", device: str = "cpu") -> None:
        super().__init__(models, faces, device, _learn)


def _learn(models: Models, avatar: Avatar, face: int, lesson: Lesson, progress: Callable | None) -> Learnt:
    from g4g.training.adapt import learn_person  # it takes a second to import, and most dubs need none of it

    return learn_person(models, avatar, face, lesson, progress)
