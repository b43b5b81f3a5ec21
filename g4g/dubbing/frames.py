"""Make the frames of a dub: crops in, the painter, new faces out and into their frames."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch

from g4g.avatar.clock import Clock
from g4g.avatar.prepare import pass_over
from g4g.config import CropConfig
from g4g.dubbing.dub import Dub
from g4g.dubbing.motions import MouthMotion
from g4g.dubbing.pipeline import run_ahead
from g4g.dubbing.plan import NO_NUMBERS
from g4g.dubbing.report import DubbedFace, DubbedFrame
from g4g.dubbing.voices import Voice
from g4g.errors import ResourceError
from g4g.faces import crop_face
from g4g.media.ping_pong import ping_pong_frames
from g4g.motion import frame_speech, lay_shapes
from g4g.painter import Canvas, Painted, Painter, join_painted
from g4g.zoo import Models

BATCH_FRAMES = 8


class FrameMaker:
    """Makes the frames of one dub; `batch_frames` is how many at a time the memory has held so far."""

    def __init__(self, models: Models, painter: Painter, clock: Clock) -> None:
        self._models, self._painter, self._clock = models, painter, clock
        self.batch_frames = BATCH_FRAMES

    def make_frames(self, dub: Dub, alpha: bool = False) -> Iterator[DubbedFrame]:
        """Yield the frames of a dub before encoding; `alpha`: with the source's transparency.

        The video is read, and faces are painted, each by a thread that runs a few batches ahead.
        """
        for batch in run_ahead(self._make_batches(dub, run_ahead(self._read_batches(dub, alpha)))):
            yield from batch

    def _read_batches(self, dub: Dub, alpha: bool) -> Iterator[list[tuple[int, np.ndarray]]]:
        """Yield (number in the video, frame) in batches."""
        path, count = dub.avatar.info.path, len(dub.avatar.tracks)
        frames = ping_pong_frames(path, count, len(dub.plan), alpha=alpha, on_fault=pass_over)
        while True:
            with self._clock.timed("decode"):
                batch = list(islice(frames, BATCH_FRAMES))
            if not batch:
                return
            yield batch

    def _make_batches(self, dub: Dub, batches: Iterator) -> Iterator[list[DubbedFrame]]:
        first = 0
        for batch in batches:
            yield self._dub_batch(dub, batch, first)
            first += len(batch)

    def _dub_batch(self, dub: Dub, stored: list[tuple[int, np.ndarray]], first: int) -> list[DubbedFrame]:
        """Dub the plan's frames from number `first` on."""
        batch = [(source, np.ascontiguousarray(frame[..., :3])) for source, frame in stored]
        results = [frame for _, frame in batch]
        made: list[list[DubbedFace]] = [[] for _ in batch]
        for voice, motion in zip(dub.voices, dub.motions, strict=True):
            faces = voice.faces[[source for source, _ in batch]]
            wanted = np.array([voice.plan.passed[first + i] is None for i in range(len(batch))])
            for face in np.unique(faces[wanted]).tolist():
                places = np.flatnonzero(wanted & (faces == face))
                job = _Job(dub, voice, motion, face, [batch[i] for i in places], first + places)
                painted = self._paint(job)
                with self._clock.timed("draw"):
                    for i, row in zip(places.tolist(), range(len(painted)), strict=True):
                        if painted.has_numbers[row]:
                            results[i], drawn = job.draw(painted, row, results[i])
                            made[i].append(drawn)
        reasons = [None if made[i] else dub.plan.passed[first + i] or NO_NUMBERS for i in range(len(batch))]
        return [
            DubbedFrame(frame, results[i], stored[i][1][..., 3:], tuple(made[i]), reasons[i])
            for i, (_, frame) in enumerate(batch)
        ]

    def _paint(self, job: _Job) -> Painted:
        """Paint; where the memory does not hold so many frames, from then on half as many at a time."""
        parts, done = [], 0
        while done < len(job.batch):
            part = slice(done, done + self.batch_frames)
            try:
                with self._clock.timed("crop"):
                    canvas = job.lay_canvas(part, self._models)
                with self._clock.timed("paint"):
                    parts.append(self._painter.paint(canvas, job.person.residual))
                done = part.stop
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_frames == 1:
                    raise ResourceError("the memory does not hold one frame's crop; close other programs") from error
                self.batch_frames //= 2
        return join_painted(parts)


class _Job:
    """One face in some frames of a batch: `batch` holds (number in the video, frame), `numbers` those of the plan."""

    def __init__(self, dub: Dub, voice: Voice, motion: MouthMotion, face: int, batch, numbers: np.ndarray) -> None:
        self.person, self.voice, self.motion = dub.avatar.persons[face], voice, motion
        self.batch, self.numbers = batch, numbers
        self._rows = self.person.head.find_rows(np.array([source for source, _ in batch]))
        self.frame_to_crop = self.person.head.frame_to_crop[self._rows]

    def lay_canvas(self, part: slice, models: Models) -> Canvas:
        """Cut the crops of some of the frames and lay out what is painted over them."""
        person, rows, numbers = self.person, self._rows[part], self.numbers[part]
        crops = [
            crop_face(frame, matrix, CropConfig().size)
            for (_, frame), matrix in zip(self.batch[part], self.frame_to_crop[part], strict=True)
        ]
        degrees = person.head.pose.degrees[rows]
        shapes, closed = self.motion.shapes[numbers], self.motion.closed[numbers]
        laid = lay_shapes(models.motion, person.neutral, degrees, shapes, closed)
        own, targets = person.place_points(rows, laid, self.voice.plan.shares[numbers])
        entries, library = self.motion.entries[numbers], person.library
        times_s = self.voice.plan.times_s[numbers] - self.voice.plan.span_s[0]
        speech = frame_speech(self.motion.speech, times_s, models.generator.config.speech_rows)
        return Canvas(np.stack(crops), own, targets, library.crops[entries], library.meshes[entries], speech)

    def draw(self, painted: Painted, row: int, result: np.ndarray) -> tuple[np.ndarray, DubbedFace]:
        """Draw the new face of one of the frames into what became of it so far, which is copied if it is the source."""
        frame, matrix = self.batch[row][1], self.frame_to_crop[row]
        share = float(self.voice.plan.shares[self.numbers[row]])
        result = result.copy() if result is frame else result
        painted.draw(row, frame, matrix, result, share)
        return result, DubbedFace(painted.taken[row] * np.float32(share), matrix)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, the machine's or the accelerator's, ran out."""
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or ("alloc" in words and "memory" in words)
