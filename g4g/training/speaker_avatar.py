"""The avatar of a speaker's best clip, with what was learnt of the speaker in it: no other weights are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from g4g.avatar import Avatar, AvatarMaker, Learnt
from g4g.avatar.clock import Clock
from g4g.avatar.store import save_avatar
from g4g.dubbing.people import choose_faces, list_appearances
from g4g.errors import FaceError
from g4g.options import FinetuneOptions
from g4g.training.select_clips import Verdict
from g4g.zoo import Models


def find_best_clip(verdicts: list[Verdict]) -> Path:
    """Name the clip of which most seconds were used; of equals the first."""
    seconds: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.used:
            seconds[verdict.clip] = seconds.get(verdict.clip, 0.0) + verdict.seconds
    return Path(max(seconds, key=seconds.get))


def write_avatar(
    clip: Path, base: Models, learnt: Learnt, options: FinetuneOptions,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:  # fmt: skip
    """Write a clip's avatar to `options.avatar`, one person of it with their own networks.

    Args:
        clip: a video of the speaker.
        base: the networks that the speaker's began as; a dub of the avatar takes these.
        learnt: what makes them the speaker's.
        options: name the file, the face and the face backend.
        progress: called with (stage, done, total).
    Raises:
        MediaError: the video cannot be read, or the disk refuses. FaceError: the speaker can not be dubbed in it.
    """
    maker = AvatarMaker(base, options.faces, Clock())
    avatar = maker.meet_all(maker.look(clip, progress=progress), progress)
    save_avatar(Path(options.avatar), maker.take_over(avatar, _find_speaker(avatar, options.face), learnt), base)


def _find_speaker(avatar: Avatar, face: str | int | tuple | None) -> int:
    """Tell which person is the speaker: the one whom `face` names in most scenes, the largest where it names nobody."""
    chosen = choose_faces(avatar.tracks, list_appearances(avatar.tracks), "largest" if face is None else face)
    known = [number for number in chosen.tolist() if number in avatar.persons]
    if not known:
        raise FaceError(f"the speaker cannot be dubbed in {avatar.info.path}: give frames that face the camera")
    return int(np.bincount(known).argmax())
