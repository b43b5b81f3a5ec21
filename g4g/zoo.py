"""Names to networks with their weights, and the tiny seeded twins."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from g4g.aligner import Aligner, AlignerConfig
from g4g.audio import SpeechConfig, SpeechEncoder, WhisperConfig, WhisperEncoder
from g4g.checkpoints import find_weights, hash_file, load_checkpoint, save_checkpoint
from g4g.errors import CheckpointError
from g4g.faces import load_canonical
from g4g.fusion import Fusion, FusionConfig
from g4g.generator import Generator, GeneratorConfig
from g4g.motion import Motion, MotionConfig
from g4g.nn import channels_last, find_device
from g4g.options import DEFAULT_WEIGHTS, TINY_LIVE_WEIGHTS, TINY_WEIGHTS

KIND = "g4g"
SPEECH_KINDS = {"whisper": (WhisperEncoder, WhisperConfig), "causal": (SpeechEncoder, SpeechConfig)}
"""Speech encoders by the "kind" in a file's config; the first one is usual."""
_PARTS = {
    "speech": SPEECH_KINDS["whisper"],
    "aligner": (Aligner, AlignerConfig),
    "motion": (Motion, MotionConfig),
    "generator": (Generator, GeneratorConfig),
    "fusion": (Fusion, FusionConfig),
}
"""Networks and their usual configs by the prefix of their tensors, in the order of training."""
_TINY_WHISPER = {"kind": "whisper", "size": 16, "width": 16, "layers": 1, "heads": 2}
_INT8 = ("speech.conv", "speech.layers.")
"""Weights stored as int8: of Whisper's 13 million values; its projection and every other network stay float16."""


@dataclass(frozen=True)
class Models:
    """The networks of one weight file, and the file's notes on their making."""

    name: str
    speech: WhisperEncoder | SpeechEncoder
    aligner: Aligner
    motion: Motion
    generator: Generator
    fusion: Fusion
    info: dict = field(default_factory=dict)
    sha256: str = ""
    """Of the file; empty: they did not come from one."""
    hashes: dict = field(default_factory=dict, init=False, repr=False, compare=False)
    """Kept by `g4g.avatar.store.hash_weights`, by parts: networks that are in use do not change."""

    def parts(self) -> dict[str, nn.Module]:
        """The networks by the prefix of their tensors."""
        return {name: getattr(self, name) for name in _PARTS}


def build_models(name: str, config: dict | None = None) -> Models:
    """Build networks with fresh weights from {"speech": {"kind": ...}, "aligner": {...}, ...}; the rest is usual.

    Raises:
        CheckpointError: no such kind of speech encoder.
    """
    config = config or {}
    parts: dict[str, Any] = {part: _build_part(part, config.get(part, {})) for part in _PARTS}
    return Models(name, **parts)


def _build_part(part: str, config: dict) -> nn.Module:
    network, settings = _PARTS[part]
    if part == "speech":
        kind, config = config.get("kind", "whisper"), {k: v for k, v in config.items() if k != "kind"}
        if kind not in SPEECH_KINDS:
            known = ", ".join(SPEECH_KINDS)
            raise CheckpointError(
                f"unknown kind of speech encoder {kind!r}, this g4g knows {known}; install a newer g4g"
            )
        network, settings = SPEECH_KINDS[kind]
    return network(settings(**settings_from_json(config)))


def _describe_part(network: Any) -> dict:
    kinds = [kind for kind, (encoder, _) in SPEECH_KINDS.items() if isinstance(network, encoder)]
    return ({"kind": kinds[0]} if kinds else {}) | asdict(network.config)


def load(name: str | Path = DEFAULT_WEIGHTS, device: str = "cpu") -> Models:
    """Load networks ready to run.

    Args:
        name: a name of the manifest, "g4g-tiny" or "g4g-tiny-live" (seeded random networks for tests; the second can be
            streamed), or a file.
        device: torch device, or "auto": an accelerator where there is one.
    Returns:
        The networks in evaluation mode.
    Raises:
        CheckpointError: unknown name, damaged file, a file of another kind or of an older g4g.
        ConfigError: no such device here.
    """
    device = find_device(device)
    if str(name) in (TINY_WEIGHTS, TINY_LIVE_WEIGHTS):
        models = _make_tiny(str(name))
    else:
        file = find_weights(name)
        checkpoint = load_checkpoint(file, KIND)
        if not _PARTS.keys() <= checkpoint.config.keys():
            raise CheckpointError(
                f"{name} was written by an older g4g, whose networks had other parts; train it again "
                f"(g4g train, g4g finetune), or use {DEFAULT_WEIGHTS}"
            )
        made = build_models(str(name), checkpoint.config)
        models = replace(made, info=checkpoint.info, sha256=hash_file(file))
        for prefix, network in models.parts().items():
            own = {k.removeprefix(prefix + "."): v for k, v in checkpoint.tensors.items() if k.startswith(prefix + ".")}
            load_part(network, own, f"{prefix} of {name}")
    for network in models.parts().values():
        channels_last(network).to(device).eval().requires_grad_(False)
    return models


def load_part(network: nn.Module, tensors: dict[str, torch.Tensor], what: str) -> None:
    """Fill one network. Raises CheckpointError when names or shapes do not fit, or values are not numbers."""
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise CheckpointError(f"the weights of the {what} hold values that are not numbers; fetch or train them again")
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights of the {what} misfit their config: {str(error).splitlines()[-1]}"
        ) from error


def save_models(path: str | Path, models: Models) -> None:
    """Write the networks and their notes as one file: Whisper's weights in int8, the others in float16."""
    parts = models.parts()
    tensors = {f"{prefix}.{k}": v for prefix, network in parts.items() for k, v in network.state_dict().items()}
    config = {prefix: _describe_part(network) for prefix, network in parts.items()}
    save_checkpoint(path, tensors, config, KIND, models.info, half=True, int8=_INT8)


def _make_tiny(name: str) -> Models:
    small = (4, 8, 8, 8)
    causal = {"kind": "causal", "size": 16, "width": 16, "inner": 8, "dilations": (1, 2, 4), "centred_blocks": (0, 1)}
    config = {
        "speech": causal if name == TINY_LIVE_WEIGHTS else _TINY_WHISPER,
        "aligner": {
            "speech": 16,
            "embedding": 16,
            "lip_channels": small,
            "audio_channels": 8,
            "geometry_channels": 8,
        },
        "motion": {"speech": 16, "read": 8, "components": 8, "taps": (-2, 0, 2), "bends": 8, "closing": 8},
        "generator": {"speech": 16, "style": 8, "channels": (8, 8, 8)},
        "fusion": {"channels": (4, 4, 8)},
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models = build_models(name, config)
        torch.nn.init.normal_(models.motion.shape.weight)
    models.motion.components.copy_(_make_simple_shapes(models.motion.config.components))
    return models


def _make_simple_shapes(count: int) -> torch.Tensor:
    """Move a mouth in `count` plain ways, up to nine, for networks that were not trained: (count, 468, 3)."""
    canonical = load_canonical()
    points, moves = torch.from_numpy(canonical.points), torch.from_numpy(canonical.moves)
    lower, side = ((points[:, 1] - 0.775) / 0.08).clamp(0, 1) * moves, points[:, 0] * moves
    components = torch.zeros(count, len(points), 3)
    ways = [(region, axis) for region in (lower, side, moves) for axis in (1, 0, 2)]  # first of all the jaw drops
    for number, (region, axis) in enumerate(ways[:count]):
        components[number, :, axis] = 0.04 * region
    return components


def settings_from_json(config: dict) -> dict:
    """JSON has lists where our frozen configs have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
