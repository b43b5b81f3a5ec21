"""The Dubber: read, look, dub, write."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from g4g.audio import log_mel, mel_windows, shared_windows, window_starts
from g4g.config import AudioConfig
from g4g.dubbing.offsets import OffsetMeter, describe_offset
from g4g.dubbing.plan import NO_NUMBERS, Plan, compare_sounds, has_constant_rate, plan_frames
from g4g.dubbing.report import DubbedFrame, DubReport, draw_sheet
from g4g.errors import FaceError, MediaError, ResourceError
from g4g.faces import FaceTrack, crop_face, lower_half_mask, make_backend, refine_crop, track_faces
from g4g.fusion import compose_frame
from g4g.generator import add_gallery, choose_references, hide_lower_half
from g4g.generator.model import References
from g4g.media import MediaInfo, VideoWriter, pick_frames, probe, read_frames, read_waveform
from g4g.media.bounce import bounce_frames
from g4g.media.decode import raise_fault
from g4g.media.encode import choose_encoding
from g4g.media.sheet import check_sheet
from g4g.media.write import check_output
from g4g.zoo import DEFAULT_WEIGHTS, Models, load

_BATCH_FRAMES = 8
_MOST_FINER = 4
"""Crops of references have at most so many times the networks' pixels each way: detail of faces up to 512 px."""
_SHEET_FRAMES = 8


@dataclass(frozen=True)
class _Person:
    """What a dub knows before the first frame is made; the lips follow `waveform`, what is heard lasts `sound_s`."""

    info: MediaInfo
    track: FaceTrack
    waveform: np.ndarray
    sound_s: float
    plan: Plan
    references: References


class Dubber:
    """Dub videos with one set of weights.

    Example:
        >>> import g4g
        >>> dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    """

    def __init__(self, models: Models, faces: str = "mediapipe", device: str = "cpu") -> None:
        self._models, self._faces, self._device = models, faces, device
        self._seconds: dict[str, float] = defaultdict(float)
        self._batch_frames = _BATCH_FRAMES

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = DEFAULT_WEIGHTS, *, faces: str = "mediapipe", device: str = "cpu"
    ) -> Dubber:
        """Load weights by name or file, see `g4g.load`; `faces` names the face backend."""
        return cls(load(weights, device), faces, device)

    def dub(
        self, video: str | Path, audio: str | Path, out: str | Path, *, voice: str | Path | None = None,
        overwrite: bool = False, length: str = "audio", start_s: float | None = None, end_s: float | None = None,
        mix: str = "replace", codec: str | None = None, crf: int | None = None, tolerant: bool = False,
        dry_run: bool = False, sheet: str | Path | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> DubReport:  # fmt: skip
        """Make the person in a video say the words of a sound.

        Args:
            video: a video, a still picture, or a folder of pictures.
            audio: what is heard: a sound file, or a video with sound.
            out: the video to write, its ending decides the container; it appears whole or not at all.
            voice: what the lips say, where `audio` has more than it (music, noise); they start together, and where
                they do not last equally long, `audio` counts: the lips rest after a shorter voice, a longer one is cut.
            overwrite: replace an existing `out`.
            length: "audio": the video is cut to the sound, or plays to and fro until the sound ends;
                "video": the sound is cut, or followed by silence.
            start_s: where in the video the sound starts; before it all stays as it is, and the length is "video".
            end_s: where the sound is cut; after it all stays as it is. None, with a start: where the sound ends.
            mix: what becomes of the video's own sound meanwhile: "replace" removes it, "keep" leaves it beneath the
                new one, "duck" lowers it while the new one speaks.
            codec: h264, hevc, vp9, av1 or prores, as the container allows; None takes its first.
            crf: quality on the codec's own scale, 0 is best; None takes our choice.
            tolerant: use what can be read of a damaged video, and say so; otherwise a fault is an error.
            dry_run: look for the face and report what would be done, but write nothing.
            sheet: picture to draw (.png or the like), source above dubbed; an old one is replaced.
            progress: called with (stage, done, total).
        Returns:
            What was done.
        Raises:
            MediaError: a file cannot be read or written. FaceError: no face in any frame.
            ConfigError: settings that do not fit each other or the output's container.
            ResourceError: the memory does not hold one frame.
        Source:
            Our choice.
        """
        self._seconds.clear()
        self._batch_frames = _BATCH_FRAMES
        encoding = choose_encoding(Path(out), codec, crf)
        inputs = [file for file in (video, audio, voice) if file]
        check_output(Path(out), overwrite, inputs)
        if sheet is not None:
            check_sheet(Path(sheet), inputs)
        faults: list[str] = []
        on_fault = faults.append if tolerant else raise_fault
        person = self._look_at(video, audio, voice, length, start_s, end_s, progress, on_fault)
        info, plan = person.info, person.plan
        alpha = info.has_alpha and encoding.holds_alpha
        lost = (
            ["the transparency of the video is left out: vp9 in .webm and prores in .mov keep it"]
            if info.has_alpha and not alpha
            else []
        )
        writer = VideoWriter(
            out, info.width, info.height, info.fps, audio=audio, span_s=plan.span_s, mix=mix, overwrite=overwrite,
            codec=codec, crf=crf, colour=info.colour, pixel_aspect=info.pixel_aspect, alpha=alpha,
            times_s=None if has_constant_rate(plan.times_s, info.fps) else plan.times_s,
            source=None if info.is_still or info.path.is_dir() else info.path,
        )  # fmt: skip
        meter = OffsetMeter()
        passed = list(plan.passed) if dry_run else self._write(person, writer, alpha, sheet, progress, meter)
        offsets = self._tell_offsets(person, meter)
        passed_why = Counter(why for why in passed if why)
        return DubReport(
            output=Path(out), frames=len(plan), frames_dubbed=len(plan) - passed_why.total(),
            frames_passed=passed_why.total(), passed_why=dict(passed_why), fps=info.fps, duration_s=plan.duration_s,
            seconds=dict(self._seconds), sheet=Path(sheet) if sheet and not dry_run else None,
            warnings=(*faults, *info.changes, *lost, *writer.warnings, *self._describe_run(person, offsets)),
            offsets=offsets, dry_run=dry_run,
        )  # fmt: skip

    def generate_frames(self, video: str | Path, audio: str | Path, *, length: str = "audio") -> Iterator[DubbedFrame]:
        """Yield the frames of a dub before encoding; arguments as for `dub`."""
        return self._make_frames(self._look_at(video, audio, None, length, None, None, None, raise_fault))

    def _write(self, person: _Person, writer: VideoWriter, alpha: bool, sheet, progress, meter) -> list[str | None]:
        """Make and encode all frames; return why each passed through, None where it was dubbed."""
        passed, samples, count = [], [], len(person.plan)
        wanted = set(np.linspace(0, count - 1, _SHEET_FRAMES).astype(int).tolist())
        with writer:
            for number, item in enumerate(self._make_frames(person, alpha)):
                with self._timed("encode"):
                    writer.write(np.concatenate([item.frame, item.alpha], axis=-1))
                passed.append(item.passed)
                if number < len(person.track):  # afterwards it plays to and fro
                    meter.add(person.plan.times_s[number], item)
                if number in wanted:
                    samples.append(item)
                if progress:
                    progress("dub", number + 1, count)
        if sheet is not None:
            draw_sheet(samples, sheet)
        return passed

    def _tell_offsets(self, person: _Person, meter: OffsetMeter) -> dict[str, float]:
        """Tell how far sound and lips are apart in the source and in the dub, where that is clear."""
        if not meter.has_enough:
            return {}
        aligner = self._models.aligner
        with self._timed("offsets"):
            told = {"dubbed": meter.tell(aligner, meter.dubbed, person.waveform, person.plan.span_s[0])}
            if person.info.has_audio:
                with suppress(MediaError):  # its own sound may be damaged: nobody asked for it
                    told["source"] = meter.tell(aligner, meter.source, read_waveform(person.info.path), 0.0)
        return {name: round(offset, 2) for name, offset in told.items() if offset is not None}

    def _look_at(self, video, audio, voice, length, start_s, end_s, progress, on_fault) -> _Person:
        """Read the sound, follow the face, plan the frames and choose the references."""
        with self._timed("audio"):
            info, waveform = probe(video), read_waveform(voice or audio)
            sound_s = _duration_s(read_waveform(audio) if voice else waveform)
        with self._timed("faces"):
            backend = make_backend(self._faces)
            frames = read_frames(video, on_fault=on_fault)
            track = track_faces(_report(frames, "faces", info.frame_count, progress), backend)
        if not track.found.any():
            raise FaceError(
                f"no face in any of the {len(track)} frames of {video}; a frontal face of at least 40 px is needed"
            )
        plan = plan_frames(track, info.fps, sound_s, length, start_s, end_s)
        with self._timed("references"):
            references = self._read_references(video, track)
        return _Person(info, track, waveform, sound_s, plan, references)

    @torch.no_grad()
    def _read_references(self, video, track: FaceTrack) -> References:
        rows = np.flatnonzero(track.found)
        landmarks = track.crop_landmarks(rows)
        best = choose_references(landmarks)
        chosen = rows[best]
        size = self._models.generator.crop.size
        finer = choose_finer(track.frame_to_crop[chosen], size)
        matrices = refine_crop(track.frame_to_crop, finer)
        frames = pick_frames(video, chosen, on_fault=_told)
        crops = {number: crop_face(frame, matrices[number], size * finer) for number, frame in frames}
        pictures, points = np.stack([crops[number] for number in chosen.tolist()]), landmarks[best]
        if self._models.gallery is not None:
            pictures, points = add_gallery(self._models.gallery, landmarks, pictures, points)
        return self._models.generator.encode_references(
            self._to_tensor(pictures)[None], torch.from_numpy(points).to(self._device)[None]
        )

    def _make_frames(self, person: _Person, alpha: bool = False) -> Iterator[DubbedFrame]:
        plan, first = person.plan, 0
        frames = bounce_frames(person.info.path, len(person.track), len(plan), alpha=alpha, on_fault=_told)
        while batch := list(islice(frames, _BATCH_FRAMES)):
            yield from self._dub_batch(person, batch, first)
            first += len(batch)

    def _dub_batch(self, person: _Person, stored: list[tuple[int, np.ndarray]], first: int) -> list[DubbedFrame]:
        """Dub the plan's frames from number `first` on."""
        track, plan = person.track, person.plan
        batch = [(source, np.ascontiguousarray(frame[..., :3])) for source, frame in stored]
        alphas = [frame[..., 3:] for _, frame in stored]
        passed = plan.passed[first : first + len(batch)]
        shares = plan.shares[first : first + len(batch)].astype(np.float32)
        sound_s = plan.times_s[first : first + len(batch)] - plan.span_s[0]
        wanted = [i for i, why in enumerate(passed) if why is None]
        made = {}
        if wanted:
            crops, taken = self._dub_parts(person, [batch[i] for i in wanted], sound_s[wanted])
            numbers = np.isfinite(crops).all(axis=(1, 2, 3)) & np.isfinite(taken).all(axis=(1, 2))
            made = {i: (crops[k], taken[k] * shares[i]) for k, i in enumerate(wanted) if numbers[k]}
        results = []
        with self._timed("compose"):
            for i, (source, frame) in enumerate(batch):
                if i not in made:
                    why = passed[i] or NO_NUMBERS
                    results.append(DubbedFrame(frame, frame, alphas[i], None, None, None, why))
                    continue
                frame_to_crop = track.frame_to_crop[source]
                finer = len(made[i][0]) // self._models.generator.crop.size
                result = compose_frame(frame, *made[i], refine_crop(frame_to_crop, finer))
                results.append(DubbedFrame(frame, result, alphas[i], *made[i], frame_to_crop))
        return results

    def _dub_parts(self, person: _Person, batch, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `_dub_crops`; where the memory does not hold so many frames, from then on half as many at a time."""
        parts, done = [], 0
        while done < len(batch):
            part = slice(done, done + self._batch_frames)
            try:
                parts.append(self._dub_crops(person, batch[part], times_s[part]))
                done = part.stop
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._batch_frames == 1:
                    raise ResourceError("the memory does not hold one frame's crop; close other programs") from error
                self._batch_frames //= 2
        return np.concatenate([crops for crops, _ in parts]), np.concatenate([taken for _, taken in parts])

    def _describe_run(self, person: _Person, offsets: dict[str, float]) -> list[str]:
        """Say in a sentence each what was not as usual."""
        count = self._batch_frames
        short = [f"the memory was short: {count} instead of {_BATCH_FRAMES} frames were made at a time"]
        return [
            *compare_sounds(_duration_s(person.waveform), person.sound_s),
            *describe_offset(offsets),
            *(short if count < _BATCH_FRAMES else []),
        ]

    @torch.no_grad()
    def _dub_crops(self, person: _Person, batch, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Generate and fuse crops, fine as the references: (B, s, s, 3) in [0, 255]; the share taken (B, s, s)."""
        models = self._models
        with self._timed("crop"):
            sources = [source for source, _ in batch]
            matrices = person.track.frame_to_crop[sources]
            crops = self._to_tensor(
                np.stack(
                    [crop_face(f, m, models.generator.crop.size) for (_, f), m in zip(batch, matrices, strict=True)]
                )
            )
            points = person.track.crop_landmarks(sources)
            masks = np.stack([lower_half_mask(p) for p in points])
        with self._timed("aligner"):
            audio = self._embed_sound(person.waveform, times_s)
        with self._timed("generator"):
            landmarks = torch.from_numpy(points).to(self._device)
            references = person.references.repeat(len(batch))
            output = models.generator(hide_lower_half(crops), landmarks, audio, references)
            generated = torch.cat([crops[:, :, : models.generator.top], output.picture.clamp(-1, 1)], 2)
        with self._timed("fusion"):
            fused, taken = models.fusion(generated, crops, torch.from_numpy(masks).to(self._device)[:, None])
        with self._timed("detail"):
            finer = references.fine.shape[-1] // models.generator.crop.size
            # Light and colour are enlarged; what fusion left as it was generated is drawn anew.
            pictures = functional.interpolate(fused - generated, scale_factor=finer, mode="bilinear")
            pictures[:, :, models.generator.top * finer :] += models.generator.render_fine(output, references)
            taken = functional.interpolate(taken, scale_factor=finer, mode="bilinear")
        pictures = ((pictures + 1) * 127.5).permute(0, 2, 3, 1)
        return pictures.cpu().numpy(), taken[:, 0].cpu().numpy()

    def _embed_sound(self, waveform: np.ndarray, times_s: np.ndarray) -> torch.Tensor:
        """Embed the sync windows around each frame, (B, audio_windows, D); only the span needed is analysed."""
        times, where = shared_windows(times_s, self._models.generator.config.audio_windows)
        starts = window_starts(times)
        first = int(starts[0])
        mel = log_mel(waveform, first, int(starts[-1]) + AudioConfig().window_mel_steps - first)
        sound = torch.from_numpy(mel_windows(mel, times, first_step=first)).to(self._device)
        return self._models.aligner.embed_audio(sound)[where]

    def _to_tensor(self, crops: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._seconds[stage] += time.perf_counter() - started


def _duration_s(waveform: np.ndarray) -> float:
    return len(waveform) / AudioConfig().sample_rate


def choose_finer(frame_to_crop: np.ndarray, size: int) -> int:
    """Say how many times finer than `size` crops must be to hold what the frames hold, affines (N, 2, 3)."""
    side_px = size / np.sqrt(abs(np.linalg.det(frame_to_crop[:, :, :2]))).mean()
    return int(np.clip(np.ceil(side_px / size), 2, _MOST_FINER))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, the machine's or the accelerator's, ran out."""
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or ("alloc" in words and "memory" in words)


def _told(sentence: str) -> None:
    """Pass over a fault that the first reading of the video has reported."""


def _report(frames, stage: str, total: int, progress) -> Iterator:
    for number, item in enumerate(frames, 1):
        yield item
        if progress:
            progress(stage, number, max(total, number))
