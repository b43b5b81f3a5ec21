"""The manifest: shipped files verify, planted damage is found, entries can be added."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from g4g.checkpoints import Entry, add_entry, describe_file, find_weights, read_manifest, verify_file, weights_dir
from g4g.errors import CheckpointError

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with one file and its manifest, taken for the shipped one."""
    (tmp_path / "net.safetensors").write_bytes(CONTENT)
    add_entry(describe(tmp_path / "net.safetensors"), tmp_path)
    monkeypatch.setattr("g4g.checkpoints.manifest.weights_dir", lambda: tmp_path)
    return tmp_path


def describe(path: Path, name: str = "net") -> Entry:
    return describe_file(
        path, name=name, kind="aligner", licence="CC-BY-4.0", training_data="GRID", metrics={"first": 0.7}, command="t"
    )


def rewrite(folder: Path, **changes: object) -> None:
    """Change fields of the manifest's only entry, or drop them where the value is None."""
    path = folder / "manifest.json"
    table = json.loads(path.read_text())
    record = table["weights"][0] | changes
    table["weights"] = [{key: value for key, value in record.items() if value is not None}]
    path.write_text(json.dumps(table))


def test_the_shipped_files_verify() -> None:
    entries = read_manifest()
    assert {"face-detection", "face-landmarks"} <= entries.keys()
    for name, entry in entries.items():
        assert find_weights(name) == weights_dir() / entry.file
        assert entry.licence and entry.training_data


def test_every_shipped_weight_file_has_an_entry() -> None:
    files = {path.name for path in weights_dir().iterdir() if path.suffix in (".safetensors", ".tflite")}
    assert files == {entry.file for entry in read_manifest().values()}


def test_an_added_entry_is_read_back(folder: Path) -> None:
    entry = read_manifest()["net"]
    assert entry.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (entry.size_bytes, entry.file, entry.metrics) == (len(CONTENT), "net.safetensors", {"first": 0.7})
    assert find_weights("net") == folder / "net.safetensors"


def test_adding_replaces_the_entry_of_that_name_and_sorts(folder: Path) -> None:
    (folder / "net.safetensors").write_bytes(b"newer")
    (folder / "first.safetensors").write_bytes(b"first")
    add_entry(describe(folder / "net.safetensors"), folder)
    add_entry(describe(folder / "first.safetensors", name="a"), folder)
    assert [(name, entry.size_bytes) for name, entry in read_manifest(folder).items()] == [("a", 5), ("net", 5)]


def test_an_entry_that_does_not_match_its_file_is_not_added(folder: Path) -> None:
    wrong = dataclasses.replace(read_manifest()["net"], name="wrong", sha256="0" * 64)
    with pytest.raises(CheckpointError, match="were changed"):
        add_entry(wrong, folder)
    assert list(read_manifest()) == ["net"]


def test_a_path_is_found_as_it_is(folder: Path) -> None:
    own = folder / "mine.bin"
    own.write_bytes(b"x")
    assert find_weights(own) == own
    assert find_weights(str(own)) == own


def test_an_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="unknown weights 'nett'.*shipped names are: net"):
        find_weights("nett")
    with pytest.raises(CheckpointError, match="unknown weights"):
        find_weights(folder)


def test_a_truncated_file_is_named(folder: Path) -> None:
    (folder / "net.safetensors").write_bytes(CONTENT[:-1])
    with pytest.raises(CheckpointError, match="truncated: .* has 2559 of 2560 bytes"):
        find_weights("net")


@pytest.mark.parametrize("content", [CONTENT + b"x", b"\x01" + CONTENT[1:]])
def test_a_changed_file_is_named(folder: Path, content: bytes) -> None:
    (folder / "net.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="were changed.*install g4g again"):
        find_weights("net")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "net.safetensors").unlink()
    with pytest.raises(CheckpointError, match="'net' are missing: expected .*net.safetensors"):
        find_weights("net")
    with pytest.raises(CheckpointError, match="no weight file at"):
        describe(folder / "net.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "../net.safetensors"}, "plain file name"),
        ({"file": "..\\net.safetensors"}, "plain file name"),
        ({"sha256": "abc"}, "64 hex digits"),
        ({"size_bytes": -1}, "a size from 0 bytes"),
        ({"size_bytes": "2560"}, "size_bytes must be int"),
        ({"metrics": []}, "metrics must be dict"),
        ({"licence": None}, "missing or unknown fields.*licence"),
        ({"url": "x"}, "missing or unknown fields.*url"),
    ],
)
def test_a_wrong_entry_is_refused(folder: Path, changes: dict, message: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_manifest()


def test_two_entries_of_one_name_are_refused(folder: Path) -> None:
    table = json.loads((folder / "manifest.json").read_text())
    table["weights"] *= 2
    (folder / "manifest.json").write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match="two entries named 'net'"):
        read_manifest()


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2, "weights": []}', '{"version": 1, "weights": {}}'])
def test_another_file_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CheckpointError, match="manifest"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read the manifest"):
        read_manifest(tmp_path)


def test_weights_beside_the_package_are_found_and_those_inside_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4g.checkpoints.manifest.__file__", str(tmp_path / "g4g" / "checkpoints" / "manifest.py"))
    with pytest.raises(CheckpointError, match="shipped weights are missing"):
        weights_dir()
    for place in (tmp_path / "weights", tmp_path / "g4g" / "weights"):
        place.mkdir(parents=True)
        (place / "manifest.json").write_text("{}")
        assert weights_dir() == place


def test_verify_compares_the_size_first(folder: Path) -> None:
    entry = dataclasses.replace(read_manifest()["net"], size_bytes=len(CONTENT) + 1)
    with pytest.raises(CheckpointError, match="truncated"):
        verify_file(entry, folder)
