"""Draw the way of one frame, docs/one_frame.jpg: the bundled portrait says the bundled sentence; needs the extra demo.

python benchmarks/one_frame.py [--weights g4g-small] [--out docs/one_frame.jpg]
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image, ImageDraw

import g4g
from g4g.config import CropConfig
from g4g.faces import crop_face, warp_picture
from g4g.faces.canonical import INNER_LIPS
from g4g.painter import Canvas, Painter, mask_lower_face

VOICE = Path(__file__).resolve().parents[1] / "examples" / "voice.wav"
SCALE = 3
"""Size of a panel over that of the networks' crop."""
FRAMES = 60
CAPTIONS = (
    "1 the frame's face", "2 its mesh of points",
    "3 where the sound sends them", "4 a picture of the person, warped so",
    "5 the mask around old and new mouth", "6 drawn into the frame",
)  # fmt: skip


def follow(weights: str) -> tuple[Canvas, int, object]:
    """Dub some frames; return the painter's canvas, its row and the dubbed frame where the mouth is moved furthest."""
    canvases: list[Canvas] = []
    paint = Painter.paint

    def watch(painter: Painter, canvas: Canvas, *more):
        canvases.append(canvas)
        return paint(painter, canvas, *more)

    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(skimage.data.astronaut()).save(f"{folder}/portrait.png")
        dubber = g4g.Dubber.from_pretrained(weights)
        Painter.paint = watch
        try:
            items = list(islice(dubber.generate_frames(f"{folder}/portrait.png", VOICE), FRAMES))
        finally:
            Painter.paint = paint
    rows = [(canvas, row) for canvas in canvases for row in range(len(canvas.targets))]
    number = max(range(len(items)), key=lambda n: measure_way(*rows[n]))  # of a still nothing else is painted
    return *rows[number], items[number]


def measure_way(canvas: Canvas, row: int) -> float:
    """Measure how far the inner lips are moved, px."""
    way = canvas.targets[row] - canvas.meshes[row]
    return float(np.abs(way[list(INNER_LIPS)]).mean())


def draw_points(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Draw the points (N, 2), px of a crop of the networks' size, over an enlarged crop."""
    drawn = picture.copy()
    for x, y in points[:478] * SCALE + (SCALE - 1) / 2:
        cv2.circle(drawn, (round(x), round(y)), 1, (0, 255, 0), -1, cv2.LINE_AA)
    return drawn


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="g4g-small", help="name or file (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/one_frame.jpg"), help="picture (%(default)s)")
    options = parser.parse_args()
    canvas, row, item = follow(options.weights)
    size = CropConfig().size * SCALE
    enlarge = item.frame_to_crop * SCALE + [[0, 0, (SCALE - 1) / 2]]
    source, dubbed = (crop_face(frame, enlarge, size) for frame in (item.source, item.frame))
    mesh, target = canvas.meshes[row], canvas.targets[row]
    warped = warp_picture(canvas.references[row, 0], canvas.reference_meshes[row, 0], target)
    mask = cv2.resize(mask_lower_face(mesh, target), (size, size))[..., None]
    panels = [
        source, draw_points(source, mesh), draw_points(source // 3, target), cv2.resize(warped, (size, size)),
        (source * (1 - mask) + np.array([255, 0, 255]) * mask * 0.5 + source * mask * 0.5).astype(np.uint8), dubbed,
    ]  # fmt: skip
    sheet = Image.fromarray(np.concatenate([np.concatenate(panels[:3], 1), np.concatenate(panels[3:], 1)]))
    draw = ImageDraw.Draw(sheet)
    for number, caption in enumerate(CAPTIONS):
        place = (number % 3 * size + 6, number // 3 * size + 4)
        draw.text(place, caption, fill=(255, 255, 0), stroke_width=2, stroke_fill=(0, 0, 0), font_size=17)
    sheet.save(options.out, quality=85)


if __name__ == "__main__":
    main()
