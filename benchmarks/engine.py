"""Measure how long networks take on each engine, and how far they are off torch.

python benchmarks/engine.py [--weights g4g-small] [--runs 12]
python benchmarks/engine.py --data DATA        also int8, and what lower precision costs on real crops

DATA is a folder that g4g prepare wrote. int8 needs nncf, onnx the extra onnx; without them their rows are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from g4g.audio import encode_speech
from g4g.engine import FlatNetwork, NetworkCache, Run, count_threads, has_bfloat16, open_network, use_threads
from g4g.engine.on_openvino import compile_network, convert_network, run_compiled
from g4g.faces.landmarks import MESH_TO_68, MOUTH
from g4g.metrics import cut_box, mouth_box, psnr
from g4g.motion import frame_speech
from g4g.networks import list_flat_networks, run_generator_by
from g4g.painter import Canvas
from g4g.training.data import Shot, load_split
from g4g.training.examples import Subject
from g4g.training.generator import cut_real, draw_canvas, reduce, stack_pictures, to_pictures
from g4g.zoo import DEFAULT_WEIGHTS, Models, load

_BATCH = 8
_SOUND_STEPS = 2 * 50 * (10 + 2)
"""Mel steps of 10 s of sound and the 2 s of silence that Whisper wants behind it."""
_SHOTS, _APART_S = 24, 0.5
"""Shots to calibrate with, and as many to measure; references are so far from the frame."""


def enlarge_example(flat: FlatNetwork) -> list[Tensor]:
    """Make inputs for a batch of _BATCH frames, or for 10 s of sound."""
    inputs = []
    for name, example in flat.example.items():
        axis, _ = flat.varying[name]
        wanted = _BATCH if axis == 0 else _SOUND_STEPS
        repeats = [-(-wanted // length) if i == axis else 1 for i, length in enumerate(example.shape)]
        inputs.append(example.repeat(repeats).narrow(axis, 0, wanted).contiguous())
    return inputs


def time_run(run: Callable, inputs: list[Tensor], runs: int) -> tuple[float, float]:
    """Time a network after two runs to warm up: medians of wall and of processor time, in ms."""
    wall, processor = [], []
    for number in range(runs + 2):
        started, used = time.perf_counter(), time.process_time()
        run(*inputs)
        if number >= 2:
            wall.append(1000 * (time.perf_counter() - started))
            processor.append(1000 * (time.process_time() - used))
    return statistics.median(wall), statistics.median(processor)


def list_runs(flat: FlatNetwork, cache: NetworkCache) -> dict[str, Run]:
    """Open a network on every engine that is there."""
    runs = {"torch": flat.module, "OpenVINO f32": open_network(flat, "openvino", cache)}
    if has_bfloat16():
        runs["OpenVINO bf16"] = open_network(flat, "openvino", cache, "bf16")
    if importlib.util.find_spec("onnxscript") and importlib.util.find_spec("onnxruntime"):
        runs["ONNX Runtime f32"] = open_network(flat, "onnx", cache)
    return runs


def compare_engines(flats: dict[str, FlatNetwork], cache: NetworkCache, runs: int) -> None:
    """Print time and largest error of each network on each engine."""
    print(f"{'network':<12}{'engine':<20}{'ms':>10}{'processor':>12}   largest error, of the largest value")
    for name, flat in flats.items():
        inputs = enlarge_example(flat)
        expected = flat.module(*inputs)
        for engine, run in list_runs(flat, cache).items():
            found = run(*inputs)
            errors = [float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected, strict=True)]
            wall, processor = time_run(run, inputs, runs)
            print(f"{name:<12}{engine:<20}{wall:10.1f}{processor:12.1f}   {max(errors):.1e}", flush=True)


def read_canvases(models: Models, data: str) -> tuple[list[Canvas], list[Canvas]]:
    """Read frames to calibrate with, and held-out ones to measure."""
    rng, groups = np.random.default_rng(0), []
    for shots in load_split(data):
        videos = [shot for shot in shots if shot.kind == "video"]
        some = rng.choice(len(videos), min(_SHOTS, len(videos)), replace=False)
        groups.append([lay_canvas(models, videos[i]) for i in some])
    return groups[0], groups[1]


def lay_canvas(models: Models, shot: Shot) -> Canvas:
    """Lay _BATCH frames of a shot out of other frames of it, told the true geometry."""
    config, subject = models.generator.config, Subject.of(shot)
    frames = np.linspace(4, len(shot) - 5, _BATCH).astype(int)
    chosen = [subject.rank_references(frame, _APART_S)[: config.references] for frame in frames]
    chosen = np.stack([np.resize(one, config.references) for one in chosen])
    speech = encode_speech(models.speech, shot.waveform.astype(np.float32) / 32768)
    return Canvas(
        shot.crops[frames], subject.points[frames], subject.points[frames], shot.crops[chosen],
        subject.points[chosen], frame_speech(speech, shot.times_s[frames], config.speech_rows),
    )  # fmt: skip


def list_inputs(models: Models, flat: FlatNetwork, canvas: Canvas) -> tuple[Tensor, ...]:
    """List what the generator is given for a canvas."""
    given: list[tuple[Tensor, ...]] = []
    listening = run_generator_by(models.generator, lambda *inputs: (given.append(inputs), flat.module(*inputs))[1])
    draw_canvas(listening, canvas, stack_pictures(canvas))
    return given[0]


def quantise(flat: FlatNetwork, samples: list[tuple[Tensor, ...]]) -> Run:
    """Quantise the generator to int8 by NNCF's post-training method, calibrated on real crops."""
    import nncf

    arrays = nncf.Dataset([[tensor.numpy() for tensor in inputs] for inputs in samples])
    mixed = nncf.QuantizationPreset.MIXED  # its activations are no ReLUs
    model = nncf.quantize(convert_network(flat), arrays, preset=mixed, subset_size=len(samples))
    return run_compiled(compile_network(model))


def draw_mouths(models: Models, run: Run, canvas: Canvas) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw frames by an engine's maps; return mouths as drawn and as they really are, uint8."""
    generator, pictures = models.generator, stack_pictures(canvas)
    drawn, _ = draw_canvas(run_generator_by(generator, run), canvas, pictures)
    groups, top = [], generator.top
    for frames in (drawn, cut_real(generator, pictures[:, -1])):
        frames = to_pictures(reduce(generator, frames))
        boxes = [mouth_box(points[MESH_TO_68][MOUTH] - [0, top], generator.crop.size) for points in canvas.targets]
        groups.append([cut_box(frame, box) for frame, box in zip(frames, boxes, strict=True)])
    return groups[0], groups[1]


def compare_pictures(models: Models, flat: FlatNetwork, cache: NetworkCache, data: str, runs: int) -> None:
    """Print what each precision of the generator costs in time and in PSNR of held-out mouths."""
    calibration, held = read_canvases(models, data)
    ways = list_runs(flat, cache)
    if importlib.util.find_spec("nncf"):
        ways["OpenVINO int8"] = quantise(flat, [list_inputs(models, flat, canvas) for canvas in calibration])
    print(f"\ngenerator on real crops of {len(held)} held-out shots, mouths")
    print(f"{'engine':<20}{'ms':>10}{'processor':>12}{'dB to real':>12}{'dB to torch':>14}{'worst':>8}{'levels':>8}")
    floats = [draw_mouths(models, ways["torch"], canvas)[0] for canvas in held]
    inputs = list(list_inputs(models, flat, held[0]))
    for engine, run in ways.items():
        to_real, to_float, levels = [], [], 0
        for canvas, wanted in zip(held, floats, strict=True):
            made, real = draw_mouths(models, run, canvas)
            to_real += [psnr(a, b) for a, b in zip(made, real, strict=True)]
            off = [np.abs(a.astype(float) - b) for a, b in zip(made, wanted, strict=True)]
            levels = max(levels, *(x.max() for x in off))
            to_float += [10 * np.log10(255**2 / max(np.square(x).mean(), 1e-9)) for x in off]
        wall, processor = time_run(run, inputs, runs)
        print(
            f"{engine:<20}{wall:10.1f}{processor:12.1f}{np.mean(to_real):12.3f}{np.mean(to_float):14.1f}{min(to_float):8.1f}"
            f"{levels:8.0f}",
            flush=True,
        )


@torch.no_grad()
def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--data", help="prepared data, for int8 and for PSNR")
    parser.add_argument("--runs", type=int, default=12)
    arguments = parser.parse_args()
    use_threads()
    models, cache = load(arguments.weights), NetworkCache.of_user()
    flats = list_flat_networks(models)
    print(f"{arguments.weights}, {count_threads()} thread(s); {_BATCH} frames, or 10 s of sound, at a time")
    compare_engines(flats, cache, arguments.runs)
    if arguments.data:
        compare_pictures(models, flats["generator"], cache, arguments.data, arguments.runs)


if __name__ == "__main__":
    main()
