"""Fixtures that all tests share: where real clips lie, and the repository's root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
    """Keep face tracks away from the user's cache folder."""
    os.environ["G4G_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The top folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    """Run ffmpeg with the given arguments and bytes on stdin; return its stdout."""

    def run(*arguments: object, data: bytes = b"") -> bytes:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    return run


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real clips: $G4G_DATA, else ../shared/data beside the checkout; the test is skipped without it."""
    folder = Path(os.environ.get("G4G_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set G4G_DATA to a folder with grid/")
    return folder


@pytest.fixture(scope="session")
def grid_clip(data_dir: Path) -> Path:
    """One real clip of GRID: 360 x 288, 25 fps, 3 s, with sound."""
    clip = data_dir / "grid" / "s1" / "bbaf2n.mp4"
    if not clip.is_file():
        pytest.skip(f"no clip at {clip}")
    return clip


@pytest.fixture(scope="session")
def portrait_file(tmp_path_factory) -> Path:
    """The public-domain NASA portrait that scikit-image ships, 512 x 512."""
    data = pytest.importorskip("skimage.data", reason="needs the extra demo: pip install g4g[demo]")
    from PIL import Image

    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


@pytest.fixture(scope="session")
def voice_file() -> Path:
    """The bundled synthetic voice, 4.7 s."""
    return ROOT / "examples" / "voice.wav"
