"""Checkpoints: what is saved is loaded, and every damaged or foreign file is refused with a sentence."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from g4g.checkpoints import load_checkpoint, read_header, save_checkpoint
from g4g.checkpoints.header import MAX_HEADER_BYTES
from g4g.errors import CheckpointError
from g4g.zoo import load, save_models

CONFIG = {"width": 8, "name": "tiny"}
INFO = {"steps": 3, "data": "planted"}


def make_tensors() -> dict[str, torch.Tensor]:
    """Return a float matrix, a transposed view of it (shared memory, not contiguous), and whole numbers."""
    matrix = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    return {"matrix": matrix, "view": matrix.T, "steps": torch.tensor([1, 70_000])}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, make_tensors(), CONFIG, "aligner", INFO)
    return path


def replace_header(path: Path, table: dict) -> None:
    """Write a file with this header and eight bytes of tensors."""
    text = json.dumps(table).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))


def test_what_is_saved_is_loaded(saved: Path) -> None:
    loaded = load_checkpoint(saved, "aligner")
    assert (loaded.kind, loaded.config, loaded.info) == ("aligner", CONFIG, INFO)
    assert loaded.tensors.keys() == make_tensors().keys()
    for name, tensor in make_tensors().items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)


def test_weights_of_an_older_g4g_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_models(path, load("g4g-tiny"))
    new = load_checkpoint(path)
    config = {part: new.config[part] for part in ("aligner", "generator", "fusion")}
    save_checkpoint(path, new.tensors, config, new.kind, new.info)
    with pytest.raises(CheckpointError, match="older g4g.*train it again"):
        load(path)


def test_the_header_is_read_alone(saved: Path) -> None:
    header = read_header(saved)
    assert (header.kind, header.config, header.info) == ("aligner", CONFIG, INFO)
    assert header.shapes == {"matrix": (3, 5), "view": (5, 3), "steps": (2,)}


def test_half_stores_floats_in_two_bytes_and_leaves_integers_alone(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    tensors = make_tensors()
    save_checkpoint(path, tensors, CONFIG, "aligner", INFO, half=True)
    loaded = load_checkpoint(path).tensors
    assert loaded["matrix"].dtype == torch.float16
    assert torch.allclose(loaded["matrix"].float(), tensors["matrix"], rtol=2**-10)
    assert torch.equal(loaded["steps"], tensors["steps"])
    assert tensors["matrix"].dtype == torch.float32


def test_half_refuses_what_float16_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'big' reaches 1e.05, float16 ends at 65504"):
        save_checkpoint(tmp_path / "x.safetensors", {"big": torch.tensor([1e5])}, {}, "aligner", {}, half=True)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(saved, {"other": torch.zeros(4)}, {}, "fusion", {})
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_saving_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist; make it first"):
        save_checkpoint(tmp_path / "none" / "x.safetensors", {}, {}, "aligner", {})


def test_config_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="config must hold JSON values only"):
        save_checkpoint(tmp_path / "x.safetensors", {}, {"path": tmp_path}, "aligner", {})


def test_too_large_an_info_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="shorten them"):
        save_checkpoint(tmp_path / "x.safetensors", {}, {}, "aligner", {"log": "x" * MAX_HEADER_BYTES})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at .*none.safetensors"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_the_wrong_kind_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="kind 'aligner', but 'generator' is needed"):
        load_checkpoint(saved, "generator")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_is_refused(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(pickle.dumps({"weights": [1.0] * 100}, protocol=protocol))
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch_save_is_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "net.safetensors"
    torch.save(make_tensors(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_checkpoint(path)


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    lengths = set()
    for padding in range(0, 600, 8):
        save_checkpoint(path, {"x": torch.zeros(2)}, {}, "aligner", {"note": "n" * padding})
        lengths.add(int.from_bytes(path.read_bytes()[:8], "little"))
        assert load_checkpoint(path).kind == "aligner"
    assert 0x0280 in lengths  # its first two bytes are 0x80 0x02, as in a pickle of protocol 2


def test_a_file_cut_anywhere_is_refused(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="truncated"):
            load_checkpoint(cut)


def test_a_file_with_something_behind_it_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"x")
    with pytest.raises(CheckpointError, match="is damaged: its header announces"):
        load_checkpoint(saved)


@pytest.mark.parametrize("length", [MAX_HEADER_BYTES + 1, 2**40, 2**64 - 1])
def test_a_header_bomb_is_refused_unread(tmp_path: Path, length: int) -> None:
    path = tmp_path / "bomb.safetensors"
    with open(path, "wb") as file:
        file.write(length.to_bytes(8, "little") + b"{")
        file.truncate(MAX_HEADER_BYTES + 1_000)
    with pytest.raises(CheckpointError, match="damaged or hostile"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "is not a safetensors file"),
        ((100).to_bytes(8, "little") + b"{" + b"[" * 99, "its header is not JSON"),
        ((90_000).to_bytes(8, "little") + b'{"a":' + b"[" * 89_995, "its header is not JSON"),
    ],
)
def test_other_files_are_named(tmp_path: Path, start: bytes, message: str) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(start)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "tensor",
    [
        [],
        {},
        {"dtype": "F32", "shape": [2], "data_offsets": [8]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": ["0", "8"]},
    ],
)
def test_a_misdescribed_tensor_is_refused(tmp_path: Path, tensor: object) -> None:
    path = tmp_path / "net.safetensors"
    replace_header(path, {"x": tensor})
    with pytest.raises(CheckpointError, match="misdescribes 'x'"):
        load_checkpoint(path)


def test_offsets_that_contradict_the_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    metadata = {"format": "g4g-1", "kind": "aligner", "config": "{}", "info": "{}"}
    tensor = {"dtype": "F32", "shape": [1_000_000], "data_offsets": [0, 8]}
    replace_header(path, {"__metadata__": metadata, "x": tensor})
    with pytest.raises(CheckpointError, match="is damaged"):
        load_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(2)}, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="not a checkpoint of this g4g.*found 'pt'"):
        load_checkpoint(path)


@pytest.mark.parametrize("broken", [{"config": "{"}, {"config": "[]"}, {"info": "3"}])
def test_broken_metadata_is_refused(tmp_path: Path, broken: dict) -> None:
    path = tmp_path / "net.safetensors"
    metadata = {"format": "g4g-1", "kind": "aligner", "config": "{}", "info": "{}"}
    save_file({"x": torch.zeros(2)}, path, metadata=metadata | broken)
    with pytest.raises(CheckpointError, match="is damaged: its"):
        load_checkpoint(path)
