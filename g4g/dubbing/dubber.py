"""The Dubber: look, listen, dub, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from g4g.avatar import Avatar, AvatarMaker
from g4g.avatar.clock import Clock
from g4g.avatar.open_mouth import has_shown_teeth
from g4g.avatar.store import is_avatar, load_avatar, save_avatar
from g4g.dubbing.dub import Dub, DubPlanner
from g4g.dubbing.frames import BATCH_FRAMES, FrameMaker
from g4g.dubbing.hearing import Hearing
from g4g.dubbing.learning import Learner, PersonLearning
from g4g.dubbing.marking import Marker
from g4g.dubbing.offsets import OffsetMeter, describe_offset, tell_source
from g4g.dubbing.people import Face, choose_faces, describe_faces
from g4g.dubbing.plan import check_result, has_constant_rate
from g4g.dubbing.report import DubbedFrame, DubReport, draw_faces, draw_sheet
from g4g.dubbing.voices import hear_sounds
from g4g.engine import choose_engine, use_threads
from g4g.errors import ConfigError
from g4g.media import FrameFormat, MediaInfo, NewSound, VideoWriter
from g4g.media.check import check_dub, check_video, list_sounds
from g4g.media.encode import Encoding
from g4g.media.mix import mixed_sound
from g4g.media.picture import PlaneMaker
from g4g.media.sheet import check_sheet
from g4g.media.write import check_output
from g4g.memory import give_back_memory, limit_pools
from g4g.networks import use_engine
from g4g.nn import find_device
from g4g.options import DubOptions, LoadOptions, make_options
from g4g.painter import Painter
from g4g.settings import as_path
from g4g.zoo import Models, load

_SHEET_FRAMES = 8
_LOST_ALPHA = "the transparency of the video is left out: vp9 in .webm and prores in .mov keep it"
Progress = Callable[[str, int, int], None] | None


class Dubber:
    """Dub videos with one set of weights; a `learner` lets it learn a person first (`g4g.Dubber` has one).

    Example:
        >>> import g4g
        >>> dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    """

    def __init__(
        self, models: Models, faces: str = "mediapipe", device: str = "cpu", learner: Learner | None = None
    ) -> None:
        if not isinstance(models, Models):
            raise ConfigError(f"a Dubber takes loaded networks, got {models!r}; write Dubber.from_pretrained(...)")
        device = find_device(device)
        self._models, self._faces, self._device, self._clock = models, faces, device, Clock()
        self._maker = AvatarMaker(models, faces, self._clock, device)
        self._learning = PersonLearning(models, self._maker, self._clock, learner)
        self._planner = DubPlanner(models, self._maker, self._clock, self._learning)
        self._painter = Painter(models.generator, models.fusion, device)

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = LoadOptions.weights, *, faces: str = LoadOptions.faces,
        device: str = LoadOptions.device, engine: str = LoadOptions.engine,
    ) -> Dubber:  # fmt: skip
        """Load weights, and let this process use as many threads as `count_threads` says.

        Args:
            weights: name or file, see `g4g.load`.
            faces: name of the face backend.
            device: torch device, or "auto": an accelerator where there is one.
            engine: what runs the large networks: "torch", "openvino", "onnx", or "auto": OpenVINO on the CPU, torch
                elsewhere. docs/engine.md tells how far they are apart.
        Raises:
            CheckpointError: see `g4g.load`. ConfigError: no such device here, an engine that does not run on it, or
                whose extra is missing.
        """
        LoadOptions(weights=weights, faces=faces, device=device, engine=engine)
        device = find_device(device)
        engine = choose_engine(engine, device)
        use_threads()
        limit_pools()
        models = use_engine(load(weights, device), engine)
        give_back_memory()
        return cls(models, faces, device)

    def dub(
        self, video: str | Path, audio: str | Path | None, out: str | Path, *, progress: Progress = None,
        **options: object,
    ) -> DubReport:  # fmt: skip
        """Make the person in a video say the words of a sound.

        Args:
            video: a video, a still picture, a folder of pictures, or a file that `make_avatar` wrote of one.
            audio: what is heard: a sound file, or a video with sound; with `speakers` None hears them all together.
            out: the video to write, its ending decides the container; it appears whole or not at all.
            options: more settings by name; `DubOptions` lists and explains them.
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
        self._clock.seconds.clear()
        settings = make_options(DubOptions, options)
        sounds, encoding = check_dub(video, audio, out, settings)
        heard_files = [Path(file) for file in (audio, *sounds.values()) if file is not None]
        marker = Marker(Path(out), settings, [video, *heard_files])
        dub = self._plan(video, audio, sounds, settings, progress)
        give_back_memory()
        maker, offsets = self._make_maker(), {}
        with ExitStack() as stack:
            stack.callback(dub.avatar.kept.drop)
            heard = stack.enter_context(mixed_sound(list(sounds.values()))) if audio is None else audio
            check_result(list(dub.plan.passed), self._models.name)
            passed = list(dub.plan.passed) if settings.dry_run else []
            mark = marker.make(self._models, dub, heard_files, passed)
            sound = NewSound(Path(heard), dub.plan.span_s, settings.mix)
            stored = _choose_format(dub, encoding, is_marked=mark is not None and mark.draw is not None)
            writer = VideoWriter(
                out, stored, sound, encoding=encoding, source=_find_source(dub.avatar.info), mark=mark,
                overwrite=settings.overwrite, planned_frames=len(dub.plan),
            )  # fmt: skip
            frames = stack.enter_context(closing(maker.make_frames(dub, stored.alpha)))
            if not settings.dry_run:
                offsets = self._write(dub, frames, writer, settings.sheet, progress, passed)
        give_back_memory()
        info = dub.avatar.info
        lost = [_LOST_ALPHA] if info.has_alpha and not stored.alpha else []
        warnings = (
            *dub.avatar.faults, *info.changes, *lost, *dub.warnings, *writer.warnings, *_describe_run(maker, offsets),
        )  # fmt: skip
        return self._report(dub, passed, settings, offsets, warnings, output=Path(out), provenance=marker.words)

    def make_avatar(
        self, video: str | Path, out: str | Path, *, overwrite: bool = False, tolerant: bool = False,
        adapt_minutes: float = 0.0, adapt_data: str | Path | None = None, progress: Progress = None,
    ) -> Avatar:  # fmt: skip
        """Keep all of a video's dubs that does not depend on the new sound in one file, which `dub` takes as its video.

        Args:
            video: a video, a still picture, or a folder of pictures.
            out: file to write, such as ann.avatar; it holds the video whole and appears whole or not at all.
            overwrite: replace an existing `out`.
            tolerant: as for `dub`.
            adapt_minutes, adapt_data: as for `dub`; every dub of the file uses what was learnt.
            progress: called with (stage, done, total).
        Returns:
            The avatar; `persons` by the numbers of their faces.
        Raises:
            MediaError: a file cannot be read or written. FaceError: no face that can be dubbed.
        """
        check_output(as_path(out, "out"), overwrite, [video])
        check_video(video)
        lesson = DubOptions(adapt_minutes=adapt_minutes, adapt_data=adapt_data).lesson
        avatar = self._maker.look(video, tolerant, progress)
        avatar = self._maker.meet_all(avatar, progress)
        avatar = self._learning.learn(avatar, sorted(avatar.persons), lesson, progress)
        save_avatar(Path(out), avatar, self._models)
        avatar.kept.drop()
        return avatar

    def list_faces(
        self, video: str | Path, *, sheet: str | Path | None = None, tolerant: bool = False,
        progress: Progress = None,
    ) -> tuple[Face, ...]:  # fmt: skip
        """Tell who is in a video: everybody's number, place, size and share of the speaking.

        Args:
            video: as for `dub`.
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
            check_sheet(as_path(sheet, "sheet"), [video])
        check_video(video)
        avatar = self._open(video, tolerant, progress)
        tracks = avatar.tracks
        if not len(tracks.faces):
            return ()
        appearances, _ = self._planner.measure_speech(avatar)
        if sheet is not None:
            draw_faces(tracks, avatar.info.path, Path(sheet))
        chosen = set(choose_faces(tracks, appearances, None).tolist())
        return describe_faces(tracks, appearances, avatar.info.fps, chosen)

    def generate_frames(self, video: str | Path, audio: str | Path | None, **options: object) -> Iterator[DubbedFrame]:
        """Yield the frames of a dub before encoding; arguments as for `dub`."""
        settings = make_options(DubOptions, options)
        check_video(video)
        dub = self._plan(video, audio, list_sounds(audio, settings), settings)
        return self._make_maker().make_frames(dub)

    def _open(self, video: str | Path, tolerant: bool, progress: Progress) -> Avatar:
        """Open a file that holds an avatar, or look at a video."""
        if is_avatar(video):
            with self._clock.timed("avatar"):
                return load_avatar(Path(video), self._models)
        return self._maker.look(video, tolerant, progress)

    def _plan(self, video, audio, sounds: dict, settings: DubOptions, progress: Progress = None) -> Dub:
        with self._clock.timed("audio", progress):
            heard = hear_sounds(audio, sounds, settings.tolerant)
        with Hearing(self._models, heard, settings) as hearing:
            avatar = self._open(video, settings.tolerant, progress)
            return self._planner.plan(avatar, heard, hearing, settings, progress)

    def _make_maker(self) -> FrameMaker:
        return FrameMaker(self._models, self._painter, self._clock)

    def _write(
        self, dub: Dub, frames, writer: VideoWriter, sheet, progress: Progress, passed: list[str | None]
    ) -> dict[str, float]:  # fmt: skip
        """Make and encode all frames; add to `passed` why each passed through, None where it was dubbed.

        Returns:
            The offsets, which are told while ffmpeg adds the sound.
        """
        samples, count, meter = [], len(dub.plan), OffsetMeter(self._faces)
        planes = PlaneMaker(dub.avatar.info.colour) if writer.frames.planar else None
        wanted = set(np.linspace(0, count - 1, _SHEET_FRAMES).astype(int).tolist())
        with ThreadPoolExecutor(1) as beside, writer:
            for number, item in enumerate(frames):
                with self._clock.timed("encode"):
                    writer.write(_lay_out(item, planes))
                passed.append(item.passed)
                if progress:
                    progress("dub", number + 1, count)
                if number < len(dub.avatar.tracks):  # afterwards it plays to and fro
                    meter.add(dub.plan.times_s[number], item)
                if number in wanted:
                    samples.append(item)
            check_result(passed, self._models.name)
            offsets = beside.submit(self._tell_offsets, dub, meter)
            _tell(progress, "write", 0)
        if sheet is not None:
            draw_sheet(samples, sheet)
        _tell(progress, "write", 1)
        return offsets.result()

    def _tell_offsets(self, dub: Dub, meter: OffsetMeter) -> dict[str, float]:
        """Tell how far sound and lips are apart in source and dub, where that is clear and only one sound drives."""
        if len(dub.voices) > 1 or not meter.has_enough:
            return {}
        aligner, speech, track = self._models.aligner, dub.avatar.speech, dub.voices[0].track
        with self._clock.timed("offsets"):
            told = {"dubbed": meter.tell_dubbed(aligner, dub.motions[0].speech, dub.plan.span_s[0])}
            if len(speech):
                told["source"] = tell_source(aligner, track, speech)
        return {name: round(float(offset.frames), 2) for name, offset in told.items() if offset and offset.is_clear}

    def _report(
        self, dub: Dub, passed: list, settings: DubOptions, offsets: dict, warnings: tuple, **named: Any
    ) -> DubReport:
        why = Counter(reason for reason in passed if reason)
        plan, tracks, persons, sheet = dub.plan, dub.avatar.tracks, dub.avatar.persons, settings.sheet
        invented = (face.index for face in dub.faces if face.chosen and not has_shown_teeth(persons[face.index]))
        return DubReport(
            **named, frames=len(plan), frames_dubbed=len(plan) - why.total(), frames_passed=why.total(),
            passed_why=dict(why), fps=dub.avatar.info.fps, duration_s=plan.duration_s, faces=dub.faces,
            cuts_s=tuple(np.round(tracks.times_s[tracks.cuts], 3).tolist()), offsets=offsets,
            seconds=dict(self._clock.seconds), sheet=Path(sheet) if sheet and not settings.dry_run else None,
            warnings=warnings, average_teeth=tuple(invented), dry_run=settings.dry_run,
        )  # fmt: skip


def _tell(progress: Progress, stage: str, done: int) -> None:
    """Tell that a stage of one step begins (0) or ends (1)."""
    if progress:
        progress(stage, done, 1)


def _lay_out(item: DubbedFrame, planes: PlaneMaker | None) -> np.ndarray:
    """Make of a dubbed frame what the writer takes: planes, RGB or RGBA."""
    if planes is not None:
        return planes.make(item.picture, item.patches)
    return np.concatenate([item.frame, item.alpha], axis=-1) if item.alpha.shape[-1] else item.frame


def _choose_format(dub: Dub, encoding: Encoding, is_marked: bool) -> FrameFormat:
    """Tell what the frames of a dub are: planes where the video has them and nobody must see RGB on the way."""
    info = dub.avatar.info
    times_s = None if has_constant_rate(dub.plan.times_s, info.fps) else dub.plan.times_s
    frames = FrameFormat(info.width, info.height, info.fps, times_s, info.colour, info.pixel_aspect)
    if info.has_alpha and encoding.holds_alpha:
        return replace(frames, alpha=True)
    return replace(frames, planar=info.is_planar and not is_marked and encoding.stores_planes(frames))


def _find_source(info: MediaInfo) -> Path | None:
    """Name the file whose other streams come along."""
    return None if info.is_still or info.path.is_dir() else info.path


def _describe_run(maker: FrameMaker, offsets: dict[str, float]) -> list[str]:
    """Say in a sentence each what was not as usual."""
    count = maker.batch_frames
    short = [f"the memory was short: {count} instead of {BATCH_FRAMES} frames were made at a time"]
    return [*describe_offset(offsets), *(short if count < BATCH_FRAMES else [])]
