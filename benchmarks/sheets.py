"""Contact sheets: rows of pictures with their names, and the dub of a clip between its source and the real speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from clips import Clip
from dubs import SIZE, Job
from PIL import ImageDraw

from g4g.faces import crop_face
from g4g.media.sheet import paste_columns

_WIDTH = 192
_FRAMES = 10
MOUTH = (slice(56, 120), slice(16, 112))
"""Rows and columns of a crop that show the mouth."""


def draw_rows(rows: dict[str, list[np.ndarray]], path: Path, width: int = _WIDTH) -> None:
    """Draw rows of equally many pictures, each row with its name; pictures of one row have one shape."""
    sheet = paste_columns(list(zip(*rows.values(), strict=True)), width)
    draw, y = ImageDraw.Draw(sheet), 0
    for name, pictures in rows.items():
        draw.text((4, y + 2), name, fill=(255, 255, 0), stroke_width=1, stroke_fill=(0, 0, 0))
        y += round(width * pictures[0].shape[0] / pictures[0].shape[1])
    sheet.save(path)


def draw_dub(job: Job, sound: Clip, path: Path) -> None:
    """Draw a dub: whole frames of source and dub, the crop of whoever really said the sound, then the mouths of all."""
    clip = job.clip
    own, other = sheet_columns(len(clip.shot)), sheet_columns(len(sound.shot))
    sources, dubs = (read_columns(video, clip, own) for video in (clip.source, job.out))
    crops = {
        "mouth of the source": [clip.shot.crops[i] for i in own],
        "mouth of the dub": [crop_face(dub, clip.frame_to_crop[i], SIZE) for i, dub in zip(own, dubs, strict=True)],
        "mouth of the sound": [sound.shot.crops[i] for i in other],
    }
    rows = {"source": sources, "dubbed": dubs, "real, of the sound": crops["mouth of the sound"]}
    draw_rows(rows | {name: [crop[MOUTH] for crop in row] for name, row in crops.items()}, path)


def read_columns(video: Path, clip: Clip, rows: list[int]) -> list[np.ndarray]:
    """Read the frames of a video, the clip's source or its dub, that show some of the clip's frames."""
    return list(clip.read_frames(video, rows))


def sheet_columns(count: int) -> list[int]:
    """Frame numbers that a sheet shows of a clip of `count` frames."""
    return np.linspace(0, count - 1, _FRAMES).round().astype(int).tolist()
