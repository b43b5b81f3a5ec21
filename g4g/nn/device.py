"""Where networks run."""

from __future__ import annotations

import torch

from g4g.errors import ConfigError


def find_device(name: str) -> str:
    """Say which torch device a name means: "auto" is an accelerator where there is one, else the CPU.

    Raises:
        ConfigError: torch cannot compute on it.
    """
    if name == "auto":
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        return next(kind for kind, is_there in there.items() if is_there)
    check_device(name)
    return name


def check_device(name: str) -> None:
    """Raise ConfigError where torch cannot compute on a device of this name: cpu, cuda, mps; auto is always right."""
    if name == "auto":
        return
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise ConfigError(
            f"`device` {name!r} cannot be used on this machine; take cpu, or cuda or mps where there is one"
        ) from error
