"""Make the frames of a dub: crops in, the painter, new faces out and into their frames."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch

from g4g.avatar.clock import Clock
from g4g.avatar.prepare import pass_over
from g4g.avatar.window import Window
from g4g.config import CropConfig
from g4g.dubbing.dub import Dub
from g4g.dubbing.motions import MouthMotion
from g4g.dubbing.plan import NO_NUMBERS
from g4g.dubbing.report import DubbedFace, DubbedFrame
from g4g.dubbing.voices import Voice
from g4g.errors import ResourceError
from g4g.media.ahead import map_ahead, run_ahead
from g4g.media.picture import Patch, Picture, lay_over
from g4g.media.ping_pong import ping_pong_numbers, ping_pong_pictures
from g4g.memory import drop_pages
from g4g.motion import frame_speech, lay_shapes
from g4g.painter import Canvas, Painted, Painter, join_parts
from g4g.zoo import Models

BATCH_FRAMES = 8
_SMALL_PX = 640 * 480
"""Of larger frames half as many are held at a time: each takes longer, so that it costs 1 % where here it would 8."""
_FIRST_FRAMES = 2
"""Frames of the first batch: whoever waits for a first frame does not wait for eight."""
_DRAWN_FRAMES = 2
"""Drawn frames that wait to be encoded; the others of their batch are drawn meanwhile."""


class FrameMaker:
    """Makes the frames of one dub; `batch_frames` is how many at a time the memory has held so far."""

    def __init__(self, models: Models, painter: Painter, clock: Clock) -> None:
        self._models, self._painter, self._clock = models, painter, clock
        self._own_painters: dict[int, Painter] = {}
        self._lock = threading.Lock()
        self.batch_frames = BATCH_FRAMES

    def make_frames(self, dub: Dub, alpha: bool = False) -> Generator[DubbedFrame, None, None]:
        """Yield the frames of a dub before encoding; `alpha`: with the source's transparency.

        The video is read, faces are painted, and drawn into their frames, each by a thread that runs a little ahead.
        """
        read = run_ahead(self._read_batches(dub, alpha), ahead=1)
        painted = map_ahead(partial(self._paint_batch, dub), read, self._painter.workers)
        yield from run_ahead(self._draw_batches(dub, painted), ahead=_DRAWN_FRAMES)

    def _read_batches(self, dub: Dub, alpha: bool) -> Iterator[_Batch]:
        info, first = dub.avatar.info, 0
        batch_frames = BATCH_FRAMES if info.width * info.height <= _SMALL_PX else BATCH_FRAMES // 2
        count, wanted = len(dub.avatar.tracks), len(dub.plan)
        if dub.avatar.kept.is_whole:
            pictures = ((n, dub.avatar.kept.picture(n)) for n in ping_pong_numbers(count, wanted).tolist())
        else:
            pictures = ping_pong_pictures(info.path, count, wanted, alpha=alpha, on_fault=pass_over)
        while True:
            with self._clock.timed("decode"):
                read = list(islice(pictures, batch_frames if first else _FIRST_FRAMES))
            if not read:
                return
            batch = _Batch(first, *zip(*read, strict=True))
            first += len(read)
            drop_pages(dub.avatar.tracks.mesh, *(motion.speech for motion in dub.motions))
            yield batch
            del read, batch  # they are not held here while the next ones are read

    def _paint_batch(self, dub: Dub, batch: _Batch) -> tuple[_Batch, list]:
        """Paint the faces of a batch: (job, Painted) of each."""
        made = []
        for voice, motion in zip(dub.voices, dub.motions, strict=True):
            faces = voice.faces[list(batch.numbers)]
            wanted = np.array([voice.plan.passed[batch.first + i] is None for i in range(len(batch.numbers))])
            for face in np.unique(faces[wanted]).tolist():
                with self._clock.timed("crop"):
                    job = _Job(dub, voice, motion, face, batch, np.flatnonzero(wanted & (faces == face)))
                made.append((job, self._paint(job)))
        return batch, made

    def _draw_batches(self, dub: Dub, batches: Iterator[tuple[_Batch, list]]) -> Iterator[DubbedFrame]:
        for batch, made in batches:
            jobs = [(job, painted, painted.has_numbers) for job, painted in made]
            for place in range(len(batch.pictures)):
                yield self._draw_frame(dub, batch, jobs, place)
            del batch, made, jobs  # they are not held here while the next ones are waited for

    def _draw_frame(self, dub: Dub, batch: _Batch, jobs: list, place: int) -> DubbedFrame:
        """Draw the new faces of one frame of a batch into its picture; `jobs`: as painted, and which rows can be."""
        patches, faces = [], []
        with self._clock.timed("draw"):
            for job, painted, has_numbers in jobs:
                for row in np.flatnonzero((job.places == place) & has_numbers).tolist():
                    patch, face = job.draw(painted, row, patches)
                    patches.append(patch)
                    faces.append(face)
        passed = None if faces else dub.plan.passed[batch.first + place] or NO_NUMBERS
        return DubbedFrame(batch.pictures[place], tuple(patches), tuple(faces), passed)

    def _paint(self, job: _Job) -> Painted:
        """Paint; where the memory does not hold so many frames, from then on half as many at a time."""
        parts, done = [], 0
        while done < len(job.places):
            part = slice(done, done + self.batch_frames)
            try:
                with self._clock.timed("crop"):
                    canvas = job.lay_canvas(part, self._models)
                with self._clock.timed("paint"):
                    parts.append(self._find_painter(job).paint(canvas, job.person.finish))
                done = part.stop
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                tried = len(job.places[part])
                if tried == 1:
                    raise ResourceError("the memory does not hold one frame's crop; close other programs") from error
                self.batch_frames = min(self.batch_frames, tried // 2)  # another thread may have found less
        return join_parts(parts)

    def _find_painter(self, job: _Job) -> Painter:
        """Take the person's own painter where one was learnt."""
        if not job.person.learnt.tensors:
            return self._painter
        with self._lock:
            if job.face not in self._own_painters:
                own = job.person.learnt.teach(self._models)
                self._own_painters[job.face] = Painter(own.generator, own.fusion, str(own.motion.components.device))
            return self._own_painters[job.face]


@dataclass(frozen=True)
class _Batch:
    """Frames of a plan from number `first` on: `numbers` in the video, and `pictures`."""

    first: int
    numbers: tuple[int, ...]
    pictures: tuple[Picture, ...]


class _Job:
    """One face in some frames of a batch: `places` in the batch, `numbers` in the plan."""

    def __init__(self, dub: Dub, voice: Voice, motion: MouthMotion, face: int, batch: _Batch, places: np.ndarray):
        self.face, self.person = face, dub.avatar.persons[face]
        self.voice, self.motion, self.batch = voice, motion, batch
        self.places, self.numbers = places, batch.first + places
        self._rows = self.person.head.find_rows(np.array(batch.numbers)[places])
        self.frame_to_crop = self.person.head.frame_to_crop[self._rows]
        pictures = [batch.pictures[place] for place in places]
        self._windows = [
            Window.around(matrix, CropConfig().size, picture.size)
            for matrix, picture in zip(self.frame_to_crop, pictures, strict=True)
        ]
        self._pictures = [picture.cut(window.box) for picture, window in zip(pictures, self._windows, strict=True)]

    def lay_canvas(self, part: slice, models: Models) -> Canvas:
        """Cut the crops of some of the frames and lay out what is painted over them."""
        person, rows, numbers = self.person, self._rows[part], self.numbers[part]
        cuts = zip(self._windows[part], self._pictures[part], strict=True)
        crops = [window.crop(picture) for window, picture in cuts]
        degrees = person.head.pose.degrees[rows]
        shapes, closed = self.motion.shapes[numbers], self.motion.closed[numbers]
        laid = lay_shapes(models.motion, person.neutral, degrees, shapes, closed)
        own, targets = person.place_points(rows, laid, self.voice.plan.shares[numbers])
        entries, library = self.motion.entries[numbers], person.library
        times_s = self.voice.plan.times_s[numbers] - self.voice.plan.span_s[0]
        speech = frame_speech(self.motion.speech, times_s, models.generator.config.speech_rows)
        return Canvas(np.stack(crops), own, targets, library.crops[entries], library.meshes[entries], speech)

    def draw(self, painted: Painted, row: int, earlier: list[Patch]) -> tuple[Patch, DubbedFace]:
        """Draw the new face of one of the frames over the faces that were drawn into it earlier."""
        window, source = self._windows[row], self._pictures[row]
        share = float(self.voice.plan.shares[self.numbers[row]])
        result = source.copy()
        lay_over(result, window.box[:2], earlier)
        if result.size:
            painted.draw(row, source, window.frame_to_crop, result, share)
        return Patch(window.box, source, result), DubbedFace(
            painted.taken[row] * np.float32(share), self.frame_to_crop[row]
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, the machine's or the accelerator's, ran out."""
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or ("alloc" in words and "memory" in words)
