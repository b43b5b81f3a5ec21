"""Names to networks with their weights, and the tiny seeded twins."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from g4g.aligner import Aligner, AlignerConfig
from g4g.audio.speech import SpeechConfig, SpeechEncoder
from g4g.checkpoints import find_weights, load_checkpoint, save_checkpoint
from g4g.errors import CheckpointError, ConfigError
from g4g.faces import load_canonical
from g4g.fusion import Fusion, FusionConfig
from g4g.generator import Gallery, Generator, GeneratorConfig
from g4g.motion import Motion, MotionConfig
from g4g.nn import channels_last, check_device

DEFAULT_WEIGHTS = "g4g-small"
TINY_WEIGHTS = "g4g-tiny"
KIND = "g4g"
_TINY_SOUND = {
    "speech": {"size": 16, "width": 16, "inner": 8},
    "motion": {"speech": 16, "components": 4, "channels": 16},
}


@dataclass(frozen=True)
class Models:
    """The networks of one weight file, and the file's notes on their making.

    Weights that were fine-tuned on a speaker have that speaker's gallery too.
    """

    name: str
    aligner: Aligner
    generator: Generator
    fusion: Fusion
    speech: SpeechEncoder
    motion: Motion
    gallery: Gallery | None = None
    info: dict = field(default_factory=dict)

    def parts(self) -> dict[str, nn.Module]:
        """The networks by the prefix of their tensors."""
        return {
            "aligner": self.aligner, "generator": self.generator, "fusion": self.fusion, "speech": self.speech,
            "motion": self.motion,
        }  # fmt: skip


def build_models(name: str, config: dict | None = None) -> Models:
    """Build the networks with fresh weights from {"aligner": {...}, "generator": {...}, "fusion": {...}}."""
    config = config or {}
    made = {
        part: network(settings(**settings_from_json(config.get(part, {}))))
        for part, network, settings in (
            ("aligner", Aligner, AlignerConfig),
            ("generator", Generator, GeneratorConfig),
            ("fusion", Fusion, FusionConfig),
            ("speech", SpeechEncoder, SpeechConfig),
            ("motion", Motion, MotionConfig),
        )
    }
    made["motion"].components.copy_(_simple_components(made["motion"].config.components))
    return Models(name, **made)


def load(name: str | Path = DEFAULT_WEIGHTS, device: str = "cpu") -> Models:
    """Load networks ready to run.

    Args:
        name: a name of the manifest, "g4g-tiny" (seeded random networks for tests), or a file.
        device: torch device.
    Returns:
        The networks in evaluation mode.
    Raises:
        CheckpointError: unknown name, damaged file, or a file of another kind. ConfigError: no such device here.
    """
    check_device(device)
    if str(name) == TINY_WEIGHTS:
        models = _make_tiny()
    else:
        checkpoint = load_checkpoint(find_weights(name), KIND)
        models = build_models(str(name), {**_TINY_SOUND, **checkpoint.config})
        for prefix, network in models.parts().items():
            if prefix not in checkpoint.config:  # stand-in until the weights hold speech and motion
                continue
            own = {k.removeprefix(prefix + "."): v for k, v in checkpoint.tensors.items() if k.startswith(prefix + ".")}
            load_part(network, own, f"{prefix} of {name}")
        gallery = _read_gallery(checkpoint.tensors, models.generator.size, name)
        models = replace(models, gallery=gallery, info=checkpoint.info)
    for network in models.parts().values():
        channels_last(network).to(device).eval().requires_grad_(False)
    models.generator.hear_silence(models.aligner.embed_silence())
    return models


def grow(models: Models, finer: int) -> Models:
    """Give a generator a last stage that paints `finer` times the crop's pixels each way; untrained it changes nothing.

    Raises:
        ConfigError: it paints finer already, or a speaker's gallery of coarser pictures comes with it.
    """
    old = models.generator
    if finer == old.config.finer:
        return models
    if finer < old.config.finer or models.gallery is not None:
        raise ConfigError(f"{models.name} cannot be made {finer} times as fine: take weights like {DEFAULT_WEIGHTS}")
    generator = Generator(replace(old.config, finer=finer), old.crop)
    generator.load_state_dict(old.state_dict(), strict=False)
    generator.hear_silence(old.silence)
    return replace(models, generator=channels_last(generator).eval().requires_grad_(False))


def load_part(network: nn.Module, tensors: dict[str, torch.Tensor], what: str) -> None:
    """Fill one network. Raises CheckpointError when names or shapes do not fit."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights of the {what} misfit their config: {str(error).splitlines()[-1]}"
        ) from error


def save_models(path: str | Path, models: Models) -> None:
    """Write the three networks, their notes, and the gallery where there is one, as one float16 file."""
    parts = models.parts()
    tensors = {f"{prefix}.{k}": v for prefix, network in parts.items() for k, v in network.state_dict().items()}
    if models.gallery is not None:
        tensors |= {f"gallery.{k}": torch.from_numpy(v) for k, v in vars(models.gallery).items()}
    config = {prefix: asdict(network.config) for prefix, network in parts.items()}
    save_checkpoint(path, tensors, config, KIND, models.info, half=True)


def _read_gallery(tensors: dict[str, torch.Tensor], size: int, name: str | Path) -> Gallery | None:
    if "gallery.crops" not in tensors:
        return None
    crops, landmarks = tensors["gallery.crops"], tensors.get("gallery.landmarks", torch.empty(0))
    count = len(crops)
    if crops.shape != (count, size, size, 3) or crops.dtype != torch.uint8 or landmarks.shape != (count, 68, 2):
        raise CheckpointError(f"the gallery of {name} is damaged: {count} pictures of shape {tuple(crops.shape)}")
    return Gallery(crops.numpy(), landmarks.float().numpy())


def _make_tiny() -> Models:
    small = (4, 8, 8, 8)
    config = {
        "aligner": {"embedding": 16, "lip_channels": small, "audio_channels": small},
        "generator": {"audio_embedding": 16, "audio_windows": 5, "style": 16, "channels": small},
        "fusion": {"channels": (4, 4, 8)},
        **_TINY_SOUND,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_models(TINY_WEIGHTS, config)


def _simple_components(count: int) -> torch.Tensor:
    """Jaw down, lips wide, lips forward, lips raised, then nothing: (count, 468, 3), for networks not yet trained."""
    canonical = load_canonical()
    points, moves = torch.from_numpy(canonical.points), torch.from_numpy(canonical.moves)
    below = ((points[:, 1] - 0.775) / 0.08).clamp(0, 1) * moves
    components = torch.zeros(count, len(points), 3)
    for number, (axis, motion) in enumerate(((1, below), (0, points[:, 0] * moves), (2, -moves), (1, -moves))):
        if number < count:
            components[number, :, axis] = 0.05 * motion
    return components


def settings_from_json(config: dict) -> dict:
    """JSON has lists where our frozen configs have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
