"""Contact sheets: source, dubbed and real, with mouth close-ups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from clips import Clip
from dubs import SIZE, Job
from PIL import Image, ImageDraw

from g4g.faces import crop_face
from g4g.media import read_frames

_WIDTH = 192
_FRAMES = 10
_MOUTH = (slice(56, 120), slice(16, 112))
_ROWS = ("source", "dubbed", "real, of the sound", "source", "dubbed", "real, of the sound")


def draw_dub(job: Job, sound: Clip, path: Path) -> None:
    """Draw a dub: whole frames of source and dub, the crop of whoever really said the sound, then the mouths of all."""
    clip, columns = job.clip, []
    own, other = sheet_columns(len(clip.shot)), sheet_columns(len(sound.shot))
    sources, dubs = ([item.frame for item in read_frames(video)][clip.start :] for video in (clip.source, job.out))
    for here, there in zip(own, other, strict=True):
        crop = crop_face(dubs[here], clip.frame_to_crop[here], SIZE)
        crops = [clip.shot.crops[here], crop, sound.shot.crops[there]]
        columns.append([sources[here], dubs[here], crops[2], *(crop[_MOUTH] for crop in crops)])
    rows = [np.concatenate([_fit(tile) for tile in row], axis=1) for row in zip(*columns, strict=True)]
    sheet = Image.fromarray(np.concatenate(rows))
    draw, y = ImageDraw.Draw(sheet), 0
    for name, row in zip(_ROWS, rows, strict=True):
        draw.text((4, y + 2), name, fill=(255, 255, 0), stroke_width=1, stroke_fill=(0, 0, 0))
        y += len(row)
    sheet.save(path)


def sheet_columns(count: int) -> list[int]:
    """Frame numbers that a sheet shows of a clip of `count` frames."""
    return np.linspace(0, count - 1, _FRAMES).round().astype(int).tolist()


def _fit(tile: np.ndarray) -> np.ndarray:
    height, width = tile.shape[:2]
    return np.asarray(Image.fromarray(tile).resize((_WIDTH, round(_WIDTH * height / width))))
