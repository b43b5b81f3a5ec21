"""The Dubber that people use: that of `g4g.dubbing`, which learns persons by `g4g.training`, streams by `g4g.live`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from g4g import dubbing
from g4g.avatar import Avatar, Learnt
from g4g.media.check import check_video
from g4g.options import Lesson, StreamOptions, make_options
from g4g.zoo import Models

if TYPE_CHECKING:
    from g4g.live import Stream


class Dubber(dubbing.Dubber):
    """Dub videos with one set of weights; `adapt_minutes` learns the person from the video first.

    Example:
        >>> import g4g
        >>> dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    """

    def __init__(self, models: Models, faces: str = "mediapipe", device: str = "cpu") -> None:
        super().__init__(models, faces, device, _learn)

    def stream(
        self, avatar: str | Path, fps: float = StreamOptions.fps, size: tuple[int, int] | None = None,
        **options: object,
    ) -> Stream:  # fmt: skip
        """Let a person speak while the sound is still coming in.

        Args:
            avatar: a file that `make_avatar` wrote, which opens in a second; or a video or a picture, at which it looks
                first.
            fps: frames per second.
            size: of the frames, (height, width) px, of the video's shape; None: the video's own.
            options: more settings by name; `StreamOptions` lists and explains them.
        Returns:
            The stream; use it as a context manager.
        Raises:
            ConfigError: these weights cannot stream, or settings do not fit. MediaError: the avatar is damaged or was
            made with other weights. FaceError: it shows no face that can be moved.
        """
        from g4g.live import open_stream
        from g4g.live.stream import check_streamable

        settings = make_options(StreamOptions, {"fps": fps, "size": size, **options})
        check_streamable(self._models)
        check_video(avatar)
        known = self._open(avatar, tolerant=False, progress=None)
        if len(known.tracks.faces):
            known = self._maker.meet(known, np.unique(known.tracks.faces).tolist())
        appearances, _ = self._planner.measure_speech(known)
        return open_stream(self._models, self._device, known, appearances, settings)


def _learn(models: Models, avatar: Avatar, face: int, lesson: Lesson, progress: Callable | None) -> Learnt:
    from g4g.training.adapt import learn_person  # it takes a second to import, and most dubs need none of it

    return learn_person(models, avatar, face, lesson, progress)
