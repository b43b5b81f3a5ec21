"""Contact sheets: source, dubbed and real, with mouth close-ups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from clips import Clip
from dubs import Dub, sheet_columns
from PIL import Image, ImageDraw

_WIDTH = 192
_MOUTH = (slice(56, 120), slice(16, 112))
_ROWS = ("source", "dubbed", "real, of the sound", "source", "dubbed", "real, of the sound")


def draw_dub(dub: Dub, clip: Clip, sound: Clip, path: Path) -> None:
    """Draw a dub: whole frames of source and dub, the crop of whoever really said the sound, then the mouths of all."""
    own, other = sheet_columns(len(clip.shot)), sheet_columns(len(sound.shot))
    columns = []
    for (source, dubbed), here, there in zip(dub.samples, own, other, strict=True):
        crops = [clip.shot.crops[here], dub.crops[here], sound.shot.crops[there]]
        columns.append([source, dubbed, crops[2], *(crop[_MOUTH] for crop in crops)])
    rows = [np.concatenate([_fit(tile) for tile in row], axis=1) for row in zip(*columns, strict=True)]
    sheet = Image.fromarray(np.concatenate(rows))
    draw, y = ImageDraw.Draw(sheet), 0
    for name, row in zip(_ROWS, rows, strict=True):
        draw.text((4, y + 2), name, fill=(255, 255, 0), stroke_width=1, stroke_fill=(0, 0, 0))
        y += len(row)
    sheet.save(path)


def _fit(tile: np.ndarray) -> np.ndarray:
    height, width = tile.shape[:2]
    return np.asarray(Image.fromarray(tile).resize((_WIDTH, round(_WIDTH * height / width))))
