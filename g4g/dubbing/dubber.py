"""The Dubber: read, look, dub, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from g4g.config import EMPHASIS, MOST_EMPHASIS
from g4g.dubbing.cast import Cast, list_voices
from g4g.dubbing.casting import Casting, pass_over
from g4g.dubbing.clock import Clock
from g4g.dubbing.mouths import BATCH_FRAMES, Mouths
from g4g.dubbing.offsets import OffsetMeter, describe_offset
from g4g.dubbing.people import Face, choose_faces, describe_faces
from g4g.dubbing.plan import has_constant_rate
from g4g.dubbing.report import DubbedFrame, DubReport, draw_faces, draw_sheet
from g4g.errors import ConfigError, MediaError
from g4g.media import VideoWriter, probe, read_waveform
from g4g.media.decode import raise_fault
from g4g.media.encode import choose_encoding
from g4g.media.mix import mixed_sound
from g4g.media.sheet import check_sheet
from g4g.media.write import check_output
from g4g.zoo import DEFAULT_WEIGHTS, Models, load

_SHEET_FRAMES = 8


class Dubber:
    """Dub videos with one set of weights.

    Example:
        >>> import g4g
        >>> dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    """

    def __init__(self, models: Models, faces: str = "mediapipe", device: str = "cpu") -> None:
        if not isinstance(models, Models):
            raise ConfigError(f"a Dubber takes loaded networks, got {models!r}; write Dubber.from_pretrained(...)")
        self._models, self._device, self._clock = models, device, Clock()
        self._casting = Casting(models, faces, device, self._clock)

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = DEFAULT_WEIGHTS, *, faces: str = "mediapipe", device: str = "cpu"
    ) -> Dubber:
        """Load weights by name or file, see `g4g.load`; `faces` names the face backend."""
        return cls(load(weights, device), faces, device)

    def dub(
        self, video: str | Path, audio: str | Path | None, out: str | Path, *, voice: str | Path | None = None,
        face: str | int | tuple[float, float] | None = None, speakers: dict[int, str | Path] | None = None,
        emphasis: float = EMPHASIS, overwrite: bool = False, length: str = "audio", start_s: float | None = None,
        end_s: float | None = None, mix: str = "replace", codec: str | None = None, crf: int | None = None,
        tolerant: bool = False, dry_run: bool = False, sheet: str | Path | None = None,
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
            emphasis: how far the mouth moves, times how far it goes in the video with its own sound: 0 to 2.5.
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
        self._clock.seconds.clear()
        _check_emphasis(emphasis)
        encoding = choose_encoding(Path(out), codec, crf)
        voices = list_voices(audio, voice, face, speakers)
        inputs = [file for file in (video, audio, *voices.values()) if file]
        check_output(Path(out), overwrite, inputs)
        if sheet is not None:
            check_sheet(Path(sheet), inputs)
        faults: list[str] = []
        on_fault = faults.append if tolerant else raise_fault
        cast = self._casting.cast(video, audio, voices, face, length, start_s, end_s, progress, on_fault)
        info, plan = cast.info, cast.plan
        alpha = info.has_alpha and encoding.holds_alpha
        lost = (
            ["the transparency of the video is left out: vp9 in .webm and prores in .mov keep it"]
            if info.has_alpha and not alpha
            else []
        )
        meter, mouths = OffsetMeter(), Mouths(self._models, self._device, self._clock, emphasis)
        with ExitStack() as stack:
            heard = stack.enter_context(mixed_sound(list(voices.values()))) if audio is None else audio
            writer = VideoWriter(
                out, info.width, info.height, info.fps, audio=heard, span_s=plan.span_s, mix=mix, overwrite=overwrite,
                codec=codec, crf=crf, colour=info.colour, pixel_aspect=info.pixel_aspect, alpha=alpha,
                times_s=None if has_constant_rate(plan.times_s, info.fps) else plan.times_s,
                source=None if info.is_still or info.path.is_dir() else info.path,
            )  # fmt: skip
            frames = mouths.make_frames(cast, alpha)
            passed = list(plan.passed) if dry_run else self._write(cast, frames, writer, sheet, progress, meter)
        offsets = self._tell_offsets(cast, meter)
        passed_why = Counter(why for why in passed if why)
        return DubReport(
            output=Path(out), frames=len(plan), frames_dubbed=len(plan) - passed_why.total(),
            frames_passed=passed_why.total(), passed_why=dict(passed_why), fps=info.fps, duration_s=plan.duration_s,
            faces=cast.faces, cuts_s=tuple(np.round(cast.tracks.times_s[cast.tracks.cuts], 3).tolist()),
            seconds=dict(self._clock.seconds), sheet=Path(sheet) if sheet and not dry_run else None,
            warnings=(
                *faults, *info.changes, *lost, *cast.warnings, *writer.warnings, *_describe_run(mouths, offsets)
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
        tracks, _ = self._casting.follow(video, info, progress, pass_over if tolerant else raise_fault)
        if not len(tracks.faces):
            return ()
        appearances, _ = self._casting.measure_speech(video, info, tracks)
        if sheet is not None:
            draw_faces(tracks, video, Path(sheet))
        return describe_faces(tracks, appearances, info.fps, set(choose_faces(tracks, appearances, None).tolist()))

    def generate_frames(
        self, video: str | Path, audio: str | Path, *, length: str = "audio",
        face: str | int | tuple[float, float] | None = None, emphasis: float = EMPHASIS,
    ) -> Iterator[DubbedFrame]:  # fmt: skip
        """Yield the frames of a dub before encoding; arguments as for `dub`."""
        _check_emphasis(emphasis)
        cast = self._casting.cast(video, audio, {None: audio}, face, length, None, None, None, raise_fault)
        return Mouths(self._models, self._device, self._clock, emphasis).make_frames(cast)

    def _write(self, cast: Cast, frames, writer: VideoWriter, sheet, progress, meter) -> list[str | None]:
        """Make and encode all frames; return why each passed through, None where it was dubbed."""
        passed, samples, count = [], [], len(cast.plan)
        wanted = set(np.linspace(0, count - 1, _SHEET_FRAMES).astype(int).tolist())
        with writer:
            for number, item in enumerate(frames):
                with self._clock.timed("encode"):
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
        with self._clock.timed("offsets"):
            told = {"dubbed": meter.tell(aligner, meter.dubbed, cast.roles[0].waveform, cast.plan.span_s[0])}
            if cast.info.has_audio:
                with suppress(MediaError):  # its own sound may be damaged: nobody asked for it
                    told["source"] = meter.tell(aligner, meter.source, read_waveform(cast.info.path), 0.0)
        return {name: round(offset, 2) for name, offset in told.items() if offset is not None}


def _check_emphasis(emphasis: float) -> None:
    if not 0 <= emphasis <= MOST_EMPHASIS:
        raise ConfigError(f"emphasis must lie between 0 (at rest) and {MOST_EMPHASIS:g}, got {emphasis:g}")


def _describe_run(mouths: Mouths, offsets: dict[str, float]) -> list[str]:
    """Say in a sentence each what was not as usual."""
    count = mouths.batch_frames
    short = [f"the memory was short: {count} instead of {BATCH_FRAMES} frames were made at a time"]
    return [*describe_offset(offsets), *(short if count < BATCH_FRAMES else [])]
