"""Whose mouth moves where, on the way of an avatar's video to and fro."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.avatar import Avatar
from g4g.dubbing.people import Appearance, choose_faces
from g4g.dubbing.plan import ease
from g4g.dubbing.voices import tell_away
from g4g.errors import FaceError
from g4g.faces import find_turned
from g4g.live.loop import LoopPlan


@dataclass(frozen=True)
class Places:
    """What happens at each place of the way, P of them.

    `faces` (P,): whose mouth moves; `passed` (P,): why the source's own picture is shown, None where a mouth is made;
    `shares` (P,): how much of the new mouth is shown, less beside places that are passed.
    """

    faces: np.ndarray
    passed: np.ndarray
    shares: np.ndarray


def plan_places(avatar: Avatar, appearances: list[Appearance], face, loop: LoopPlan) -> Places:
    """Choose whose mouth moves, in each scene.

    Args:
        avatar: the video.
        appearances: who appears in which scene.
        face: as for `Dubber.dub`.
        loop: how the video plays.
    Raises:
        FaceError: there is no face, or none that can be dubbed.
    """
    tracks = avatar.tracks
    if not len(tracks.faces):
        raise FaceError(f"no face in any of the {len(tracks)} frames of {avatar.info.path}; show one of at least 40 px")
    chosen = choose_faces(tracks, appearances, face)
    track = tracks.select(chosen)
    way = np.array([loop.find_frame(place) for place in range(loop.turn)])
    passed = tell_away(tracks, chosen, track, find_turned(tracks))[way]
    if not np.equal(passed, None).any():
        raise FaceError(f"no face in {avatar.info.path} can be moved: all are turned aside or covered")
    before = np.roll(way, 1)  # played backwards, a cut lies between the same two frames
    cuts = track.cuts[np.maximum(way, before)] & (way != before)
    thrice = ease(np.tile(np.equal(passed, None), 3), np.tile(cuts, 3))
    faces = np.where(np.equal(passed, None), chosen[tracks.scenes[way]], -1)
    return Places(faces, passed, thrice[loop.turn : 2 * loop.turn])
