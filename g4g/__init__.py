"""g4g: audio and a video of a person in, video out; same person, same picture, lips saying the new audio.

Importing g4g loads nothing heavy: each public name below fetches its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers and editors see; at run time __getattr__ below fetches it
    from g4g.adapting import Dubber
    from g4g.dubbing import DubReport
    from g4g.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        FaceError,
        G4GError,
        MediaError,
        ResourceError,
        ShapeError,
    )
    from g4g.jobs.batch import batch
    from g4g.metrics.evaluate import evaluate
    from g4g.provenance import inspect
    from g4g.training.finetune import finetune
    from g4g.zoo import load

__version__ = "0.1.0"

_HOMES = {
    "Dubber": "g4g.adapting",
    "DubReport": "g4g.dubbing",
    "batch": "g4g.jobs.batch",
    "load": "g4g.zoo",
    "evaluate": "g4g.metrics.evaluate",
    "finetune": "g4g.training.finetune",
    "inspect": "g4g.provenance",
    "G4GError": "g4g.errors",
    "CheckpointError": "g4g.errors",
    "ConfigError": "g4g.errors",
    "DataError": "g4g.errors",
    "FaceError": "g4g.errors",
    "MediaError": "g4g.errors",
    "ResourceError": "g4g.errors",
    "ShapeError": "g4g.errors",
}

__all__ = [
    "__version__", "CheckpointError", "ConfigError", "DataError", "DubReport", "Dubber", "FaceError", "G4GError",
    "MediaError", "ResourceError", "ShapeError", "batch", "evaluate", "finetune", "inspect", "load",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Fetch a public name from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'g4g' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, those not yet loaded included."""
    return sorted({*globals(), *__all__})
