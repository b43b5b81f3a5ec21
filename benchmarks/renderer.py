"""Measure the renderer told the truth: the geometry of the real frame, pictures half a second away, own sound unused.

python benchmarks/renderer.py [--data PREPARED ...] [--weights g4g-small] [--groups glasses moving ...] [--limit N]
    [--frames 12] [--out DIR] [--sheet]

Rows: the most alike picture as it is (copy), warped (one warp), the mean of the three most alike ones warped, and the
generator, all drawn into the frame through the same mask. "share" figures stand over those of the mean of three.
Needs the file of EfficientNet-Lite0, see g4g/training/perceptual.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from clips import Clip, hear_clips, load_clips
from command import load_folders, make_parser, say, write_table
from sheets import draw_rows

from g4g.avatar.finish import try_finishes
from g4g.avatar.prepare import choose_scale
from g4g.faces import crop_face, invert_affine, refine_crop, transform_points
from g4g.faces.landmarks import MESH_TO_68, MOUTH
from g4g.metrics import cut_box, mean_squared_error, mouth_box, mse_to_psnr, sharpness
from g4g.metrics.report import Figure
from g4g.motion import frame_speech
from g4g.painter import Canvas, Finish, Painted, Painter, lay_out
from g4g.training.examples import Subject
from g4g.training.perceptual import Perceptual
from g4g.zoo import Models, load

ROWS = ("copy", "one warp", "mean of three", "generator")
_PLAIN = "mean of three"
_APART_S = 0.5
_ABOVE_DB, _SHARE, _SHARPNESS = 1.0, 0.85, (0.85, 1.15)
"""What the generator should reach: above the mean of three, of its perceptual distance, and of the source."""
_BATCH, _TRIED = 4, 4
_SHOWN = 8
"""Columns of a sheet."""


def choose_rows(clip: Clip, count: int) -> np.ndarray:
    """Choose frames of a shot, evenly spread."""
    return np.unique(np.linspace(2, len(clip.shot) - 3, count).round().astype(int))


def paint_clip(painter: Painter, clip: Clip, rows: np.ndarray) -> Iterator[tuple[np.ndarray, dict[str, Painted]]]:
    """Paint some frames of a clip in all ways, a few at a time: yields the frames' numbers in the shot, and ROWS."""
    finish = choose_clip_finish(painter, clip)
    for first in range(0, len(rows), _BATCH):
        part = rows[first : first + _BATCH]
        canvas = make_canvas(painter, clip, part)
        painted = painter.paint(canvas, finish)
        yield part, paint_plainly(painted, canvas) | {"generator": painted}


def make_canvas(painter: Painter, clip: Clip, rows: np.ndarray) -> Canvas:
    """Lay out some frames of a clip, to be made of the most alike ones at least half a second away."""
    subject, scale = Subject.of(clip.shot), choose_scale(clip.frame_to_crop)
    chosen = np.stack([np.resize(subject.rank_references(row, _APART_S)[:3], 3) for row in rows])
    needed = np.unique(chosen)
    crops = clip.cut_crops(clip.source, needed, scale)[np.searchsorted(needed, chosen)]
    speech = frame_speech(clip.shot.speech, clip.shot.times_s[rows], painter.speech_rows)
    points = subject.points[rows]
    return Canvas(clip.cut_crops(clip.source, rows, 1), points, points, crops, subject.points[chosen], speech)


def choose_clip_finish(painter: Painter, clip: Clip) -> Finish:
    """Choose how a clip's mouths are finished, as a dub of it would, from some of its own frames."""
    rows = np.linspace(0, len(clip.shot) - 1, 2 * _TRIED + 1).astype(int)[1::2]
    crops = clip.cut_crops(clip.source, rows, choose_scale(clip.frame_to_crop))
    return try_finishes(painter, make_canvas(painter, clip, rows), crops, clip.frame_to_crop)


def paint_plainly(painted: Painted, canvas: Canvas) -> dict[str, Painted]:
    """Paint without a network: the best reference as it is, warped, and the mean of all, in the same mask."""
    count, height, size = canvas.references.shape[1], *painted.maps.shape[1:3]
    layout = lay_out(canvas, size - height)
    warped = layout.places.permute(0, 2, 3, 1, 4).flatten(3).numpy()
    own = layout.seen[:, -1, ..., None].numpy()
    rows, columns = np.mgrid[size - height : size, :size].astype(np.float32)
    as_is = np.broadcast_to(np.stack([columns, rows] * (count + 1), -1), warped.shape)
    best, mean = np.eye(count)[0], np.full(count, 1 / count)
    made = {}
    for name, places, shares in zip(ROWS, (as_is, warped, warped), (best, best, mean), strict=False):
        shares = np.broadcast_to(shares, (*own.shape[:3], count))
        rest = np.zeros((*own.shape[:3], 8))
        maps = np.concatenate([places, shares, own, rest, painted.maps[..., -1:]], -1).astype(np.float32)
        made[name] = replace(painted, maps=maps)
    return made


class Bench:
    """Compares what was drawn with the truth; `columns` gathers pictures for a sheet."""

    def __init__(self, models: Models, perceptual: Perceptual) -> None:
        self.painter, self._perceptual = Painter(models.generator, models.fusion), perceptual
        self.columns: list[dict[str, np.ndarray]] = []

    def measure(self, clip: Clip, count: int) -> np.ndarray:
        """Measure frames of a clip: squared error, perceptual distance, sharpness by row, (frames, ROWS, 3)."""
        found, rows = [], choose_rows(clip, count)
        shown = set(rows[np.linspace(0, len(rows) - 1, _SHOWN).astype(int)].tolist())
        for part, painted in paint_clip(self.painter, clip, rows):
            frames = clip.read_frames(clip.source, part)
            for i, (row, frame) in enumerate(zip(part.tolist(), frames, strict=True)):
                made = {name: frame.copy() for name in ROWS}
                for name, result in made.items():
                    painted[name].draw(i, frame, clip.frame_to_crop[row], result)
                scale = choose_scale(clip.frame_to_crop)
                matrix = refine_crop(clip.frame_to_crop[row], scale)
                crops = {
                    name: crop_face(x, matrix, 128 * scale, "bicubic") for name, x in (made | {"real": frame}).items()
                }
                found.append([
                    (*self._compare(crops[name], crops["real"], clip, row), compare_frame(made[name], frame, clip, row))
                    for name in ROWS
                ])  # fmt: skip
                if row in shown:
                    self._keep(crops)
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
        self.columns.append({name: crop[mouth] for name, crop in crops.items()})


def compare_frame(made: np.ndarray, frame: np.ndarray, clip: Clip, row: int) -> float:
    """Compare the mouth's sharpness with the real frame's, in the video's own resolution."""
    points = transform_points(invert_affine(clip.frame_to_crop[row]), clip.shot.mesh[row, MESH_TO_68, :2][MOUTH])
    box = mouth_box(points, max(frame.shape[:2]))
    return sharpness(cut_box(made, box), cut_box(frame, box))


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
