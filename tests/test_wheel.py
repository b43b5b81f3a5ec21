"""A built wheel carries the weights, their notices and the command, and finds them once installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, so that the checkout gets no build folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("g4g", "weights"):
        shutil.copytree(repo_root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(repo_root / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("g4g-*.whl")
    return built


def test_the_wheel_carries_every_weight_file_and_notice(wheel: Path, repo_root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name).name for name in archive.namelist() if name.startswith("g4g/weights/")}
        manifest = json.loads(archive.read("g4g/weights/manifest.json"))
    assert held == {path.name for path in (repo_root / "weights").iterdir()}
    assert {record["file"] for record in manifest["weights"]} <= held
    assert "MEDIAPIPE_LICENSE" in held


def test_the_wheel_carries_the_command_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [entry_points] = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        assert "g4g = g4g.cli:main" in archive.read(entry_points).decode()
    assert "g4g/py.typed" in names
    assert any(".dist-info/" in name and name.endswith("/LICENSE") for name in names)
    assert any(".dist-info/" in name and name.endswith("/MEDIAPIPE_LICENSE") for name in names)


def test_the_installed_package_finds_and_verifies_its_weights(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "from g4g.checkpoints import *; [print(find_weights(name)) for name in read_manifest()]"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert {path.parent for path in found} == {tmp_path / "site" / "g4g" / "weights"}
    assert len(found) >= 2
