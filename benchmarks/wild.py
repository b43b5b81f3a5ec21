"""Measure dubs outside the studio, with own and foreign sound: do lips keep their colour, does the mouth follow?

python benchmarks/wild.py [--data PREPARED ...] [--weights g4g-small] [--groups glasses moving actor] [--limit N]
    [--voices FILE ...] [--old FOLDER] [--out DIR]

With its own sound a dub takes no picture nearer than half a second. --old names dubs of the same videos by other
weights or code, CLIP-own.mp4 and CLIP-VOICE.mp4; they are measured alike and stand beside. The wild clips may be
measured but not shown: the sheets in DIR, rows source, dub and old dub, stay on this machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kornia
import numpy as np
import torch
from clips import WILD, Clip
from command import Report, format_groups, load_groups, make_parser, say
from dubs import Job, dub_all
from PIL import Image, ImageDraw
from sheets import draw_rows, sheet_columns

from g4g.dubbing import Dubber
from g4g.faces import FaceTrack, crop_face, make_backend, refine_crop, track_faces
from g4g.faces.canonical import INNER_LIPS, OUTER_LIPS
from g4g.faces.landmarks import MOUTH
from g4g.media import read_frames
from g4g.metrics import cut_box, load_judge, mouth_box, sharpness
from g4g.metrics.clip import measure_clip
from g4g.metrics.report import Figure
from g4g.zoo import load

_VOICE = Path(__file__).parent.parent / "examples" / "voice.wav"
_LIPS, _OPENING = "lips' colour, Lab distance of medians", "opening, correlation"
_GOALS = {
    _LIPS: (3.0, "<="),
    _OPENING: (0.6, ">="),
    "mouth PSNR, dB": (None, ">="),
    "jitter over real": (1.1, "<="),
    "gradient across the mask's edge over real": (1.1, "<="),
    "colour step across the mask's edge over real": (1.1, "<="),
    "sharpness of the mouth over source, own resolution": ((0.85, 1.15), ">="),
    "offset, frames": ((-1.0, 1.0), ">="),
    "LSE-C": (None, ">="),
}
"""What is measured of a dub, its goal, and on which side of it it should lie."""
_ISSUE = {("glasses", _LIPS): 9.7, ("glasses", _OPENING): 0.26, ("moving", _OPENING): 0.55}
"""What issue 19 names: lips of the weights of cdaadf1, openings of a trial of two minutes."""
_EVERY = 5
"""Frames apart at which sharpness is compared."""
_TILE_PX = 224


@dataclass(frozen=True)
class Lips:
    """What is looked at beside `g4g evaluate`: median CIE Lab colour of the lips, (3,), and the file's face track."""

    colour: np.ndarray
    track: FaceTrack


def look_at_lips(video: Path) -> Lips:
    """Measure the lips of a video inside the contours of its own mesh."""
    track = track_faces(read_frames(video), make_backend("mediapipe"))
    shown = [
        frame.frame[draw_lips(mesh[:, :2], frame.frame.shape[:2])]
        for frame, mesh, found in zip(read_frames(video), track.mesh, track.found, strict=False)
        if found
    ]
    return Lips(np.median(to_lab(np.concatenate(shown)), axis=0), track)


def draw_lips(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Find the pixels (H, W) inside the outer contour of the lips and outside the inner one; points (478, 2) px."""
    picture = Image.new("1", shape[::-1])
    draw = ImageDraw.Draw(picture)
    draw.polygon([tuple(p) for p in points[list(OUTER_LIPS)]], fill=1)
    draw.polygon([tuple(p) for p in points[list(INNER_LIPS)]], fill=0, outline=0)
    return np.asarray(picture)


def to_lab(colours: np.ndarray) -> np.ndarray:
    """Turn colours (N, 3) RGB uint8 into CIE Lab (N, 3)."""
    picture = torch.from_numpy(colours.astype(np.float32) / 255).T[None, :, :, None]
    return kornia.color.rgb_to_lab(picture)[0, :, :, 0].T.numpy()


def compare_sharpness(dub: Path, source: Path, track: FaceTrack) -> float:
    """Compare the sharpness of mouths with the source's, at the video's own resolution; `track` is the source's."""
    shares = []
    for number, (ours, theirs) in enumerate(zip(read_frames(dub), read_frames(source), strict=False)):
        if number % _EVERY == 0 and track.found[number]:
            box = mouth_box(track.landmarks[number, MOUTH], max(theirs.frame.shape[:2]))
            shares.append(sharpness(cut_box(ours.frame, box), cut_box(theirs.frame, box)))
    return float(np.exp(np.mean(np.log(shares))))


class Bench:
    """Measures dubs of clips; what goes wrong is added to `failed`."""

    def __init__(self, weights: str, judge: str, out: Path, old: Path | None, failed: list[str]) -> None:
        self.dubber, self.judge = Dubber(load(weights)), load_judge(judge)
        self.out, self.old, self.failed = out, old, failed

    def measure(self, clips: list[Clip], sound: Path | None) -> list[Figure]:
        """Dub clips of a group with a sound (None: their own), measure the files, and the old ones beside."""
        made, before = [], []
        for clip in clips:
            job = Job(clip, sound, self.out / f"{clip.name}-{sound.stem if sound else 'own'}.mp4")
            failed = dub_all(self.dubber, [job], say).failed
            self.failed += failed
            if not failed:
                source, old = look_at_lips(clip.source), self.old and self.old / job.out.name
                files = {"source": clip.source, "dub": job.out} | ({"before": old} if old and old.is_file() else {})
                made.append(self._measure_file(job, job.out, source))
                before += [self._measure_file(job, files["before"], source)] if "before" in files else []
                draw_mouths(files, source.track, job.out.with_suffix(".png"))
        return list_figures(clips[0].group, "own sound" if sound is None else sound.stem, made, before)

    def _measure_file(self, job: Job, file: Path, source: Lips) -> dict[str, float]:
        scores = measure_clip(file, job.clip.source, self.judge, job.sound)
        made, real = scores.rows["dubbed"], scores.rows["real"]
        apart = float(np.linalg.norm(look_at_lips(file).colour - source.colour))
        values = (
            apart, made.get("opening_correlation"), made.get("mouth_psnr"), made.get("jitter"),
            made["edge_gradient"] / real["edge_gradient"], made["edge_step"] / real["edge_step"],
            compare_sharpness(file, job.clip.source, source.track), made.get("offset_frames"), made.get("lse_c"),
        )  # fmt: skip
        return {name: value for name, value in zip(_GOALS, values, strict=True) if value is not None}


def list_figures(group: str, sound: str, made: list[dict], before: list[dict]) -> list[Figure]:
    """Average what was measured of a group's dubs, name -> value each, beside that of the old ones or the issue's."""
    figures = []
    for name, (target, wish) in _GOALS.items():
        values, old = ([row[name] for row in rows if name in row] for rows in (made, before))
        if not values:
            continue
        beside, whose = (float(np.mean(old)), "before") if old else (_ISSUE.get((group, name)), "in issue 19")
        value, whose = float(np.mean(values)), whose if beside is not None else ""
        figures.append(Figure("2 wild", group, f"{sound}: {name}", value, len(values), beside, whose, target, wish))
    return figures


def draw_mouths(files: dict[str, Path], track: FaceTrack, path: Path) -> None:
    """Draw mouths of several videos at the same moments; `track` is the first one's."""
    numbers = [n for n in sheet_columns(len(track)) if track.found[n]]
    draw_rows({name: list(_cut_mouths(file, track, numbers)) for name, file in files.items()}, path, _TILE_PX)


def _cut_mouths(video: Path, track: FaceTrack, numbers: list[int]) -> Iterator[np.ndarray]:
    for number, item in enumerate(read_frames(video)):
        if number in numbers:
            crop = crop_face(item.frame, refine_crop(track.frame_to_crop[number], 3), 384, "bicubic")
            yield crop[156:372, 48:336]


def main() -> None:
    """Parse, measure, print a Markdown table and one with what stands beside; write wild.json and the sheets."""
    parser = make_parser(__doc__, "wild", WILD)
    parser.add_argument("--voices", nargs="+", default=[_VOICE], type=Path, help="foreign (default: a bundled one)")
    parser.add_argument("--old", type=Path, metavar="FOLDER", help="dubs of other weights to measure beside")
    options = parser.parse_args()
    out = Path(options.out)
    report = Report(out / "wild.json", options)
    bench = Bench(options.weights, options.judge, out, options.old, report.failed)
    for group, clips in load_groups(options).items():
        for sound in (None, *options.voices):
            say(f"{group}: {sound.name if sound else 'own sound'}")
            report.add(bench.measure(clips, sound))
    print(format_groups(report.figures), end="\n\n")
    report.end()


if __name__ == "__main__":
    main()
