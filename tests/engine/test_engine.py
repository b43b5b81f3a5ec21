"""Other engines say the same as torch, keep what they converted, and are chosen by name and device."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from g4g.audio import SpeechConfig, SpeechEncoder, encode_speech
from g4g.config import CropConfig
from g4g.engine import FlatNetwork, NetworkCache, choose_engine, has_bfloat16, on_openvino, open_network
from g4g.errors import ConfigError
from g4g.export import measure_error
from g4g.faces import add_ring, load_canonical, refine_crop
from g4g.generator import Layout
from g4g.networks import leave_engine, list_flat_networks, rest, use_engine
from g4g.painter import Canvas, Painter
from g4g.zoo import load

MOST_ERROR = 1e-5
"""Of an output's largest value, or of 1, in float32; docs/engine.md says it."""
MOST_ERROR_BFLOAT16 = 0.02
"""The same of the generator in bfloat16."""
MOST_LEVELS = 1
"""Of 255, in painted frames, whatever the precision."""
needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime"))), reason="needs the extra onnx"
)


@pytest.fixture(scope="module")
def models():
    return load("g4g-small")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return NetworkCache(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def flats(models):
    return list_flat_networks(models)


@pytest.mark.parametrize("name", ["speech", "generator"])
def test_openvino_says_the_same_as_torch_for_any_length(name, flats, cache):
    assert measure_error(flats[name], open_network(flats[name], "openvino", cache)) <= MOST_ERROR


@needs_onnx
def test_onnx_runtime_says_the_same_as_torch_and_keeps_the_file(cache, monkeypatch):
    flat = list_flat_networks(load("g4g-tiny"))["generator"]
    assert measure_error(flat, open_network(flat, "onnx", cache)) <= MOST_ERROR
    monkeypatch.setattr("g4g.engine.on_onnx.convert_to_onnx", lambda flat: pytest.fail("it was kept"))
    assert measure_error(flat, open_network(flat, "onnx", cache)) <= MOST_ERROR


def test_a_causal_speech_encoder_runs_on_openvino(models, cache):
    torch.manual_seed(0)
    encoder = SpeechEncoder(SpeechConfig(16, 16, 8, dilations=(1, 2), centred_blocks=(0,))).eval()
    fast = use_engine(replace(models, speech=encoder), "openvino", cache)
    sound = np.random.default_rng(0).normal(0, 0.1, 12_345).astype(np.float32)
    np.testing.assert_allclose(encode_speech(fast.speech, sound), encode_speech(encoder, sound), atol=1e-5)


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_bfloat16_is_near_and_really_another_precision(flats, cache):
    error = measure_error(flats["generator"], open_network(flats["generator"], "openvino", cache, "bf16"))
    assert MOST_ERROR < error < MOST_ERROR_BFLOAT16


@torch.no_grad()
def test_networks_on_openvino_are_called_as_before(models, flats, cache):
    fast = use_engine(models, "openvino", cache)
    sound = np.random.default_rng(0).normal(0, 0.1, 12_345).astype(np.float32)
    expected = encode_speech(models.speech, sound)
    np.testing.assert_allclose(encode_speech(fast.speech, sound), expected, atol=MOST_ERROR * np.abs(expected).max())
    assert fast.speech.config == models.speech.config and fast.generator.top == models.generator.top
    assert fast.fusion is models.fusion and use_engine(models, "torch") is models
    pictures, seen, stretch, guide, speech = flats["generator"].example.values()
    layout = Layout(torch.zeros(0), seen, stretch, guide)
    ours, theirs = (vars(some.generator(pictures, layout, speech)) for some in (models, fast))
    for name, wanted in ours.items():
        assert (theirs[name] - wanted).abs().max() <= MOST_ERROR_BFLOAT16 * wanted.abs().max().clamp(min=1), name


def test_a_network_that_rests_is_opened_again_and_says_the_same(monkeypatch):
    monkeypatch.setenv("G4G_CACHE", "")  # nothing is kept for a later run, and yet it is converted once
    opened, compiled, convert = [], on_openvino.compile_network, on_openvino.convert_network
    monkeypatch.setattr(on_openvino, "compile_network", lambda *a, **k: (opened.append("opened"), compiled(*a, **k))[1])
    monkeypatch.setattr(on_openvino, "convert_network", lambda flat: (opened.append("converted"), convert(flat))[1])
    plain = load("g4g-tiny")
    speech, sound = use_engine(plain, "openvino").speech, np.ones(3200, np.float32) / 10
    first = encode_speech(speech, sound)
    encode_speech(speech, sound)
    assert opened == ["converted", "opened"]
    rest(speech)
    assert (encode_speech(speech, sound) == first).all() and opened == ["converted", "opened", "opened"]
    rest(leave_engine(speech))
    rest(plain.speech)
    encode_speech(speech, sound)
    assert len(opened) == 3, "what torch computes has nothing to rest from"


def test_conversion_and_speech_bring_in_no_library_that_a_dub_does_not_need(tmp_path):
    code = (
        "import sys, numpy; from g4g.dubbing import Dubber; from g4g.audio import encode_speech; "
        "dubber = Dubber.from_pretrained('g4g-tiny'); "
        "encode_speech(dubber._models.speech, numpy.ones(3200, numpy.float32)); "
        "print(*[name for name in ('kornia', 'sympy', 'librosa.filters', 'scipy.signal') if name in sys.modules])"
    )
    environment = os.environ | {"G4G_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    assert done.stdout.split() == []


def test_painted_frames_differ_by_a_level_at_most(models, cache):
    rng, size = np.random.default_rng(0), CropConfig().size
    rest = load_canonical().points.astype(np.float64)
    speaking = rest.copy()
    speaking[:, 1] += 0.1 * np.clip((rest[:, 1] - 0.775) / 0.05, 0, 1) * load_canonical().moves
    place = lambda face: face[None] * 0.46 * size + [size / 2, 0.25 * size, 0]  # noqa: E731
    face, target = (add_ring(place(points), place(rest))[0].astype(np.float32) for points in (rest, speaking))
    pictures = (rng.random((4, 16, 16, 3)) * 200 + 20).astype(np.uint8).repeat(16, 1).repeat(16, 2)
    rows = models.generator.config.speech_rows, models.generator.config.speech
    canvas = Canvas(
        pictures[:1], face[None], target[None], pictures[None, 1:], np.stack([face] * 3)[None],
        rng.normal(size=(1, *rows)).astype(np.float32),
    )  # fmt: skip
    results = []
    for some in (models, use_engine(models, "openvino", cache)):
        results.append(pictures[0].copy())
        painted = Painter(some.generator, some.fusion).paint(canvas)
        painted.draw(0, pictures[0], refine_crop(np.eye(2, 3), 0.5), results[-1])
    assert (results[0] != pictures[0]).mean() > 0.1, "the face is drawn"
    off = np.abs(results[1].astype(int) - results[0])
    assert off.max() <= MOST_LEVELS and (off > 0).mean() < 0.03


def test_threads_may_share_a_network(flats, cache):
    run = open_network(flats["generator"], "openvino", cache)
    inputs = [tuple(x * share for x in flats["generator"].example.values()) for share in np.linspace(0.1, 1, 16)]
    expected = [run(*given) for given in inputs]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(lambda given: run(*given), inputs), expected, strict=True):
            assert all(map(torch.equal, found, wanted))


class Small(nn.Module):
    """A network that is converted in no time."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, rows):
        return (torch.tanh(self.inner(rows)),)


@pytest.fixture
def small():
    torch.manual_seed(0)
    module = Small().eval().requires_grad_(False)
    return FlatNetwork("small", module, {"rows": torch.randn(2, 4)}, {"rows": (0, 1)}, ("out",))


def test_a_network_is_converted_once_and_again_when_its_file_is_damaged(small, tmp_path, monkeypatch):
    cache, converted, convert = NetworkCache(tmp_path), [], on_openvino.convert_network
    monkeypatch.setattr(on_openvino, "convert_network", lambda flat: (converted.append(flat.name), convert(flat))[1])
    first, second = (open_network(small, "openvino", cache)(*small.example.values()) for _ in range(2))
    assert converted == ["small"] and all(map(torch.equal, first, second))
    (file,) = tmp_path.glob("*/network.bin")
    content = bytearray(file.read_bytes())
    content[10] ^= 64
    file.write_bytes(content)
    third = open_network(small, "openvino", cache)(*small.example.values())
    assert converted == ["small"] * 2 and all(map(torch.equal, first, third))


def test_other_weights_or_versions_have_another_key(small):
    before = small.key("openvino", "1")
    assert before == small.key("openvino", "1") != small.key("openvino", "2")
    small.module.inner.bias += 1
    assert replace(small).key("openvino", "1") != before


def test_the_cache_keeps_what_was_used_last_and_nothing_half_written(tmp_path, monkeypatch):
    monkeypatch.setattr("g4g.engine.cache.MOST_BYTES", 2500)
    cache, write = NetworkCache(tmp_path), lambda folder: (folder / "x").write_bytes(bytes(1000))
    cache.keep("a", write)
    cache.keep("b", write)
    assert cache.find("a") == tmp_path / "a"
    cache.keep("c", write)
    assert {folder.name for folder in tmp_path.iterdir()} == {"a", "c"}

    def break_off(folder):
        write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.keep("d", break_off)
    assert {folder.name for folder in tmp_path.iterdir()} == {"a", "c"} and cache.find("d") is None


def test_a_disk_that_refuses_is_told_and_without_a_folder_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="could not be kept"):
        NetworkCache(tmp_path / "file" / "networks").keep("a", lambda folder: None)
    NetworkCache(None).keep("a", lambda folder: pytest.fail("nothing to write"))
    assert NetworkCache(None).find("a") is None


@pytest.mark.parametrize(
    ("name", "device", "engine"),
    [("auto", "cpu", "openvino"), ("auto", "cuda", "torch"), ("torch", "cpu", "torch"), ("onnx", "cpu", "onnx")],
)
def test_the_engine_that_a_name_means(name, device, engine):
    assert choose_engine(name, device) == engine


@pytest.mark.parametrize(("name", "device"), [("tensorrt", "cpu"), ("openvino", "cuda"), ("onnx", "mps")])
def test_an_engine_that_cannot_be_taken_is_an_error(name, device):
    with pytest.raises(ConfigError, match=name):
        choose_engine(name, device)
