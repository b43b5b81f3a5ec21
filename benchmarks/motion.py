"""Measure motion alone: how the mouth moves by sound, told each person's neutral face, no picture made.

python benchmarks/motion.py [--data PREPARED ...] [--weights g4g-small] [--groups glasses moving ...] [--limit N]

The gain is fitted on the first half of each clip, all is measured on the second; below 100 frames the usual one is
taken. Figures "as dubbed" are of whole clips with the gain that a dub with the clip's own sound has: the points that
it asks for, so drawing them loses the rest of what `quality.py` finds.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from clips import Clip, hear_clips, load_clips
from command import load_folders, make_parser, write_table

from g4g.faces import lip_gap, load_canonical, to_landmarks
from g4g.faces.canonical import MOUTH_CORNERS
from g4g.metrics.judge import Judge, load_judge, middle_times
from g4g.metrics.landmarks import mouth_opening
from g4g.metrics.report import Figure
from g4g.metrics.sync import lip_sync_error
from g4g.motion import Motion, fit_gain, fit_neutral, lay_shapes, move_mouth
from g4g.training.closures import CLOSED_GAP
from g4g.zoo import load

_OPENING = 0.6
"""What own sound should reach on people outside the studio."""


def predict_faces(motion: Motion, clip: Clip, heard: int) -> tuple[np.ndarray, float]:
    """Predict the canonical faces of a clip's frames (T, 468, 3); also the gain, fitted on the first `heard`."""
    shot = clip.shot
    faces, degrees, space = shot.canonical, shot.pose.degrees, motion.space
    neutral = fit_neutral(faces, degrees, space)
    real = space.encode((faces - neutral.at(degrees)) * load_canonical().moves[:, None])
    shapes, closed = move_mouth(motion, shot.speech, shot.times_s)
    gain = fit_gain(shapes[:heard], real[:heard], motion)
    return lay_shapes(motion, neutral, degrees, gain * shapes, closed), gain


def measure_faces(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Compare predicted and real canonical faces of the same frames, (T, 468, 3) each; NaN where nothing is told."""
    gaps = lip_gap(made), lip_gap(real)
    widths = [np.ptp(faces[:, MOUTH_CORNERS, 0], axis=1) for faces in (made, real)]
    shut = gaps[1] < CLOSED_GAP
    return {
        "opening, correlation": correlate(*gaps),
        "width, correlation": correlate(*widths),
        "deviation of the opening over real": float(gaps[0].std() / gaps[1].std()),
        "closed frames that are closed": float((gaps[0][shut] < CLOSED_GAP).mean()) if shut.any() else np.nan,
        "open frames that are closed": float((gaps[0][~shut] < CLOSED_GAP).mean()) if not shut.all() else np.nan,
    }


def measure_points(made: np.ndarray, clip: Clip, judge: Judge) -> dict[str, float]:
    """Let the judge score the points that a dub asks for, with predicted canonical faces (T, 468, 3) of the clip."""
    shot, moves = clip.shot, load_canonical().moves[:, None]
    asked = to_landmarks(shot.pose.project(shot.canonical + moves * (made - shot.canonical)))
    sound = judge.embed_audio(shot.waveform.astype(np.float32) / 32767, middle_times(shot.times_s))
    ours, theirs = (lip_sync_error(judge.embed_points(points), sound).lse_c for points in (asked, shot.landmarks))
    return {
        "as dubbed: opening, correlation": correlate(mouth_opening(asked), mouth_opening(shot.landmarks)),
        "as dubbed: LSE-C": ours,
        "as dubbed: LSE-C of the real points": theirs,
    }


def correlate(made: np.ndarray, real: np.ndarray) -> float:
    """Pearson's coefficient; 0 for what never moves."""
    made, real = made - made.mean(), real - real.mean()
    size = np.sqrt((made**2).sum() * (real**2).sum())
    return float((made * real).sum() / size) if size else 0.0


def measure(motion: Motion, clips: list[Clip], group: str, judge: Judge) -> list[Figure]:
    """Measure a group's clips; figures are means over the clips that have them."""
    rows = []
    for clip in clips:
        half = len(clip.shot) // 2
        made, gain = predict_faces(motion, clip, half)
        rows.append(measure_faces(made[half:], clip.shot.canonical[half:]) | {"gain": gain})
        rows[-1] |= measure_points(predict_faces(motion, clip, len(clip.shot))[0], clip, judge)
    targets = {"opening, correlation": _OPENING}
    make = partial(Figure, "motion", group, count=len(clips))
    means = {name: [row[name] for row in rows if np.isfinite(row[name])] for name in rows[0]}
    return [
        make(name, float(np.mean(values)) if values else float("nan"), target=targets.get(name))
        for name, values in means.items()
    ]


def main() -> None:
    """Parse, measure group by group, print a Markdown table, write motion.json."""
    options = make_parser(__doc__, "motion").parse_args()
    models, judge, figures = load(options.weights), load_judge(options.judge), []
    clips = load_clips(load_folders(options), options.limit, options.groups)
    clips = hear_clips(clips, models, options.speech)
    for group in dict.fromkeys(clip.group for clip in clips):
        figures += measure(models.motion, [clip for clip in clips if clip.group == group], group, judge)
    write_table(figures, options, "motion")


if __name__ == "__main__":
    main()
