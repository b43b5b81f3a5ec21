"""All figures of one dubbed video beside its source: one pass to find the face, one to compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from g4g.config import CropConfig
from g4g.errors import FaceError
from g4g.faces import FaceTrack, crop_face, lower_half_mask, make_backend, track_faces, transform_points
from g4g.faces.landmarks import MOUTH, to_landmarks
from g4g.faces.warp import warp_frame
from g4g.media import pick_frames, read_frames
from g4g.media.ping_pong import ping_pong_frames
from g4g.metrics.clip_sync import add_sync, longest_run
from g4g.metrics.extras import NO_EXTRAS, SAMPLED, Extras, add_to_fid
from g4g.metrics.judge import Judge
from g4g.metrics.kinds import KINDS, ROWS
from g4g.metrics.landmarks import (
    articulation,
    closure_share,
    jitter,
    mouth_distance,
    mouth_opening,
    open_share,
    opening_correlation,
)
from g4g.metrics.mouth import measure_mouth
from g4g.metrics.phoneme_score import score_phonemes
from g4g.metrics.phonemes import Phoneme
from g4g.metrics.picture import (
    colour_step,
    cosine,
    cut_box,
    edge_gradient,
    edge_step,
    mean_squared_error,
    mouth_box,
    mse_to_psnr,
    seam,
    sharpness,
    ssim,
)

MOST_DIFFERENT = 13.5
"""Grey levels by which a face, outside the mask, differs at most from its source's, mean over the clip (our choice: a
source coded at crf 35 differs by 4, a video frozen for 3 s by 11, other clips of the same man in the same seat by 17,
a mirrored one by 34)."""

_SHEET_COLUMNS = 8


@dataclass(frozen=True)
class SheetColumn:
    """A frame for a contact sheet: its number in the dub and in the source, and the (2, 3) `frame_to_crop`."""

    number: int
    source: int
    frame_to_crop: list[list[float]]


@dataclass
class ClipScores:
    """Figures of one dub.

    Attributes:
        output, reference: the files. audio: the new sound; None: the source's own.
        frames: frames of the dub. frames_scored: those with a face in source and dub.
        rows: row of ROWS -> figure of KINDS -> value; what has no meaning there is left out.
        times_s, openings: of the scored frames: when, and how far the mouth is open in dub and source.
        distances: row -> D(k) of lips and sound for shifts from +15 to -15 frames.
        columns: the frames that a contact sheet shows.
        is_heard: whether the judge finds the real video's lips and own sound to fit; False: sync is not scored. None:
            not known, as the source's own sound could not be laid beside its lips.
        error: why there are no figures; such a clip counts as out of sync.
        stamp: tells the measured files apart from later versions of themselves.
    """

    output: str
    reference: str
    audio: str | None
    frames: int = 0
    frames_scored: int = 0
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    times_s: list[float] = field(default_factory=list)
    openings: dict[str, list[float]] = field(default_factory=dict)
    distances: dict[str, list[float]] = field(default_factory=dict)
    columns: list[SheetColumn] = field(default_factory=list)
    is_heard: bool | None = None
    error: str = ""
    stamp: str = ""


@dataclass
class Seen:
    """What the second pass gathers, frame by frame."""

    numbers: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)
    sums: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    unmasked: list[float] = field(default_factory=list)

    def add(self, row: str, figure: str, value: float) -> None:
        self.sums[row, figure].append(value)


def measure_clip(
    output: str | Path, reference: str | Path, judge: Judge, audio: str | Path | None = None, *,
    faces: str = "mediapipe", extras: Extras = NO_EXTRAS, phonemes: Sequence[Phoneme] = (),
) -> ClipScores:  # fmt: skip
    """Measure one dub against the video that it was made from.

    Args:
        output: the dubbed video, with its sound.
        reference: the source; where the dub is longer, it is taken to and fro as the dub took it.
        judge: scores sync.
        audio: the new sound that the dub was made with; None: the source's own, and the source shows what the lips
            should do.
        faces: face backend by name.
        extras: measures beside g4g's own.
        phonemes: of the dub's sound, where their times are known.
    Returns:
        Figures of the dub and of its baselines.
    Raises:
        MediaError: a file cannot be read. FaceError: no face that could be scored.
    Source:
        Each figure as KINDS and its function say.
    """
    track = track_faces(read_frames(reference), make_backend(faces))
    if not track.found.any():
        raise FaceError(f"no face in any of the {len(track)} frames of {reference}; there is nothing to compare")
    closed = _read_closed(reference, track) if audio is None else None
    seen, frames = _compare_frames(output, reference, track, closed, faces, extras)
    if not seen.numbers:
        raise FaceError(f"no frame of {output} shows a face where {reference} does; are they the same video?")
    if (apart := float(np.mean(seen.unmasked))) > MOST_DIFFERENT:
        raise FaceError(
            f"{output} differs from {reference} by {apart:.0f} grey levels outside the mouth, where a dub keeps its "
            "source's picture: give the video that it was made from, neither mirrored nor recoloured"
        )
    scores = ClipScores(str(output), str(reference), audio and str(audio), frames, len(seen.numbers))
    scores.rows = {row: {} for row in ROWS if closed is not None or row != "copied"}
    for (row, figure), values in seen.sums.items():
        mean = float(np.mean(values))
        scores.rows[row][figure] = mse_to_psnr(mean) if figure.endswith("_psnr") else mean
    scores.rows["dubbed"]["scored_share"] = scores.frames_scored / frames
    shown = np.unique(np.linspace(0, len(seen.numbers) - 1, _SHEET_COLUMNS).round().astype(int)).tolist()
    scores.columns = [
        SheetColumn(seen.numbers[i], seen.sources[i], track.frame_to_crop[seen.sources[i]].tolist()) for i in shown
    ]
    _add_motion(scores, seen, track)
    if phonemes:
        _add_phonemes(scores, seen, track, phonemes)
    add_sync(scores, seen, judge, extras.syncnet, track)
    return scores


def _read_closed(reference: str | Path, track: FaceTrack) -> np.ndarray:
    found = np.flatnonzero(track.found)
    wanted = int(found[mouth_opening(track.landmarks[found]).argmin()])
    [(_, frame)] = pick_frames(reference, [wanted])
    return crop_face(frame, track.frame_to_crop[wanted], CropConfig().size)


def _compare_frames(output, reference, track, closed, faces, extras) -> tuple[Seen, int]:
    """Go through both videos side by side; `closed` is None where the source does not show what the lips should do."""
    seen, frames, size = Seen(), 0, CropConfig().size
    backend = make_backend(faces)
    sources = ping_pong_frames(reference, len(track), 10**9)
    for number, (item, (source_number, source)) in enumerate(zip(read_frames(output), sources, strict=False)):
        frames += 1
        mesh = backend.find(item.frame)
        if mesh is None or not track.found[source_number]:
            continue
        if item.frame.shape != source.shape:
            raise FaceError(
                f"{output} is {item.frame.shape[1]}x{item.frame.shape[0]}, {reference} {source.shape[1]}x"
                f"{source.shape[0]}; a dub keeps its source's size: give the video that it was made from"
            )
        matrix = track.frame_to_crop[source_number]
        real_points = track.crop_landmarks([source_number])[0]
        made, real = (crop_face(frame, matrix, size) for frame in (item.frame, source))
        sampled = len(seen.numbers) % SAMPLED == 0
        box = mouth_box(real_points[MOUTH], size)
        seen.add("dubbed", "sharpness", sharpness(cut_box(made, box), cut_box(real, box)))
        _add_edge(seen, item.frame, source, _mask_frame(real_points, matrix, source.shape[:2]))
        if closed is not None:
            _add_likeness(seen, made, real, closed, box, extras)
            seen.add("dubbed", "frame_psnr", mean_squared_error(item.frame, source))
            if sampled:
                seen.add("dubbed", "frame_ssim", ssim(item.frame, source))
        if sampled:
            kept = lower_half_mask(real_points) == 0
            seen.unmasked.append(float(np.abs(made.astype(np.float32) - real)[kept].mean()))
        if sampled and extras.fid is not None:
            add_to_fid(extras.fid, made, real)
        if sampled and extras.identity is not None:
            # The source's landmarks for both: the new mouth must not move the face in its chip.
            faces_now = [extras.identity(frame, track.landmarks[source_number]) for frame in (item.frame, source)]
            seen.add("dubbed", "identity", cosine(*faces_now))
        seen.numbers.append(number)
        seen.sources.append(source_number)
        seen.times_s.append(item.time_s)
        seen.landmarks.append(to_landmarks(mesh))
    return seen, frames


def _add_likeness(seen: Seen, made: np.ndarray, real: np.ndarray, closed: np.ndarray, box, extras: Extras) -> None:
    """Compare the dub, and the copied mouth, with what the source shows at the same moment."""
    truth = cut_box(real, box)
    for row, crop in (("dubbed", made), ("copied", closed)):
        mouth = cut_box(crop, box)
        seen.add(row, "mouth_psnr", mean_squared_error(mouth, truth))
        seen.add(row, "mouth_ssim", ssim(mouth, truth))
    seen.add("dubbed", "crop_psnr", mean_squared_error(made, real))
    seen.add("dubbed", "crop_ssim", ssim(made, real))
    if extras.lpips is not None:
        seen.add("dubbed", "lpips", extras.lpips(made, real))


def _add_edge(seen: Seen, made: np.ndarray, source: np.ndarray, mask: np.ndarray) -> None:
    around = _around(mask)
    for figure, measure in (("seam", seam), ("colour_step", colour_step)):
        seen.add("dubbed", figure, measure(made[around], source[around], mask[around]))
    for figure, measure in (("edge_gradient", edge_gradient), ("edge_step", edge_step)):
        for row, frame in (("dubbed", made), ("real", source)):
            seen.add(row, figure, measure(frame[around], mask[around]))


def _mask_frame(crop_landmarks: np.ndarray, frame_to_crop: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Lay the soft mask of the crop over its frame, (H, W)."""
    return warp_frame(lower_half_mask(crop_landmarks)[..., None], frame_to_crop, shape)[..., 0]


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """Find the rows and columns that a mask (H, W) touches, with a margin for gradients."""
    spans = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    return tuple(slice(max(int(span[0]) - 2, 0), int(span[-1]) + 3) for span in spans)


def _add_motion(scores: ClipScores, seen: Seen, track: FaceTrack) -> None:
    made, real = np.stack(seen.landmarks), track.landmarks[seen.sources]
    dubbed = scores.rows["dubbed"]
    dubbed |= {"articulation": articulation(made, real), "open_share": open_share(made)}
    if scores.audio is None:
        dubbed["mouth_distance"] = float(mouth_distance(made, real).mean())
        dubbed["opening_correlation"] = opening_correlation(made, real)
        dubbed["closures"] = closure_share(made, real)
    scores.rows["real"]["open_share"] = open_share(real)
    scores.times_s = seen.times_s
    openings = {"dubbed": mouth_opening(made), "real": mouth_opening(real)}
    scores.openings = {row: opening.round(4).tolist() for row, opening in openings.items()}
    start, stop = longest_run(seen.numbers)
    if stop - start >= 3:
        to_crop = track.frame_to_crop[seen.sources[start:stop]]
        ours, theirs = (jitter(transform_points(to_crop, points[start:stop])) for points in (made, real))
        dubbed["jitter"] = ours / theirs


def _add_phonemes(scores: ClipScores, seen: Seen, track: FaceTrack, phonemes: Sequence[Phoneme]) -> None:
    """Score the dub's lips at the known sounds, and the source's, which are the real ones only with their own sound."""
    source = "real" if scores.audio is None else "undubbed"
    for row, points in (("dubbed", np.stack(seen.landmarks)), (source, track.landmarks[seen.sources])):
        score = asdict(score_phonemes(phonemes, measure_mouth(points, np.array(seen.times_s))))
        named = {f"phoneme_{name}": value for name, value in score.items() if value is not None}
        scores.rows[row] |= {name: float(value) for name, value in named.items() if name in KINDS}
