"""Fixtures that all tests share: where real clips lie, and the repository's root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace

import imageio_ffmpeg
import pytest

import g4g
from g4g.threads import limit_threads, share_threads

# Processes of pytest-xdist share the cores: more threads than cores wait for each other a quarter of the time.
limit_threads(share_threads(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))

ROOT = Path(__file__).resolve().parent.parent
FRAMES, FPS = 15, 25
"""Length of the cut of the real clip, and of the sound that drives it."""


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
    """Keep face tracks and signing keys away from the user's own folders."""
    os.environ["G4G_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["G4G_CONFIG"] = str(tmp_path_factory.mktemp("config"))


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


@pytest.fixture(scope="session")
def in_process() -> Callable[[], AbstractContextManager]:
    """Within `with in_process():` videos are prepared in this process: others take three seconds to begin."""

    @contextmanager
    def start_none(count: int) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(map=map)

    @contextmanager
    def patch() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr("g4g.training.prepare._start_workers", start_none)
            yield

    return patch


@pytest.fixture(scope="session")
def tiny() -> g4g.Dubber:
    """Networks that are quick and random: the way of the data is tested here, not the lips."""
    return g4g.Dubber.from_pretrained("g4g-tiny")


@pytest.fixture
def cut(ffmpeg, grid_clip: Path, tmp_path: Path) -> Callable[..., Path]:
    """Store the clip's first 15 frames as `name`; further arguments are ffmpeg's, those in `before` precede -i."""

    def make(name: str, *arguments: object, before: tuple = ()) -> Path:
        ffmpeg(*before, "-t", FRAMES / FPS, "-i", grid_clip, *arguments, tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def voice(ffmpeg, voice_file: Path, tmp_path_factory) -> Path:
    """The bundled voice, cut to the length of the cut clip."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    ffmpeg("-ss", 1, "-t", FRAMES / FPS, "-i", voice_file, path)
    return path
