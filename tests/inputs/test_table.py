"""docs/inputs.md: every row names a test that exists, and every test of this folder stands in a row."""

import re

import pytest


def list_tests(folder):
    """Names of all test functions below a folder as "file.py::name", relative to it."""
    found = {}
    for file in folder.rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE):
            found[f"{file.relative_to(folder).as_posix()}::{name}"] = file
    return found


@pytest.fixture
def rows(repo_root):
    """The last cell of each row, as a path from tests/."""
    text = (repo_root / "docs" / "inputs.md").read_text()
    cells = re.findall(r"\| ([./\w]*test_\w+\.py::test_\w+) \|$", text, re.MULTILINE)
    return [cell.removeprefix("../") if cell.startswith("../") else f"inputs/{cell}" for cell in cells]


def test_every_row_has_its_test(repo_root, rows):
    text = (repo_root / "docs" / "inputs.md").read_text()
    heads = len(re.findall(r"^\|---", text, re.MULTILINE))
    assert len(re.findall(r"^\|", text, re.MULTILINE)) == len(rows) + 2 * heads
    assert set(rows) <= set(list_tests(repo_root / "tests"))


def test_every_test_has_its_row(repo_root, rows):
    own = {f"inputs/{name}" for name in list_tests(repo_root / "tests" / "inputs") if "test_table" not in name}
    assert own - set(rows) == {
        "inputs/test_time.py::test_times_are_cut_to_the_sound_or_go_on_at_the_mean_rate",
        "inputs/test_part.py::test_ping_pong_frames_are_numbered_as_they_come",
    }
