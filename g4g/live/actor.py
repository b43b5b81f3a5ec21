"""One person of an avatar, with all that drawing the next frame needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from g4g.avatar import Person, Wanted
from g4g.avatar.beam import ReferenceBeam
from g4g.config import CropConfig
from g4g.faces import crop_face
from g4g.live.loop import scale_crops
from g4g.live.mouth import Move
from g4g.motion import lay_shapes
from g4g.painter import Canvas, Painter
from g4g.zoo import Models


class Actor:
    """Draws a person's mouths into frames of a size (height, width); `own`: the size of the avatar's video."""

    def __init__(
        self, person: Person, models: Models, device: str, own: tuple[int, int], size: tuple[int, int]
    ) -> None:  # fmt: skip
        taught = person.learnt.teach(models) if person.learnt.tensors else models
        self.person, self.motion = person, taught.motion
        self._space = taught.motion.space
        self._painter = Painter(taught.generator, taught.fusion, device)
        self._beam = ReferenceBeam(person.library, self._space, self._painter.references)
        self._frame_to_crop = scale_crops(person.head.frame_to_crop, own, size)

    def paint(
        self, frame: np.ndarray, number: int, time_s: float, move: Move, before: np.ndarray | None, share: float
    ) -> tuple[Callable[[], np.ndarray] | None, np.ndarray]:  # fmt: skip
        """Paint a mouth.

        Args:
            frame: (H, W, 3) uint8, in which the person is seen.
            number: of the frame in the avatar's video; `time_s` is its time there.
            move: what the mouth does.
            before: entries of the mouth library of the frame before, (K,); None: it showed something else.
            share: how much of the new mouth is shown, 0 to 1.
        Returns:
            What draws the new frame, which any thread may do, None where the networks gave no numbers; and the entries
            that it is made of, (K,).
        """
        person, library, matrix = self.person, self.person.library, self._frame_to_crop
        row = person.head.find_rows(np.array([number]))
        degrees, neutral = person.head.pose.degrees[row], person.neutral
        laid = lay_shapes(self.motion, neutral, degrees, move.shape[None], np.array([move.closed]))
        wanted = Wanted(
            self._space.encode(laid - neutral.at(degrees)), degrees, person.head.light[row], np.array([time_s]),
            np.array([before is None]),
        )  # fmt: skip
        entries = self._beam.choose(wanted, before)
        own, targets = person.place_points(row, laid, share)
        crop = crop_face(frame, matrix[row[0]], CropConfig().size)
        painted = self._painter.paint(
            Canvas(
                crop[None], own, targets, library.crops[entries][None], library.meshes[entries][None], move.speech[None]
            ),
            person.finish,
        )

        def draw() -> np.ndarray:
            result = frame.copy()
            painted.draw(0, frame, matrix[row[0]], result, share)
            return result

        return draw if painted.has_numbers[0] else None, entries
