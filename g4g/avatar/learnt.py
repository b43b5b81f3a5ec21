"""What was learnt of one person: numbers that replace the base networks' own."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from g4g.networks import leave_engine
from g4g.zoo import Models

LEARNT_PARTS = ("motion", "generator")
"""Networks that are learnt; speech encoder, aligner and fusion serve everybody."""


@dataclass(frozen=True)
class Learnt:
    """Networks of one person.

    Attributes:
        tensors: float16 by "part.name", all parameters of each network that is better than the base's; empty where
            none is.
        minutes: that were given to learning.
        summary: what it gained, a sentence.
    """

    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    minutes: float = 0.0
    summary: str = ""

    @classmethod
    def of(cls, base: Models, models: Models, minutes: float, summary: str) -> Learnt:
        """Keep the networks in which `models` are not those of their `base`."""
        tensors = {}
        for part in LEARNT_PARTS:
            network = models.parts()[part]
            if network is not base.parts()[part]:
                for name, tensor in network.named_parameters():
                    tensors[f"{part}.{name}"] = tensor.detach().cpu().half().numpy()
        return cls(tensors, minutes, summary)

    def hash(self) -> str:
        """Return the sha256 of all learnt numbers, each under its name; empty where nothing was learnt."""
        if not self.tensors:
            return ""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            digest.update(name.encode() + b"\0" + tensor.tobytes())
        return digest.hexdigest()

    @torch.no_grad()
    def teach(self, base: Models) -> Models:
        """Return the networks with this person's numbers in them; `base` is not changed."""
        changed = {}
        for part in {name.split(".")[0] for name in self.tensors}:
            network = copy.deepcopy(leave_engine(base.parts()[part]))
            for name, parameter in network.named_parameters():
                parameter.copy_(torch.from_numpy(self.tensors[f"{part}.{name}"]))
            changed[part] = network
        return replace(base, **changed)
