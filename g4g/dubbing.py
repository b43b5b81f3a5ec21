"""One video in, one video out."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from g4g.audio import log_mel, mel_windows, shared_windows, window_starts
from g4g.config import AudioConfig
from g4g.errors import ConfigError, FaceError, ResourceError
from g4g.faces import FaceTrack, crop_face, lower_half_mask, make_backend, track_faces
from g4g.fusion import compose_frame
from g4g.generator import choose_references, hide_lower_half
from g4g.generator.model import References
from g4g.media import MediaInfo, VideoWriter, probe, read_frames, read_waveform
from g4g.media.bounce import bounce_frames
from g4g.media.encode import choose_encoding
from g4g.media.probe import raise_fault
from g4g.media.sheet import paste_columns
from g4g.media.write import check_output
from g4g.zoo import DEFAULT_WEIGHTS, Models, load

_BATCH_FRAMES = 8
_SHEET_FRAMES = 8
_SHEET_TILE_PX = 256
LENGTHS = ("audio", "video")
NO_FACE = "no face"
NO_NUMBERS = "a network gave no numbers"
"""Why frames pass through."""
FRAME_SLACK = 0.05
"""Sound that reaches only so far into one more frame (share of it) does not get that frame."""
RATE_SLACK = 0.1
"""A frame may be off its constant rate by this share of a frame."""


@dataclass(frozen=True)
class DubbedFrame:
    """One frame of a dub before encoding; where the source passed through, `taken` is None and `passed` says why.

    `source` and `frame` are RGB (H, W, 3); `alpha` is (H, W, 1) where the output holds the source's transparency,
    else (H, W, 0).
    """

    source: np.ndarray
    frame: np.ndarray
    alpha: np.ndarray
    crop: np.ndarray | None
    taken: np.ndarray | None
    frame_to_crop: np.ndarray | None
    passed: str | None = None


@dataclass(frozen=True)
class DubReport:
    """What a dub did.

    `frames_passed` are the source's own, `passed_why` counts them by reason; `seconds` per stage; `warnings` are
    sentences on what the output lacks or has otherwise.
    """

    output: Path
    frames: int
    frames_dubbed: int
    frames_passed: int
    passed_why: dict[str, int]
    fps: float
    duration_s: float
    seconds: dict[str, float]
    sheet: Path | None
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        passed = "".join(f", {count} passed through ({why})" for why, count in self.passed_why.items())
        return f"{self.output}: {self.frames_dubbed} of {self.frames} frames dubbed{passed}, {self.duration_s:.2f} s"


@dataclass(frozen=True)
class _Person:
    """What a dub knows of its video before the first frame is made."""

    info: MediaInfo
    track: FaceTrack
    waveform: np.ndarray
    times_s: np.ndarray
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

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = DEFAULT_WEIGHTS, *, faces: str = "mediapipe", device: str = "cpu"
    ) -> Dubber:
        """Load weights by name or file, see `g4g.load`; `faces` names the face backend."""
        return cls(load(weights, device), faces, device)

    def dub(
        self, video: str | Path, audio: str | Path, out: str | Path, *, overwrite: bool = False, length: str = "audio",
        codec: str | None = None, crf: int | None = None, tolerant: bool = False, sheet: str | Path | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> DubReport:  # fmt: skip
        """Make the person in a video say the words of a sound.

        Args:
            video: a video, a still picture, or a folder of pictures.
            audio: a sound file, or a video with sound.
            out: the video to write, its ending decides the container; it appears whole or not at all.
            overwrite: replace an existing `out`.
            length: "audio": the video is cut to the sound, or plays to and fro until the sound ends;
                "video": the sound is cut, or followed by silence.
            codec: h264, hevc, vp9, av1 or prores, as the container allows; None takes its first.
            crf: quality on the codec's own scale, 0 is best; None takes our choice.
            tolerant: use what can be read of a damaged video, and say so; otherwise a fault is an error.
            sheet: PNG to draw, source above dubbed.
            progress: called with (stage, done, total).
        Returns:
            What was done.
        Raises:
            MediaError: a file cannot be read or written. FaceError: no face in any frame.
            ConfigError: settings that do not fit each other or the output's container.
        Source:
            Our choice.
        """
        self._seconds.clear()
        encoding = choose_encoding(Path(out), codec, crf)
        check_output(Path(out), overwrite, inputs=(video, audio))
        faults: list[str] = []
        person = self._look_at(video, audio, length, progress, faults.append if tolerant else raise_fault)
        info, passed, samples = person.info, Counter(), []
        alpha = info.has_alpha and encoding.holds_alpha
        count = len(person.times_s)
        wanted = set(np.linspace(0, count - 1, _SHEET_FRAMES).astype(int).tolist())
        duration_s = float(person.times_s[-1] + 1 / info.fps)
        with VideoWriter(
            out, info.width, info.height, info.fps, audio=audio, audio_duration_s=duration_s, overwrite=overwrite,
            codec=codec, crf=crf, colour=info.colour, pixel_aspect=info.pixel_aspect, alpha=alpha,
            times_s=None if has_constant_rate(person.times_s, info.fps) else person.times_s,
            source=None if info.is_still or info.path.is_dir() else info.path,
        ) as writer:  # fmt: skip
            for number, item in enumerate(self._make_frames(person, alpha)):
                with self._timed("encode"):
                    writer.write(np.concatenate([item.frame, item.alpha], axis=-1))
                passed += Counter([item.passed] if item.passed else [])
                if number in wanted:
                    samples.append(item)
                if progress:
                    progress("dub", number + 1, count)
        if sheet is not None:
            draw_sheet(samples, sheet)
        warnings = [*faults, *info.changes]
        if info.has_alpha and not alpha:
            warnings.append("the transparency of the video is left out: prores in .mov keeps it")
        return DubReport(
            Path(out), count, count - passed.total(), passed.total(), dict(passed), info.fps, duration_s,
            dict(self._seconds), sheet and Path(sheet),
            (*warnings, *writer.warnings),
        )  # fmt: skip

    def generate_frames(self, video: str | Path, audio: str | Path, *, length: str = "audio") -> Iterator[DubbedFrame]:
        """Yield the frames of a dub before encoding; arguments as for `dub`."""
        return self._make_frames(self._look_at(video, audio, length, None, raise_fault))

    def _look_at(self, video, audio, length, progress, on_fault) -> _Person:
        """Read the sound, follow the face and choose the references."""
        if length not in LENGTHS:
            raise ConfigError(f"length must be one of {', '.join(LENGTHS)}, got {length!r}")
        with self._timed("audio"):
            info, waveform = probe(video), read_waveform(audio)
        with self._timed("faces"):
            backend = make_backend(self._faces)
            frames = read_frames(video, on_fault=on_fault)
            track = track_faces(_report(frames, "faces", info.frame_count, progress), backend)
        if not track.found.any():
            raise FaceError(
                f"no face in any of the {len(track)} frames of {video}; a frontal face of at least 40 px is needed"
            )
        sound_s = len(waveform) / AudioConfig().sample_rate
        times_s = track.times_s if length == "video" else fit_times(track.times_s, info.fps, sound_s)
        with self._timed("references"):
            references = self._read_references(video, track)
        return _Person(info, track, waveform, times_s, references)

    @torch.no_grad()
    def _read_references(self, video, track: FaceTrack) -> References:
        rows = np.flatnonzero(track.found)
        landmarks = track.crop_landmarks(rows)
        best = choose_references(landmarks)
        chosen = rows[best]
        size = self._models.generator.crop.size
        crops = {}
        for number, item in enumerate(islice(read_frames(video, on_fault=_told), int(chosen.max()) + 1)):
            if number in chosen:
                crops[number] = crop_face(item.frame, track.frame_to_crop[number], size)
        pictures = self._to_tensor(np.stack([crops[number] for number in chosen.tolist()]))
        points = torch.from_numpy(landmarks[best]).to(self._device)
        return self._models.generator.encode_references(pictures[None], points[None])

    def _make_frames(self, person: _Person, alpha: bool = False) -> Iterator[DubbedFrame]:
        source = bounce_frames(person.info.path, len(person.track), len(person.times_s), alpha=alpha, on_fault=_told)
        times_s = iter(person.times_s)
        while batch := list(islice(source, _BATCH_FRAMES)):
            yield from self._dub_batch(person, batch, np.array(list(islice(times_s, len(batch)))))

    def _dub_batch(
        self, person: _Person, stored: list[tuple[int, np.ndarray]], times_s: np.ndarray
    ) -> list[DubbedFrame]:
        track = person.track
        batch = [(source, np.ascontiguousarray(frame[..., :3])) for source, frame in stored]
        alphas = [frame[..., 3:] for _, frame in stored]
        sources = np.array([source for source, _ in batch])
        has_face = np.flatnonzero(track.found[sources])
        made = {}
        if len(has_face):
            crops, taken = self._dub_parts(person, [batch[i] for i in has_face], times_s[has_face])
            numbers = np.isfinite(crops).all(axis=(1, 2, 3)) & np.isfinite(taken).all(axis=(1, 2))
            made = {int(i): (crops[k], taken[k]) for k, i in enumerate(has_face) if numbers[k]}
        results = []
        with self._timed("compose"):
            for i, (source, frame) in enumerate(batch):
                if i not in made:
                    why = NO_NUMBERS if track.found[source] else NO_FACE
                    results.append(DubbedFrame(frame, frame, alphas[i], None, None, None, why))
                    continue
                frame_to_crop = track.frame_to_crop[source]
                result = compose_frame(frame, *made[i], frame_to_crop)
                results.append(DubbedFrame(frame, result, alphas[i], *made[i], frame_to_crop))
        return results

    def _dub_parts(self, person: _Person, batch, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `_dub_crops`; where the memory does not hold the batch, half of it at a time."""
        try:
            return self._dub_crops(person, batch, times_s)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise ResourceError("the memory does not hold one frame's crop; close other programs") from error
        half = len(batch) // 2
        parts = [self._dub_parts(person, batch[part], times_s[part]) for part in (slice(half), slice(half, None))]
        return np.concatenate([crops for crops, _ in parts]), np.concatenate([taken for _, taken in parts])

    @torch.no_grad()
    def _dub_crops(self, person: _Person, batch, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Generate and fuse crops: (B, size, size, 3) in [0, 255], and the share taken (B, size, size)."""
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
            output = models.generator(hide_lower_half(crops), landmarks, audio, person.references.repeat(len(batch)))
            generated = torch.cat([crops[:, :, : models.generator.top], output.picture.clamp(-1, 1)], 2)
        with self._timed("fusion"):
            fused, taken = models.fusion(generated, crops, torch.from_numpy(masks).to(self._device)[:, None])
        pictures = ((fused + 1) * 127.5).permute(0, 2, 3, 1)
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


def fit_times(own_s: np.ndarray, fps: float, duration_s: float) -> np.ndarray:
    """Tell when each frame of a dub is shown: at the video's own times once, then, played to and fro, every 1 / fps.

    Args:
        own_s: times of the video's frames, shape (T,), rising from 0.
        fps: its mean rate.
        duration_s: what the frames have to fill.
    Returns:
        times in seconds, shape (N,), N at least 1.
    """
    slack_s = FRAME_SLACK / fps
    kept = own_s[: max(int(np.searchsorted(own_s, duration_s - slack_s)), 1)]
    end_s = own_s[-1] + 1 / fps
    more = max(math.ceil((duration_s - slack_s - end_s) * fps), 0)
    return np.concatenate([kept, end_s + np.arange(more) / fps])


def has_constant_rate(times_s: np.ndarray, fps: float) -> bool:
    """Tell whether frames follow each other at `fps`, within the milliseconds to which some containers round."""
    return bool(np.abs(times_s * fps - np.arange(len(times_s))).max() < RATE_SLACK)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, the machine's or the accelerator's, ran out."""
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or ("alloc" in words and "memory" in words)


def _told(sentence: str) -> None:
    """Pass over a fault that the first reading of the video has reported."""


def draw_sheet(items: list[DubbedFrame], path: str | Path) -> None:
    """Draw a contact sheet: rows of source, dubbed, and both mouths enlarged."""
    columns = []
    for item in items:
        tiles = [item.source, item.frame]
        if item.frame_to_crop is not None:
            tiles += [crop_face(picture, item.frame_to_crop, 128)[56:, 16:112] for picture in tiles]
        columns.append(tiles)
    paste_columns(columns, _SHEET_TILE_PX).save(path)


def _report(frames, stage: str, total: int, progress) -> Iterator:
    for number, item in enumerate(frames, 1):
        yield item
        if progress:
            progress(stage, number, max(total, number))
