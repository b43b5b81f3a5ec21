"""The networks of a weight file on another engine than torch: converted at their first use, called as before."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial

import torch
from torch import Tensor, nn

from g4g.audio import SpeechEncoder, WhisperEncoder
from g4g.audio.causal import SPEECH_AUDIO
from g4g.engine import FlatNetwork, NetworkCache, Run, count_painters, has_bfloat16, open_network
from g4g.generator import GUIDES, Generator, Layout, Maps
from g4g.memory import give_back_memory
from g4g.nn import lay_aside
from g4g.zoo import Models

_EXAMPLE_BATCH = 2
_EXAMPLE_ROWS = 50
_MEL_STEPS_PER_ROW = 2


class FlatGenerator(nn.Module):
    """The generator with plain tensors: pictures, seen, stretch, guide and speech to what `Maps` holds."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, pictures: Tensor, seen: Tensor, stretch: Tensor, guide: Tensor, speech: Tensor):
        no_places = seen.new_zeros(0)  # pictures were sampled at them already
        maps = self.generator(pictures, Layout(no_places, seen, stretch, guide), speech)
        return tuple(getattr(maps, field.name) for field in fields(Maps))


class FlatSpeech(nn.Module):
    """A speech encoder: log-mel to rows."""

    def __init__(self, encoder: WhisperEncoder | SpeechEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, mel: Tensor):
        return (self.encoder(mel),)


def list_flat_networks(models: Models) -> dict[str, FlatNetwork]:
    """Describe, by the names of `Models`, the networks that other engines can run: speech, generator and fusion.

    Motion is one matrix, and the aligner only grades. Examples are random, in the range of real inputs.
    """
    random = torch.Generator().manual_seed(0)
    draw = lambda *shape: 2 * torch.rand(shape, generator=random) - 1  # noqa: E731
    config, crop, batch = models.generator.config, models.generator.crop, _EXAMPLE_BATCH
    area = (crop.size - models.generator.top, crop.size)
    pictures = config.references + 1
    generator = {
        "pictures": draw(batch, pictures, 3, *area), "seen": draw(batch, pictures, *area).abs(),
        "stretch": draw(batch, pictures, *area), "guide": draw(batch, GUIDES, *area).abs(),
        "speech": 2 * draw(batch, config.speech_rows, config.speech),
    }  # fmt: skip
    crops = (crop.size, crop.size)
    fusion = {
        "generated": draw(batch, 3, *crops), "original": draw(batch, 3, *crops),
        "mask": draw(batch, 1, *crops).clamp(min=0),
    }  # fmt: skip
    by_frame = lambda example: dict.fromkeys(example, (0, 1))  # noqa: E731
    return {
        "speech": FlatNetwork(
            "speech", FlatSpeech(models.speech).eval(), {"mel": draw(1, *_mel_shape(models.speech))},
            {"mel": (2, _MEL_STEPS_PER_ROW)}, ("rows",),
        ),
        "generator": FlatNetwork(
            "generator", FlatGenerator(models.generator).eval(), generator, by_frame(generator),
            tuple(field.name for field in fields(Maps)),
        ),
        "fusion": FlatNetwork("fusion", models.fusion, fusion, by_frame(fusion), ("crop", "taken")),
    }  # fmt: skip


def _mel_shape(encoder: WhisperEncoder | SpeechEncoder) -> tuple[int, int]:
    """Shape of a log-mel for some rows."""
    if isinstance(encoder, SpeechEncoder):
        return SPEECH_AUDIO.n_mels, encoder.mel_span(0, _EXAMPLE_ROWS)[1]
    return encoder.conv1.in_channels, _MEL_STEPS_PER_ROW * _EXAMPLE_ROWS


def use_engine(models: Models, engine: str, cache: NetworkCache | None = None) -> Models:
    """Let another engine compute the speech features and the generator's maps.

    Fusion stays with torch: it is many small steps on whole pictures, at which OpenVINO is slower (docs/engine.md).

    Args:
        models: on the CPU, in evaluation mode; not changed.
        engine: "torch" gives back `models` itself; "openvino" or "onnx".
        cache: where converted networks are kept; None: in the user's cache folder.
    Returns:
        Networks of the same parameters, config and calls. Each is converted when it is first called. They are for use,
        not for training: no gradient passes through them.
    """
    if engine == "torch":
        return models
    cache = cache or NetworkCache.of_user()
    flats = list_flat_networks(models)

    def open_it(name: str) -> Run:
        users = count_painters() if name == "generator" else 1
        run = open_network(flats[name], engine, cache, _choose_precision(name), users)
        lay_aside(getattr(models, name))
        return run

    later = {name: _OpenedAtFirstUse(partial(open_it, name)) for name in ("speech", "generator")}
    speech = _replace_forward(models.speech, lambda mel: later["speech"](mel)[0])
    speech.rest = later["speech"].close
    return replace(models, speech=speech, generator=run_generator_by(models.generator, later["generator"]))


def is_run_by_torch(network: nn.Module) -> bool:
    """Tell whether torch computes a network, not another engine."""
    return "forward" not in network.__dict__


def rest(network: nn.Module) -> None:
    """Let go of all in which another engine runs a network; at its next call it is opened again, in 0.2 s."""
    if "rest" in network.__dict__:
        network.rest()


def run_generator_by(generator: Generator, run: Run) -> Generator:
    """Give a generator of the same parameters whose maps are computed by `run`, a form of its `FlatGenerator`."""

    def generate(pictures: Tensor, layout: Layout, speech: Tensor) -> Maps:
        return Maps(*run(pictures, layout.seen, layout.stretch, layout.guide, speech))

    return _replace_forward(generator, generate)


def leave_engine(network: nn.Module) -> nn.Module:
    """Give a network of the same parameters that torch computes, whatever engine computed it."""
    plain = copy.copy(network)
    plain.__dict__.pop("forward", None)
    plain.__dict__.pop("rest", None)
    return plain


def _choose_precision(name: str) -> str:
    """Say in which precision OpenVINO computes a network.

    The generator loses nothing in bfloat16, speech features do (docs/engine.md).
    """
    return "bf16" if name == "generator" and has_bfloat16() else "f32"


class _OpenedAtFirstUse:
    """Opens a network when it is first called, and again after `close`; other threads wait for it."""

    def __init__(self, open_it: Callable[[], Run]) -> None:
        self._open, self._run, self._lock = open_it, None, threading.Lock()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        with self._lock:
            if self._run is None:
                self._run = self._open()
                give_back_memory()
            run = self._run
        return run(*inputs)

    def close(self) -> None:
        """Let go of the network; calls that run end as they would have."""
        with self._lock:
            self._run = None
        give_back_memory()


def _replace_forward(network: nn.Module, forward: Callable) -> nn.Module:
    """Give a network that shares everything with another one but computes with `forward`."""
    twin = copy.copy(network)
    twin.forward = forward
    return twin
