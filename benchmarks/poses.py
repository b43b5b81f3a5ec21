"""Measure heads that move: videos from outside the studio, or still clips turned, shifted and zoomed.

python benchmarks/poses.py VIDEO... [--weights g4g-small] [--out DIR]
python benchmarks/poses.py --turn [--videos FOLDER | --data PREPARED] [--limit N] [--groups s1]

Every video is dubbed with its own sound. The generator's mouth is compared with two copies: of that of its references
whose head pose is nearest, and of the frame whose pose is nearest among all that are more than 12 frames away.
With --turn, every figure of a motion stands beside that of the same clips unmoved.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clips import Clip, load_videos
from command import Report, load_groups, make_parser, say
from dubs import SIZE, Job, dub_all
from judging import report_rest, report_sync
from motions import MOTIONS, move_clip
from pictures import Made, compare_copy, generate_clip, nearest_frames, nearest_references, report_pictures
from sheets import MOUTH, draw_rows, read_columns, sheet_columns

from g4g.dubbing import Dubber
from g4g.faces import crop_face
from g4g.metrics.evaluate import evaluate
from g4g.metrics.report import Figure
from g4g.zoo import Models, load

_ABOVE_NEAREST = 3.0
"""dB above copying the reference of the nearest pose that a moving head should reach."""
_SHEETS = 3
"""So many clips of each motion are drawn."""


def measure(models: Models, judge: str, clips: list[Clip], out: Path, failed: list[str]) -> list[Figure]:
    """Measure shots of one group: the generator alone, then their videos' dubs; draw the first few."""
    group, pairs = clips[0].group, [(clip, generate_clip(models, clip)) for clip in clips]
    near = [compare_copy(clip, made, nearest_references(clip.shot.landmarks, made.references)) for clip, made in pairs]
    far = [compare_copy(clip, made, nearest_frames(clip.shot.landmarks)) for clip, made in pairs]
    figures = report_pictures(near, "6 motion", group, "copying the nearest reference", _ABOVE_NEAREST)
    figures.append(report_pictures(far, "6 motion", group, "copying the nearest frame")[1])  # the others are the same

    folder = out / "dubs"
    folder.mkdir(exist_ok=True)
    videos = {clip.source: clip for clip in reversed(clips)}  # the first shot of each
    jobs = [Job(clip, video, folder / f"{video.stem}.mp4") for video, clip in videos.items()]
    dubbed = dub_all(Dubber(models), jobs, lambda text: say(f"{group}: {text}", end="\r"))
    failed += dubbed.failed
    scores = evaluate([job.out for job in jobs], [job.clip.source for job in jobs], judge=judge)
    for clip, made in pairs[:_SHEETS]:
        if (dub := folder / f"{clip.source.stem}.mp4").is_file():
            draw_poses(clip, made, dub, out / f"{clip.name}.png")
    return figures + report_sync(scores, None, group) + report_rest(scores, group)


def draw_poses(clip: Clip, made: Made, dub: Path, path: Path) -> None:
    """Draw frames of source and dub, then mouths: real, dubbed, the generator's own, and that of the nearest pose."""
    numbers = sheet_columns(len(clip.shot))
    copied = clip.shot.crops[nearest_references(clip.shot.landmarks, made.references)]
    frames = read_columns(dub, clip, numbers)
    crops = [crop_face(frame, clip.frame_to_crop[i], SIZE) for i, frame in zip(numbers, frames, strict=True)]
    mouths = {
        "real mouth": clip.shot.crops[numbers], "dubbed mouth": crops, "generated, as trained": made.crops[numbers],
        "copied from the nearest reference": copied[numbers],
    }  # fmt: skip
    rows = {"source": read_columns(clip.source, clip, numbers), "dubbed": frames}
    draw_rows(rows | {name: [crop[MOUTH] for crop in row] for name, row in mouths.items()}, path)


def lay_beside(figures: list[Figure], still: list[Figure]) -> list[Figure]:
    """Put each figure of the unmoved clips beside the same of a motion, instead of its baseline."""
    values = {figure.name: figure.value for figure in still}
    return [replace(figure, baseline=values.get(figure.name), baseline_name="still") for figure in figures]


def main() -> None:
    """Parse, measure video by video or motion by motion, print the table, write poses.json and the sheets."""
    parser = make_parser(__doc__, "poses", ("s1",))
    parser.add_argument("files", nargs="*", type=Path, metavar="VIDEO", help="25 fps, with sound, one person each")
    parser.add_argument("--turn", action="store_true", help="also move held-out clips")
    options = parser.parse_args()
    if not options.files and not options.turn:
        parser.error("nothing to measure: name videos, or give --turn")
    out, models = Path(options.out), load(options.weights)
    report, still = Report(out / "poses.json", options), []
    for file in options.files:
        clips = load_videos([file], out / "data", file.stem)
        report.add(measure(models, options.judge, clips, out, report.failed))
    for group, clips in load_groups(options).items() if options.turn else ():
        for name, motion in MOTIONS.items():
            say(f"{group}, {name}: {len(clips)} clips")
            moved = [move_clip(clip, motion, out / f"{clip.name}-{name.replace(' ', '-')}.mp4") for clip in clips]
            shots = load_videos(moved, out / "data-moved", f"{group} {name}")
            figures = measure(models, options.judge, shots, out, report.failed)
            still = still if name != "still" else figures
            report.add(lay_beside(figures, still))
    report.end()


if __name__ == "__main__":
    main()
