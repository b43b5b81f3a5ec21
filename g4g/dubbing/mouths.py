"""Make the frames of a dub: crops in, networks, new mouths out and into their frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice

import numpy as np
import torch
from torch.nn import functional

from g4g.config import MOST_EMPHASIS
from g4g.dubbing.cast import Cast, Role, ShownFace
from g4g.dubbing.casting import pass_over
from g4g.dubbing.clock import Clock
from g4g.dubbing.plan import NO_NUMBERS
from g4g.dubbing.report import DubbedFace, DubbedFrame
from g4g.dubbing.speech import embed_sound
from g4g.errors import ResourceError
from g4g.faces import crop_face, lower_half_mask, refine_crop
from g4g.faces.follow import MOST_FACES
from g4g.fusion import compose_frame
from g4g.generator import hide_lower_half, reduce_pictures, to_tensor
from g4g.generator.model import References
from g4g.media.bounce import bounce_frames
from g4g.zoo import Models

BATCH_FRAMES = 8


@dataclass(frozen=True)
class _Person:
    references: References
    emphasis: float


class Mouths:
    """Makes the mouths of one dub; `batch_frames` is how many at a time the memory has held so far."""

    def __init__(self, models: Models, device: str, clock: Clock, emphasis: float) -> None:
        self._models, self._device, self._clock, self._emphasis = models, device, clock, emphasis
        self.batch_frames = BATCH_FRAMES

    def make_frames(self, cast: Cast, alpha: bool = False) -> Iterator[DubbedFrame]:
        """Yield the frames of a dub before encoding; `alpha`: with the source's transparency."""
        plan, first = cast.plan, 0
        # Encoded references are ten times as large as their crops, and scenes are many.
        encode = lru_cache(MOST_FACES)(lambda *key: self._prepare(cast.roles[key[0]].references[key[1]][key[2]]))
        frames = bounce_frames(cast.info.path, len(cast.tracks), len(plan), alpha=alpha, on_fault=pass_over)
        while batch := list(islice(frames, BATCH_FRAMES)):
            yield from self._dub_batch(cast, batch, first, encode)
            first += len(batch)

    @torch.no_grad()
    def _prepare(self, shown: ShownFace) -> _Person:
        points = torch.from_numpy(shown.landmarks).to(self._device)
        crops = to_tensor(shown.crops).to(self._device)
        references = self._models.generator.encode_references(crops[None], points[None])
        return _Person(references, min(self._emphasis * shown.reach, MOST_EMPHASIS))

    def _dub_batch(self, cast: Cast, stored: list[tuple[int, np.ndarray]], first: int, encode) -> list[DubbedFrame]:
        """Dub the plan's frames from number `first` on."""
        batch = [(source, np.ascontiguousarray(frame[..., :3])) for source, frame in stored]
        made: list[list[DubbedFace]] = [[] for _ in batch]
        for number, role in enumerate(cast.roles):
            faces = role.faces[[source for source, _ in batch]]
            wanted = np.array([role.plan.passed[first + i] is None for i in range(len(batch))])
            for face in np.unique(faces[wanted]).tolist():
                places = np.flatnonzero(wanted & (faces == face))
                done = self._dub_face(role, face, partial(encode, number, face), batch, first, places)
                for i, dubbed in zip(places.tolist(), done, strict=True):
                    if dubbed is not None:
                        made[i].append(dubbed)
        results = []
        with self._clock.timed("compose"):
            for i, (_, frame) in enumerate(batch):
                result = frame
                for face in made[i]:
                    finer = len(face.crop) // self._models.generator.crop.size
                    result = compose_frame(result, face.crop, face.taken, refine_crop(face.frame_to_crop, finer))
                why = None if made[i] else cast.plan.passed[first + i] or NO_NUMBERS
                results.append(DubbedFrame(frame, result, stored[i][1][..., 3:], tuple(made[i]), why))
        return results

    def _dub_face(self, role: Role, face: int, encode, batch, first: int, places: np.ndarray):
        """Dub one face in the given places of a batch; None where a network gave no numbers."""
        sources, times_s = [batch[i][0] for i in places], role.plan.times_s[first + places] - role.plan.span_s[0]
        made = []
        for pose, shown in enumerate(role.references[face]):
            shares = shown.shares[sources].astype(np.float32)
            if (used := np.flatnonzero(shares)).size:
                parts = self._dub_parts(role, encode(pose), [batch[i] for i in places[used]], times_s[used])
                made.append((used, shares[used], *parts))
        crops, taken = (np.zeros((len(places), *part.shape[1:]), np.float32) for part in made[0][2:])
        for used, shares, some, masks in made:
            crops[used] += shares[:, None, None, None] * some
            taken[used] += shares[:, None, None] * masks
        eased = role.plan.shares[first + places].astype(np.float32)
        numbers = np.isfinite(crops).all(axis=(1, 2, 3)) & np.isfinite(taken).all(axis=(1, 2))
        return [
            DubbedFace(crops[k], taken[k] * eased[k], role.track.frame_to_crop[source]) if numbers[k] else None
            for k, source in enumerate(sources)
        ]

    def _dub_parts(self, role: Role, person: _Person, batch, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `_dub_crops`; where the memory does not hold so many frames, from then on half as many at a time."""
        parts, done = [], 0
        while done < len(batch):
            part = slice(done, done + self.batch_frames)
            try:
                parts.append(self._dub_crops(role, person, batch[part], times_s[part]))
                done = part.stop
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_frames == 1:
                    raise ResourceError("the memory does not hold one frame's crop; close other programs") from error
                self.batch_frames //= 2
        return np.concatenate([crops for crops, _ in parts]), np.concatenate([taken for _, taken in parts])

    @torch.no_grad()
    def _dub_crops(self, role: Role, person: _Person, batch, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Generate and fuse crops, fine as the references: (B, s, s, 3) in [0, 255]; the share taken (B, s, s)."""
        models = self._models
        with self._clock.timed("crop"):
            sources = [source for source, _ in batch]
            matrices = role.track.frame_to_crop[sources]
            painted, size = models.generator.config.finer, models.generator.size
            frames = zip((frame for _, frame in batch), refine_crop(matrices, painted), strict=True)
            crops = to_tensor(np.stack([crop_face(*pair, size) for pair in frames])).to(self._device)
            points = role.track.steady_landmarks[sources]
            masks = np.stack([lower_half_mask(p) for p in points])
        with self._clock.timed("aligner"):
            count = models.generator.config.audio_windows
            audio = embed_sound(models.aligner, role.waveform, times_s, count, self._device)
        with self._clock.timed("generator"):
            landmarks = torch.from_numpy(points).to(self._device)
            shown = person.references.repeat(len(batch))
            output = models.generator(hide_lower_half(crops), landmarks, audio, shown, person.emphasis)
            generated = torch.cat([crops[:, :, : models.generator.top], output.picture.clamp(-1, 1)], 2)
        with self._clock.timed("fusion"):
            generated, crops = (reduce_pictures(x, painted) for x in (generated, crops))
            fused, taken = models.fusion(generated, crops, torch.from_numpy(masks).to(self._device)[:, None])
        with self._clock.timed("detail"):
            drawn = models.generator.render_fine(output, shown)
            finer = drawn.shape[-1] // models.generator.crop.size
            # Light and colour are enlarged; what fusion left as it was generated is drawn anew.
            pictures = functional.interpolate(fused - generated, scale_factor=finer, mode="bilinear")
            pictures[:, :, -drawn.shape[2] :] += drawn
            taken = functional.interpolate(taken, scale_factor=finer, mode="bilinear")
        pictures = ((pictures + 1) * 127.5).permute(0, 2, 3, 1)
        return pictures.cpu().numpy(), taken[:, 0].cpu().numpy()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, the machine's or the accelerator's, ran out."""
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or ("alloc" in words and "memory" in words)
