"""Contact sheets: pictures pasted under and beside each other."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from g4g.errors import MediaError
from g4g.media.write import check_output


def check_sheet(path: Path, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Check that a contact sheet can be written to a file, before any work is done for it; an old one is replaced.

    Args:
        path: the picture.
        inputs: files that it must not replace.
    Raises:
        MediaError: an ending that stands for no picture that can be written, or as `check_output`.
    """
    check_output(path, True, inputs)
    try:  # Pillow lists also those that it would refuse
        Image.new("RGB", (1, 1)).save(io.BytesIO(), Image.registered_extensions()[path.suffix.lower()])
    except (KeyError, OSError) as error:
        raise MediaError(f"the contact sheet {path} must end in .png, .jpg or .webp, not '{path.suffix}'") from error


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
