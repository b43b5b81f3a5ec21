"""A network as engines other than torch take it: tensors in, tensors out, and the lengths that may vary."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from g4g import __version__

Run = Callable[..., tuple[Tensor, ...]]
"""What every engine makes of a network: takes its inputs, in order, and gives its outputs, float32 on the CPU."""


@dataclass(frozen=True)
class FlatNetwork:
    """A network with plain tensors as inputs and outputs, in evaluation mode on the CPU.

    Attributes:
        name: names its files.
        module: its `forward` takes tensors and gives a tuple of tensors.
        example: inputs to follow it with, by name and in order; float32.
        varying: of each input, the axis whose length may vary, and what it is a multiple of.
        outputs: names of what it gives.
        keys: those that were worked out: a network that is in use does not change, and may lie in a file by then.
    """

    name: str
    module: nn.Module
    example: dict[str, Tensor]
    varying: dict[str, tuple[int, int]]
    outputs: tuple[str, ...]
    keys: dict[tuple[str, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def key(self, *engine: str) -> str:
        """Name this network, converted for an engine, by a hash of its weights, its code and the engine's versions."""
        if engine not in self.keys:
            self.keys[engine] = self._make_key(*engine)
        return self.keys[engine]

    def _make_key(self, *engine: str) -> str:
        digest = hashlib.sha256("\n".join([__version__, *engine, *map(repr, self.varying.items())]).encode())
        for source in sorted(_list_sources(self.module)):
            digest.update(source.read_bytes())
        configs = [repr(part.config) for part in self.module.modules() if hasattr(part, "config")]
        digest.update("\n".join([repr(self.module), *configs]).encode())
        for name, tensor in (*self.module.state_dict().items(), *self.example.items()):
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            if name not in self.example:
                digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()))
        return f"{self.name}-{digest.hexdigest()[:32]}"


def _list_sources(module: nn.Module) -> set[Path]:
    """List the files that say how a network computes: with other code its converted form is another."""
    classes = {type(part) for part in module.modules()}
    return {Path(inspect.getfile(kind)) for kind in classes if not kind.__module__.startswith("torch.")}
