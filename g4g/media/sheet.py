"""Contact sheets: pictures pasted under and beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image


def paste_columns(columns: Sequence[Sequence[np.ndarray]], width_px: int) -> Image.Image:
    """Paste columns of pictures (H, W, 3) uint8 side by side, each picture scaled to `width_px`, its shape kept."""
    scaled = [[_fit(Image.fromarray(tile), width_px) for tile in column] for column in columns]
    height = max(sum(picture.height for picture in column) for column in scaled)
    sheet = Image.new("RGB", (width_px * len(scaled), height))
    for x, column in enumerate(scaled):
        y = 0
        for picture in column:
            sheet.paste(picture, (width_px * x, y))
            y += picture.height
    return sheet


def _fit(picture: Image.Image, width_px: int) -> Image.Image:
    return picture.resize((width_px, round(width_px * picture.height / picture.width)))
