"""A folder of pictures as a video: which files, in which order."""

from __future__ import annotations

import re
from pathlib import Path

from g4g.errors import MediaError

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Files of a folder that count as its frames."""

NUMBER_DIGITS = 20
"""Numbers in file names are compared at this length."""


def list_pictures(folder: Path) -> list[Path]:
    """List the frames of a folder, numbers in their names taken as numbers: 2.png comes before 10.png.

    Args:
        folder: any other files in it are passed over.
    Returns:
        at least one path.
    Raises:
        MediaError: no picture in it.
    """
    found = [file for file in folder.iterdir() if file.suffix.lower() in PICTURE_ENDINGS]
    if not found:
        raise MediaError(f"{folder} is a folder without pictures ({', '.join(PICTURE_ENDINGS)}); give others")
    return sorted(found, key=lambda file: [n.zfill(NUMBER_DIGITS) for n in re.split(r"(\d+)", file.name)])
