"""Files told apart from later versions of themselves, without reading them."""

from __future__ import annotations

from pathlib import Path


def list_files(path: Path) -> list[Path]:
    """List a file, or the files of a folder by their names."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


def stamp_file(path: Path) -> str:
    """Give size and time of change of a file; of a folder, those of each of its files behind its name."""
    if path.is_dir():
        return "\n".join(f"{file.name} {stamp_file(file)}" for file in list_files(path))
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"
