"""The Dubber: read, look, dub, write."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from g4g.config import AudioConfig
from g4g.dubbing.cache import TrackCache
from g4g.dubbing.cast import Cast, Role, ShownFace, list_voices, tell_away
from g4g.dubbing.offsets import OffsetMeter, describe_offset
from g4g.dubbing.people import (
    SPEAKER,
    Appearance,
    Face,
    choose_faces,
    describe_faces,
    find_turned,
    list_appearances,
    parse_face,
)
from g4g.dubbing.plan import (
    NO_NUMBERS,
    compare_sounds,
    has_constant_rate,
    join_plans,
    plan_frames,
)
from g4g.dubbing.report import DubbedFace, DubbedFrame, DubReport, draw_faces, draw_sheet
from g4g.dubbing.speech import embed_sound, measure_fit, needs_sound
from g4g.errors import FaceError, MediaError, ResourceError
from g4g.faces import FaceTrack, FaceTracks, crop_face, follow_faces, lower_half_mask, make_backend, refine_crop
from g4g.faces.follow import MOST_FACES
from g4g.fusion import compose_frame
from g4g.generator import add_gallery, choose_references, hide_lower_half
from g4g.generator.model import References
from g4g.media import MediaInfo, VideoWriter, pick_frames, probe, read_frames, read_waveform
from g4g.media.bounce import bounce_frames
from g4g.media.decode import raise_fault
from g4g.media.encode import choose_encoding
from g4g.media.mix import mixed_sound
from g4g.media.sheet import check_sheet
from g4g.media.write import check_output
from g4g.zoo import DEFAULT_WEIGHTS, Models, load

_BATCH_FRAMES = 8
_MOST_FINER = 4
"""Crops of references have at most so many times the networks' pixels each way: detail of faces up to 512 px."""
_SHEET_FRAMES = 8


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
        self, video: str | Path, audio: str | Path | None, out: str | Path, *, voice: str | Path | None = None,
        face: str | int | tuple[float, float] | None = None, speakers: dict[int, str | Path] | None = None,
        overwrite: bool = False, length: str = "audio", start_s: float | None = None, end_s: float | None = None,
        mix: str = "replace", codec: str | None = None, crf: int | None = None, tolerant: bool = False,
        dry_run: bool = False, sheet: str | Path | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> DubReport:  # fmt: skip
        """Make the person in a video say the words of a sound.

        Args:
            video: a video, a still picture, or a folder of pictures.
            audio: what is heard: a sound file, or a video with sound; with `speakers` None hears them all together.
            out: the video to write, its ending decides the container; it appears whole or not at all.
            voice: what the lips say, where `audio` has more than it (music, noise); they start together, and where
                they do not last equally long, `audio` counts: the lips rest after a shorter voice, a longer one is cut.
            face: who is dubbed. "speaker", which None takes: in each scene (from one cut to the next) whose mouth is
                largest, moves most and fits the video's own sound best; a face that is alone, always. "left", "right"
                (of the picture), "largest": also chosen anew in each scene. A number, as `list_faces` gives them, or a
                pixel (x, y) inside the face: this person wherever seen, and nobody else.
            speakers: number of a face -> its own sound, all starting together; instead of `face` and `voice`.
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
            MediaError: a file cannot be read or written. FaceError: no face that can be dubbed, or not the asked one.
            ConfigError: settings that do not fit each other or the output's container.
            ResourceError: the memory does not hold one frame.
        Source:
            Our choice.
        """
        self._seconds.clear()
        self._batch_frames = _BATCH_FRAMES
        encoding = choose_encoding(Path(out), codec, crf)
        voices = list_voices(audio, voice, face, speakers)
        inputs = [file for file in (video, audio, *voices.values()) if file]
        check_output(Path(out), overwrite, inputs)
        if sheet is not None:
            check_sheet(Path(sheet), inputs)
        faults: list[str] = []
        on_fault = faults.append if tolerant else raise_fault
        cast = self._look_at(video, audio, voices, face, length, start_s, end_s, progress, on_fault)
        info, plan = cast.info, cast.plan
        alpha = info.has_alpha and encoding.holds_alpha
        lost = (
            ["the transparency of the video is left out: vp9 in .webm and prores in .mov keep it"]
            if info.has_alpha and not alpha
            else []
        )
        meter = OffsetMeter()
        with ExitStack() as stack:
            heard = stack.enter_context(mixed_sound(list(voices.values()))) if audio is None else audio
            writer = VideoWriter(
                out, info.width, info.height, info.fps, audio=heard, span_s=plan.span_s, mix=mix, overwrite=overwrite,
                codec=codec, crf=crf, colour=info.colour, pixel_aspect=info.pixel_aspect, alpha=alpha,
                times_s=None if has_constant_rate(plan.times_s, info.fps) else plan.times_s,
                source=None if info.is_still or info.path.is_dir() else info.path,
            )  # fmt: skip
            passed = list(plan.passed) if dry_run else self._write(cast, writer, alpha, sheet, progress, meter)
        offsets = self._tell_offsets(cast, meter)
        passed_why = Counter(why for why in passed if why)
        return DubReport(
            output=Path(out), frames=len(plan), frames_dubbed=len(plan) - passed_why.total(),
            frames_passed=passed_why.total(), passed_why=dict(passed_why), fps=info.fps, duration_s=plan.duration_s,
            faces=cast.faces, cuts_s=tuple(np.round(cast.tracks.times_s[cast.tracks.cuts], 3).tolist()),
            seconds=dict(self._seconds), sheet=Path(sheet) if sheet and not dry_run else None,
            warnings=(
                *faults, *info.changes, *lost, *cast.warnings, *writer.warnings, *self._describe_run(offsets)
            ),
            offsets=offsets, dry_run=dry_run,
        )  # fmt: skip

    def list_faces(
        self, video: str | Path, *, sheet: str | Path | None = None, tolerant: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> tuple[Face, ...]:  # fmt: skip
        """Tell who is in a video: everybody's number, place, size and share of the speaking.

        Args:
            video: a video, a still picture, or a folder of pictures.
            sheet: PNG to draw, a picture of each face with its number.
            tolerant: as for `dub`.
            progress: called with (stage, done, total).
        Returns:
            Faces in the order of their numbers; `chosen` are those that `dub` takes by default. Empty: no face at all.
        Raises:
            MediaError: the file cannot be read, or the sheet not be written.
        Source:
            Our choice.
        """
        if sheet is not None:
            check_sheet(Path(sheet), [video])
        info = probe(video)
        tracks, _ = self._follow(video, info, progress, _told if tolerant else raise_fault)
        if not len(tracks.faces):
            return ()
        appearances, _ = self._measure_speech(video, info, tracks)
        if sheet is not None:
            draw_faces(tracks, video, Path(sheet))
        return describe_faces(tracks, appearances, info.fps, set(choose_faces(tracks, appearances, None).tolist()))

    def generate_frames(
        self, video: str | Path, audio: str | Path, *, length: str = "audio",
        face: str | int | tuple[float, float] | None = None,
    ) -> Iterator[DubbedFrame]:  # fmt: skip
        """Yield the frames of a dub before encoding; arguments as for `dub`."""
        cast = self._look_at(video, audio, {None: audio}, face, length, None, None, None, raise_fault)
        return self._make_frames(cast)

    def _write(self, cast: Cast, writer: VideoWriter, alpha: bool, sheet, progress, meter) -> list[str | None]:
        """Make and encode all frames; return why each passed through, None where it was dubbed."""
        passed, samples, count = [], [], len(cast.plan)
        wanted = set(np.linspace(0, count - 1, _SHEET_FRAMES).astype(int).tolist())
        with writer:
            for number, item in enumerate(self._make_frames(cast, alpha)):
                with self._timed("encode"):
                    writer.write(np.concatenate([item.frame, item.alpha], axis=-1))
                passed.append(item.passed)
                if number < len(cast.tracks):  # afterwards it plays to and fro
                    meter.add(cast.plan.times_s[number], item)
                if number in wanted:
                    samples.append(item)
                if progress:
                    progress("dub", number + 1, count)
        if sheet is not None:
            draw_sheet(samples, sheet)
        return passed

    def _tell_offsets(self, cast: Cast, meter: OffsetMeter) -> dict[str, float]:
        """Tell how far sound and lips are apart in source and dub, where that is clear and only one sound drives."""
        if len(cast.roles) > 1 or not meter.has_enough:
            return {}
        aligner = self._models.aligner
        with self._timed("offsets"):
            told = {"dubbed": meter.tell(aligner, meter.dubbed, cast.roles[0].waveform, cast.plan.span_s[0])}
            if cast.info.has_audio:
                with suppress(MediaError):  # its own sound may be damaged: nobody asked for it
                    told["source"] = meter.tell(aligner, meter.source, read_waveform(cast.info.path), 0.0)
        return {name: round(offset, 2) for name, offset in told.items() if offset is not None}

    def _look_at(self, video, audio, voices, face, length, start_s, end_s, progress, on_fault) -> Cast:
        """Read the sounds, follow the faces, choose whom to dub, plan the frames and choose the references."""
        with self._timed("audio"):
            info = probe(video)
            waveforms = {number: read_waveform(voice) for number, voice in voices.items()}
            lengths_s = [_duration_s(waveform) for waveform in waveforms.values()]
            is_heard = audio is None or list(voices.values()) == [audio]
            sound_s = max(lengths_s) if is_heard else _duration_s(read_waveform(audio))
        tracks, warnings = self._follow(video, info, progress, on_fault)
        if not len(tracks.faces):
            raise FaceError(
                f"no face in any of the {len(tracks)} frames of {video}; a frontal face of at least 40 px is needed"
            )
        appearances, more = self._measure_speech(video, info, tracks, parse_face(face) == SPEAKER and None in voices)
        turned, parts = find_turned(tracks), []
        for number, waveform in waveforms.items():
            chosen = choose_faces(tracks, appearances, face if number is None else number)
            track = tracks.select(chosen)
            away = tell_away(tracks, track, turned & (tracks.faces == chosen[tracks.scenes[tracks.frames]]))
            plan = plan_frames(track, away, info.fps, sound_s, length, start_s, end_s)
            parts.append((track, np.where(np.equal(away, None), chosen[tracks.scenes], -1), waveform, plan))
        if all((faces < 0).all() for _, faces, _, _ in parts):
            raise FaceError(f"no face in {video} can be dubbed: all are turned aside; a frontal one is needed")
        with self._timed("references"):
            shown = self._read_references(video, [(track, faces) for track, faces, _, _ in parts])
        roles = [Role(*part, references) for part, references in zip(parts, shown, strict=True)]
        dubbed = {face for role in roles for face in role.references}
        faces = describe_faces(tracks, appearances, info.fps, dubbed)
        if face is None and None in voices and needs_sound(appearances):
            names = ", ".join(map(str, sorted(dubbed)))
            more.append(
                f"{len(faces)} faces: dubbed {names}, the one that speaks in each scene; --face chooses another, "
                "g4g faces shows their numbers"
            )
        more += compare_sounds(max(lengths_s), sound_s)
        return Cast(info, roles, join_plans([role.plan for role in roles]), tracks, faces, warnings + more)

    def _follow(self, video, info: MediaInfo, progress, on_fault) -> tuple[FaceTracks, list[str]]:
        """Follow all faces, or take the tracks that an earlier run kept; also say what went wrong in keeping them."""
        cache, path, faults = TrackCache.of_user(), Path(video), []
        with self._timed("faces"):
            if (kept := cache.load(path, self._faces)) is not None:
                for fault in kept[1]:
                    on_fault(fault)
                return kept[0], []

            def note(fault: str) -> None:
                faults.append(fault)
                on_fault(fault)

            frames = _report(read_frames(video, on_fault=note), "faces", info.frame_count, progress)
            tracks = follow_faces(frames, make_backend(self._faces))
            problem = cache.save(path, self._faces, tracks, faults)
        return tracks, [problem] if problem else []

    def _measure_speech(self, video, info, tracks, need: bool = True) -> tuple[list[Appearance], list[str]]:
        """List who appears in which scene; where they are several and `need`, with their lips held to the old sound."""
        appearances = list_appearances(tracks)
        if not (need and info.has_audio and needs_sound(appearances)):
            return appearances, []
        with self._timed("speech"):
            try:
                waveform = read_waveform(video)
            except MediaError:
                return appearances, ["the video's own sound cannot be read: who speaks is told by movement alone"]
            frames, size = read_frames(video, on_fault=_told), self._models.generator.crop.size
            aligner = self._models.aligner
            return measure_fit(tracks, appearances, frames, waveform, aligner, size, self._device), []

    def _read_references(self, video, parts: list[tuple[FaceTrack, np.ndarray]]) -> list[dict[int, ShownFace]]:
        """Choose four frames of each face, for each (track, faces), and cut its crops out of them in one reading."""
        size, cuts, chosen = self._models.generator.crop.size, defaultdict(dict), []
        for role, (track, faces) in enumerate(parts):
            for face in np.unique(faces[faces >= 0]).tolist():
                rows = np.flatnonzero(faces == face)
                landmarks = track.crop_landmarks(rows)
                best = choose_references(landmarks)
                chosen.append((role, face, rows[best].tolist(), landmarks, landmarks[best]))
                finer = choose_finer(track.frame_to_crop[rows[best]], size)
                for row in rows[best].tolist():
                    cuts[row][role] = refine_crop(track.frame_to_crop[row], finer), size * finer
        crops = {
            (number, role): crop_face(frame, *cut)
            for number, frame in pick_frames(video, cuts, on_fault=_told)
            for role, cut in cuts[number].items()
        }
        shown: list[dict[int, ShownFace]] = [{} for _ in parts]
        for role, face, rows, landmarks, points in chosen:
            pictures = np.stack([crops[row, role] for row in rows])
            if self._models.gallery is not None:
                pictures, points = add_gallery(self._models.gallery, landmarks, pictures, points)
            shown[role][face] = ShownFace(pictures, points)
        return shown

    @torch.no_grad()
    def _encode_references(self, shown: ShownFace) -> References:
        points = torch.from_numpy(shown.landmarks).to(self._device)
        return self._models.generator.encode_references(self._to_tensor(shown.crops)[None], points[None])

    def _make_frames(self, cast: Cast, alpha: bool = False) -> Iterator[DubbedFrame]:
        plan, first = cast.plan, 0
        # Encoded references are ten times as large as their crops, and scenes are many.
        encode = lru_cache(MOST_FACES)(
            lambda number, face: self._encode_references(cast.roles[number].references[face])
        )
        frames = bounce_frames(cast.info.path, len(cast.tracks), len(plan), alpha=alpha, on_fault=_told)
        while batch := list(islice(frames, _BATCH_FRAMES)):
            yield from self._dub_batch(cast, batch, first, encode)
            first += len(batch)

    def _dub_batch(self, cast: Cast, stored: list[tuple[int, np.ndarray]], first: int, encode) -> list[DubbedFrame]:
        """Dub the plan's frames from number `first` on."""
        batch = [(source, np.ascontiguousarray(frame[..., :3])) for source, frame in stored]
        made: list[list[DubbedFace]] = [[] for _ in batch]
        for number, role in enumerate(cast.roles):
            faces = role.faces[[source for source, _ in batch]]
            wanted = np.array([role.plan.passed[first + i] is None for i in range(len(batch))])
            for face in np.unique(faces[wanted]).tolist():
                places = np.flatnonzero(wanted & (faces == face))
                done = self._dub_face(role, encode(number, face), batch, first, places)
                for i, dubbed in zip(places.tolist(), done, strict=True):
                    if dubbed is not None:
                        made[i].append(dubbed)
        results = []
        with self._timed("compose"):
            for i, (_, frame) in enumerate(batch):
                result = frame
                for face in made[i]:
                    finer = len(face.crop) // self._models.generator.crop.size
                    result = compose_frame(result, face.crop, face.taken, refine_crop(face.frame_to_crop, finer))
                why = None if made[i] else cast.plan.passed[first + i] or NO_NUMBERS
                results.append(DubbedFrame(frame, result, stored[i][1][..., 3:], tuple(made[i]), why))
        return results

    def _dub_face(self, role: Role, references: References, batch, first: int, places: np.ndarray):
        """Dub one face in the given places of a batch; None where a network gave no numbers."""
        parts = [batch[i] for i in places]
        crops, taken = self._dub_parts(role, references, parts, role.plan.times_s[first + places] - role.plan.span_s[0])
        shares = role.plan.shares[first + places].astype(np.float32)
        numbers = np.isfinite(crops).all(axis=(1, 2, 3)) & np.isfinite(taken).all(axis=(1, 2))
        return [
            DubbedFace(crops[k], taken[k] * shares[k], role.track.frame_to_crop[source]) if numbers[k] else None
            for k, (source, _) in enumerate(parts)
        ]

    def _dub_parts(
        self, role: Role, references: References, batch, times_s: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `_dub_crops`; where the memory does not hold so many frames, from then on half as many at a time."""
        parts, done = [], 0
        while done < len(batch):
            part = slice(done, done + self._batch_frames)
            try:
                parts.append(self._dub_crops(role, references, batch[part], times_s[part]))
                done = part.stop
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._batch_frames == 1:
                    raise ResourceError("the memory does not hold one frame's crop; close other programs") from error
                self._batch_frames //= 2
        return np.concatenate([crops for crops, _ in parts]), np.concatenate([taken for _, taken in parts])

    def _describe_run(self, offsets: dict[str, float]) -> list[str]:
        """Say in a sentence each what was not as usual."""
        count = self._batch_frames
        short = [f"the memory was short: {count} instead of {_BATCH_FRAMES} frames were made at a time"]
        return [*describe_offset(offsets), *(short if count < _BATCH_FRAMES else [])]

    @torch.no_grad()
    def _dub_crops(
        self, role: Role, references: References, batch, times_s: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Generate and fuse crops, fine as the references: (B, s, s, 3) in [0, 255]; the share taken (B, s, s)."""
        models = self._models
        with self._timed("crop"):
            sources = [source for source, _ in batch]
            matrices = role.track.frame_to_crop[sources]
            crops = self._to_tensor(
                np.stack(
                    [crop_face(f, m, models.generator.crop.size) for (_, f), m in zip(batch, matrices, strict=True)]
                )
            )
            points = role.track.crop_landmarks(sources)
            masks = np.stack([lower_half_mask(p) for p in points])
        with self._timed("aligner"):
            audio = self._embed_sound(role.waveform, times_s)
        with self._timed("generator"):
            landmarks = torch.from_numpy(points).to(self._device)
            shown = references.repeat(len(batch))
            output = models.generator(hide_lower_half(crops), landmarks, audio, shown)
            generated = torch.cat([crops[:, :, : models.generator.top], output.picture.clamp(-1, 1)], 2)
        with self._timed("fusion"):
            fused, taken = models.fusion(generated, crops, torch.from_numpy(masks).to(self._device)[:, None])
        with self._timed("detail"):
            finer = references.fine.shape[-1] // models.generator.crop.size
            # Light and colour are enlarged; what fusion left as it was generated is drawn anew.
            pictures = functional.interpolate(fused - generated, scale_factor=finer, mode="bilinear")
            pictures[:, :, models.generator.top * finer :] += models.generator.render_fine(output, shown)
            taken = functional.interpolate(taken, scale_factor=finer, mode="bilinear")
        pictures = ((pictures + 1) * 127.5).permute(0, 2, 3, 1)
        return pictures.cpu().numpy(), taken[:, 0].cpu().numpy()

    def _embed_sound(self, waveform: np.ndarray, times_s: np.ndarray) -> torch.Tensor:
        """Embed the sync windows around each frame, (B, audio_windows, D)."""
        count = self._models.generator.config.audio_windows
        return embed_sound(self._models.aligner, waveform, times_s, count, self._device)

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
