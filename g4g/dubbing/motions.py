"""What each mouth does while its new sound is heard, and from which pictures each frame is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from g4g.audio import SPEECH_RATE
from g4g.avatar import Avatar, Person, Wanted, find_references
from g4g.config import MOST_EMPHASIS, AudioConfig
from g4g.dubbing.hearing import hear_voice
from g4g.dubbing.voices import Voice
from g4g.media.ping_pong import ping_pong_numbers
from g4g.memory import drop_pages, list_blocks
from g4g.motion import Motion, lay_shapes, move_mouth
from g4g.zoo import Models

_STRETCH_S, _AROUND_S = 60.0, 2.0
"""Mouths are moved so many seconds at a time, with more of the sound around them than the network sees."""
_BLOCK = 500
_SAMPLES = 1 << 18
"""So many frames, and samples, are worked on at a time."""
_SILENT = 10 ** (-80 / 20)
"""Samples below it are silence."""
_STAYS_S, _FALLS_S = 0.08, 0.24
"""A mouth moves on for the first time before and after a sound, and is at rest from the second on."""


@dataclass(frozen=True)
class MouthMotion:
    """What one voice does to the frames of a dub, N of them.

    `speech` (S, D): features of the sound, which last as long as the dub; `shapes` (N, C), the person's gain and the
    emphasis applied; `closed` (N,): how surely the lips are closed; `entries` (N, K): numbers in the person's mouth
    library, -1 where nobody is dubbed.
    """

    speech: np.ndarray
    shapes: np.ndarray
    closed: np.ndarray
    entries: np.ndarray


def move_voice(
    models: Models, avatar: Avatar, voice: Voice, emphasis: float, apart_s: float = 0.0,
    speech: np.ndarray | None = None,
) -> MouthMotion:  # fmt: skip
    """Move the mouths that a voice drives.

    Args:
        models: the networks.
        avatar: with the persons that the voice drives.
        voice: its plan tells when each frame is shown.
        emphasis: how far the mouth moves, times the person's gain.
        apart_s: pictures nearer than this to the frame that is shown are not used.
        speech: what `hear_voice` gives for the voice; None: it is worked out here.
    """
    plan, motion = voice.plan, models.motion
    speech = hear_voice(models, voice) if speech is None else speech
    times_s = plan.times_s - plan.span_s[0]
    shapes, closed = _move(motion, speech, times_s)
    awake = find_awake(voice.waveform, times_s)
    shapes, closed = shapes * awake[:, None], np.maximum(closed, 1 - awake)
    entries = np.full((len(plan), models.generator.config.references), -1, np.int32)
    sources = ping_pong_numbers(len(avatar.tracks), len(plan))
    dubbed = np.array([why is None for why in plan.passed])
    faces = np.where(dubbed, voice.faces[sources], -1)
    for face in np.unique(faces[faces >= 0]).tolist():
        person, places = avatar.persons[face], np.flatnonzero(faces == face)
        own = person.learnt.teach(models).motion
        if own is not motion:
            shapes[places] = _move(own, speech, times_s[places])[0] * awake[places, None]
        shapes[places] *= min(emphasis * person.gain, MOST_EMPHASIS)
        rows = person.head.find_rows(sources[places])
        degrees = person.head.pose.degrees[rows]
        laid = encode_laid_shapes(models, person, degrees, shapes[places], closed[places])
        wanted = Wanted(
            laid, degrees, person.head.light[rows],
            avatar.tracks.times_s[sources[places]], np.diff(places, prepend=-2) != 1,
        )  # fmt: skip
        entries[places] = find_references(person.library, wanted, motion.space, apart_s, entries.shape[1])
    return MouthMotion(speech, shapes, closed, entries)


def find_awake(waveform: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Tell where a mouth has something to say: (T,) in [0, 1], 0 in digital silence, in which it rests.

    Args:
        waveform: mono 16 kHz, (N,).
        times_s: of the frames, on its clock, (T,).
    """
    away_s = np.full(len(times_s), np.inf)
    for first in range(0, len(waveform), _SAMPLES):  # long sounds stay on disk
        heard = first + np.flatnonzero(np.abs(waveform[first : first + _SAMPLES]) > _SILENT)
        heard_s = heard / AudioConfig().sample_rate
        if len(heard_s):
            after = np.clip(np.searchsorted(heard_s, times_s), 1, max(len(heard_s) - 1, 1))
            near = np.stack([heard_s[np.minimum(after, len(heard_s) - 1)], heard_s[after - 1]])
            np.minimum(away_s, np.abs(near - times_s).min(0), out=away_s)
        drop_pages(waveform)
    return np.clip((_FALLS_S - away_s) / (_FALLS_S - _STAYS_S), 0, 1).astype(np.float32)


def encode_laid_shapes(
    models: Models, person: Person, degrees: np.ndarray, shapes: np.ndarray, closed: np.ndarray
) -> np.ndarray:
    """Tell the shapes (T, C) that mouths really take, where lips meet too; arguments as for `lay_shapes`."""
    space, neutral, parts = models.motion.space, person.neutral, []
    for part in list_blocks(len(shapes), _BLOCK):
        laid = lay_shapes(models.motion, neutral, degrees[part], shapes[part], closed[part])
        parts.append(space.encode(laid - neutral.at(degrees[part])))
    return np.concatenate(parts)


def _move(motion: Motion, speech: np.ndarray, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shapes (N, C) and closures (N,) of frames."""
    shapes, closed = [], []
    stretches = np.floor(times_s / _STRETCH_S)
    for stretch in np.unique(stretches):
        some_s = times_s[stretches == stretch]
        first = max(int((some_s[0] - _AROUND_S) * SPEECH_RATE), 0)
        stop = max(int((some_s[-1] + _AROUND_S) * SPEECH_RATE), 1)
        moved, shut = move_mouth(motion, speech[first:stop], some_s - first / SPEECH_RATE)
        shapes.append(moved)
        closed.append(shut)
        drop_pages(speech)
    return np.concatenate(shapes), np.concatenate(closed)
