"""A dub leaves nothing behind: what it held goes when it ends, without waiting for Python's garbage collector."""

from __future__ import annotations

import gc
import re
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from av.video.frame import VideoFrame as DecodedFrame

from g4g.avatar import Avatar
from g4g.avatar.library import MouthLibrary
from g4g.dubbing.report import DubbedFrame
from g4g.faces import FaceTracks
from g4g.media.ahead import run_ahead
from g4g.media.picture import PlanarPicture, RgbPicture
from g4g.memory import ArrayFile, drop_pages, give_back_memory, join_blocks
from g4g.nn import lay_aside
from g4g.painter import Canvas, Painted

LARGE = Avatar, Canvas, DecodedFrame, DubbedFrame, FaceTracks, MouthLibrary, Painted, PlanarPicture
"""What holds pictures, or something for each frame."""


def count_large() -> dict[str, int]:
    """Count what is alive of each kind."""
    kinds = [type(item) for item in gc.get_objects()]  # `isinstance` would ask weak proxies for what is gone
    return {kind.__name__: kinds.count(kind) for kind in LARGE if kind in kinds}


def test_a_dub_leaves_nothing_large_behind(tiny, grid_clip, tmp_path):
    tiny.dub(grid_clip, grid_clip, tmp_path / "first.mp4")  # numba, which compiles here, leaves cycles to the collector
    gc.collect()
    before = count_large()
    gc.disable()  # what only the collector finds is found late: in between, memory grows
    try:
        tiny.dub(grid_clip, grid_clip, tmp_path / "out.mp4")
        after = count_large()
    finally:
        gc.enable()
    assert after == before


def test_stages_do_not_hold_what_the_next_one_has():
    alive, most = set(), 0

    class Large:
        def __init__(self):
            alive.add(id(self))

        def __del__(self):
            alive.discard(id(self))

    for item in run_ahead((Large() for _ in range(20)), ahead=1):
        most = max(most, len(alive))
        del item
    assert most <= 2, "one in use, one that waits or is made"
    assert not alive


def test_giving_memory_back_harms_nothing():
    kept = np.arange(100_000)
    give_back_memory()
    assert kept.sum() == 4_999_950_000


def test_a_large_array_lies_in_a_file_and_is_the_same(monkeypatch):
    array = np.random.default_rng(0).normal(size=(6000, 478, 3)).astype(np.float32)
    asked = []

    def make_blocks():
        asked.append(0)
        yield from np.array_split(array, [1000, 1000, 5999])

    mapped = join_blocks(make_blocks, array.shape, np.float32)
    assert type(mapped) is np.ndarray and isinstance(mapped.base, np.memmap) and np.array_equal(mapped, array)
    mapped[0] = 1
    assert (mapped[0] == 1).all() and len(asked) == 1
    small = join_blocks(lambda: [array[:7], array[7:10]], (10, 478, 3), np.float32)
    assert small.base is None and np.array_equal(small, array[:10])

    def refuse(*given, **named):
        raise OSError("the disk is full")

    monkeypatch.setattr("g4g.memory.tempfile.TemporaryFile", refuse)
    held = join_blocks(make_blocks, array.shape, np.float32)
    assert held.base is None and np.array_equal(held, array) and len(asked) == 2


def test_dropped_pages_are_read_again():
    array = np.arange(6_000_000, dtype=np.float32)
    mapped = join_blocks(lambda: [array], array.shape, np.float32)
    drop_pages(mapped[::2], array[5:], np.zeros(3))
    assert np.array_equal(mapped, array)
    pages = Path("/proc/self/smaps_rollup")
    if pages.exists():
        held = lambda: int(re.search(r"Rss: +(\d+)", pages.read_text())[1])  # noqa: E731
        before = held()
        drop_pages(mapped)
        assert before - held() > 0.8 * array.nbytes / 1024, "KB"


def test_a_large_network_lies_in_a_file_and_is_the_same(monkeypatch):
    network = torch.nn.Sequential(torch.nn.Linear(2048, 2048), torch.nn.Conv1d(2, 3, 5)).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    places = [p.data_ptr() for p in network.parameters()]

    def refuse(*given, **named):
        raise OSError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr("g4g.nn.aside.tempfile.TemporaryFile", refuse)
        lay_aside(network)
    assert [p.data_ptr() for p in network.parameters()] == places
    lay_aside(network)
    after = network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert len({p.untyped_storage().data_ptr() for p in network.parameters()}) == 1, "one mapping holds all"


def test_a_small_network_stays_where_it_is():
    network = torch.nn.Linear(8, 8)
    place = network.weight.data_ptr()
    lay_aside(network)
    assert network.weight.data_ptr() == place


def test_arrays_come_back_out_of_a_file_in_any_order_and_where_the_disk_refuses(monkeypatch):
    arrays = [np.arange(n, dtype=kind) for n, kind in ((5, np.uint8), (7, np.float32), (3, np.int64))]
    with closing(ArrayFile()) as file:
        kept = [file.keep(array) for array in arrays]
        assert not any(isinstance(one, np.ndarray) for one in kept)
        for number in (2, 0, 1, 0):
            back = file.read(kept[number])
            np.testing.assert_array_equal(back, arrays[number])
            assert back.dtype == arrays[number].dtype

    def refuse(**named):
        raise OSError("the disk is full")

    monkeypatch.setattr("g4g.memory.tempfile.TemporaryFile", refuse)
    file = ArrayFile()
    np.testing.assert_array_equal(file.read(file.keep(arrays[1])), arrays[1])


def test_a_picture_with_transparency_is_made_again_of_its_array():
    frame = np.random.default_rng(0).integers(0, 256, (4, 6, 4), np.uint8)
    picture = RgbPicture(frame).with_array(RgbPicture(frame).array)
    np.testing.assert_array_equal(picture.whole(), frame[..., :3])
    np.testing.assert_array_equal(picture.alpha, frame[..., 3:])
