"""Measure the renderer told the truth: the geometry of the real frame, pictures half a second away, own sound unused.

python benchmarks/renderer.py [--data PREPARED ...] [--weights g4g-small] [--groups glasses moving ...] [--limit N]
    [--frames 12] [--out DIR] [--sheet]

Rows: the most alike picture as it is (copy), warped (one warp), the mean of the three most alike ones warped, and the
generator, all pasted through the same mask. "share" figures stand over those of the mean of three. Needs the file of
EfficientNet-Lite0, see g4g/training/perceptual.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from clips import Clip, hear_clips, load_clips
from command import load_folders, make_parser, say, write_table
from sheets import draw_rows

from g4g.avatar.prepare import choose_scale
from g4g.faces import refine_crop, transform_points
from g4g.faces.landmarks import MESH_TO_68, MOUTH
from g4g.faces.warp import invert_affine
from g4g.fusion import compose_frame
from g4g.generator import sample_pictures
from g4g.metrics import cut_box, mean_squared_error, mouth_box, mse_to_psnr, sharpness
from g4g.metrics.report import Figure
from g4g.motion import frame_speech
from g4g.painter import Canvas, Painter, lay_out, to_tensor
from g4g.training.examples import Subject
from g4g.training.perceptual import Perceptual
from g4g.zoo import Models, load

ROWS = ("copy", "one warp", "mean of three", "generator")
_PLAIN = "mean of three"
_APART_S = 0.5
_ABOVE_DB, _SHARE, _SHARPNESS = 1.0, 0.85, (0.85, 1.15)
"""What the generator should reach: above the mean of three, of its perceptual distance, and of the source."""
_BATCH = 4
_SHOWN = 8
"""Columns of a sheet."""


@dataclass(frozen=True)
class Drawn:
    """What was drawn of some frames: row -> crops (B, s, s, 3) float32 in [0, 255]; the real ones; the mask taken."""

    rows: dict[str, np.ndarray]
    real: np.ndarray
    taken: np.ndarray


def choose_rows(clip: Clip, count: int) -> np.ndarray:
    """Choose frames of a shot, evenly spread."""
    return np.unique(np.linspace(2, len(clip.shot) - 3, count).round().astype(int))


def draw_clip(painter: Painter, clip: Clip, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Drawn]]:
    """Draw some frames of a clip, a few at a time: yields the frames' numbers in the shot, and what was drawn."""
    subject, scale = Subject.of(clip.shot), choose_scale(clip.frame_to_crop)
    ranked = [np.resize(subject.rank_references(row, _APART_S)[:3], 3) for row in rows]
    needed = np.unique(np.concatenate([rows, *ranked]))
    crops = dict(zip(needed.tolist(), clip.cut_crops(clip.source, needed, scale), strict=True))
    for first in range(0, len(rows), _BATCH):
        part = rows[first : first + _BATCH]
        chosen = np.stack(ranked[first : first + _BATCH])
        points = subject.points[part]
        canvas = Canvas(
            np.stack([crops[row] for row in part]), points, points,
            np.stack([[crops[i] for i in some] for some in chosen.tolist()]), subject.points[chosen],
            frame_speech(clip.shot.speech, clip.shot.times_s[part], painter.speech_rows),
        )  # fmt: skip
        yield part, draw_canvas(painter, canvas)


def draw_canvas(painter: Painter, canvas: Canvas) -> Drawn:
    """Draw the frames of a canvas, whose targets are the frames' own points, in all ways."""
    painted = painter.paint(canvas)
    references = to_tensor(canvas.references)
    places = lay_out(canvas, canvas.scale, 0).places[:, :-1]
    warped = sample_pictures(references, places, canvas.crops.shape[1] // canvas.scale, "bicubic")
    pictures = dict(zip(ROWS, (references[:, 0], warped[:, 0], warped.mean(1)), strict=False))
    rows = {name: to_levels(picture) for name, picture in pictures.items()} | {"generator": painted.crops}
    taken = painted.taken[..., None]
    return Drawn({k: v * taken + canvas.crops * (1 - taken) for k, v in rows.items()}, canvas.crops, painted.taken)


def to_levels(pictures: torch.Tensor) -> np.ndarray:
    """Turn (B, 3, h, w) in [-1, 1] into (B, h, w, 3) float32 in [0, 255]."""
    return ((pictures + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()


class Bench:
    """Compares what was drawn with the truth; `columns` gathers pictures for a sheet."""

    def __init__(self, models: Models, perceptual: Perceptual) -> None:
        self.painter, self._perceptual = Painter(models.generator, models.fusion), perceptual
        self.columns: list[dict[str, np.ndarray]] = []

    def measure(self, clip: Clip, count: int) -> np.ndarray:
        """Measure frames of a clip: squared error, perceptual distance, sharpness by row, (frames, ROWS, 3)."""
        found, rows = [], choose_rows(clip, count)
        shown = set(rows[np.linspace(0, len(rows) - 1, _SHOWN).astype(int)].tolist())
        for part, drawn in draw_clip(self.painter, clip, rows):
            frames = clip.read_frames(clip.source, part)
            for i, (row, frame) in enumerate(zip(part.tolist(), frames, strict=True)):
                crops, taken = {name: drawn.rows[name][i] for name in ROWS}, drawn.taken[i]
                found.append([
                    (*self._compare(crop, drawn.real[i], clip, row), compare_frame(crop, taken, frame, clip, row))
                    for crop in crops.values()
                ])  # fmt: skip
                if row in shown:
                    self._keep(crops | {"real": drawn.real[i]})
        return np.array(found)

    def _compare(self, made: np.ndarray, real: np.ndarray, clip: Clip, row: int) -> tuple[float, float]:
        """Squared error at the networks' size, and perceptual distance at the crop's own, in the mouth box."""
        scale, points = len(real) // 128, clip.shot.mesh[row, MESH_TO_68, :2][MOUTH]
        box = mouth_box(points, 128)
        small = [x.reshape(128, scale, 128, scale, 3).mean((1, 3)) for x in (made, real)]
        error = mean_squared_error(*(cut_box(x, box) for x in small))
        fine = mouth_box(points * scale + (scale - 1) / 2, len(real))
        mouths = [torch.from_numpy(cut_box(x, fine).astype(np.float32)) / 127.5 - 1 for x in (made, real)]
        return error, float(self._perceptual(*(x.permute(2, 0, 1)[None] for x in mouths)))

    def _keep(self, crops: dict[str, np.ndarray]) -> None:
        side = len(crops["real"])
        mouth = slice(side * 7 // 16, side * 15 // 16), slice(side // 8, side * 7 // 8)
        self.columns.append({name: crop.clip(0, 255).astype(np.uint8)[mouth] for name, crop in crops.items()})


def compare_frame(made: np.ndarray, taken: np.ndarray, frame: np.ndarray, clip: Clip, row: int) -> float:
    """Paste a crop into its frame and compare the mouth's sharpness with the frame's, in the video's own resolution."""
    matrix = clip.frame_to_crop[row]
    result = compose_frame(frame, made, taken, refine_crop(matrix, len(made) // 128))
    points = transform_points(invert_affine(matrix), clip.shot.mesh[row, MESH_TO_68, :2][MOUTH])
    box = mouth_box(points, max(frame.shape[:2]))
    return sharpness(cut_box(result, box), cut_box(frame, box))


def sum_up(found: np.ndarray, group: str) -> list[Figure]:
    """Turn what `Bench.measure` found of a group's clips, (frames, ROWS, 3), into figures."""
    psnr = np.vectorize(mse_to_psnr)(found[..., 0].clip(1e-6)).mean(0)
    distance, sharp = found[..., 1].mean(0), np.exp(np.log(found[..., 2]).mean(0))
    make, plain, ours = partial(Figure, "1 renderer", group, count=len(found)), ROWS.index(_PLAIN), len(ROWS) - 1
    figures = [make(f"{row}: mouth PSNR, dB", float(psnr[i])) for i, row in enumerate(ROWS)]
    figures += [make(f"{row}: perceptual distance", float(distance[i])) for i, row in enumerate(ROWS)]
    figures += [make(f"{row}: sharpness over source", float(sharp[i])) for i, row in enumerate(ROWS[:-1])]
    share = float(distance[ours] / distance[plain])
    return [
        *figures,
        make("generator: sharpness over source", float(sharp[ours]), target=_SHARPNESS),
        make("generator: above the mean of three, dB", float(psnr[ours] - psnr[plain]), target=_ABOVE_DB),
        make("generator: perceptual distance over the mean of three's", share, target=_SHARE, wish="<="),
    ]


def main() -> None:
    """Parse, measure group by group, print a Markdown table, write renderer.json and, if asked, sheets."""
    parser = make_parser(__doc__, "renderer")
    parser.add_argument("--frames", type=int, default=12, help="of each clip (default: %(default)s)")
    parser.add_argument("--sheet", action="store_true", help="draw the mouths of each group's first clip")
    options = parser.parse_args()
    models, out = load(options.weights), Path(options.out)
    folders, figures = load_folders(options), []
    clips = hear_clips(load_clips(folders, options.limit, options.groups), models, options.speech)
    for group in dict.fromkeys(clip.group for clip in clips):
        members, bench = [clip for clip in clips if clip.group == group], Bench(models, Perceptual())
        say(f"{group}: {len(members)} clips")
        found = [bench.measure(clip, options.frames) for clip in members]
        figures += sum_up(np.concatenate(found), group)
        if options.sheet:
            shown = bench.columns[:_SHOWN]
            rows = {name: [column[name] for column in shown] for name in ("real", *reversed(ROWS))}
            draw_rows(rows, out / f"renderer_{group}.png")
        write_table(figures, options, "renderer")


if __name__ == "__main__":
    main()
