"""Weights that are seldom looked at lie in a file."""

from __future__ import annotations

import tempfile

import numpy as np
import torch
from torch import nn

_LARGE_BYTES = 16 * 1024 * 1024
"""Smaller networks stay in memory."""


def lay_aside(network: nn.Module) -> None:
    """Lay the parameters of a large network into an unnamed temporary file: they take memory only while looked at.

    Args:
        network: float32, on the CPU, and nobody looks at it meanwhile; it stays what it is. A small one is not
            touched, nor is any where the disk refuses.
    """
    parameters = list(network.parameters())
    if sum(p.nbytes for p in parameters) < _LARGE_BYTES:
        return
    try:
        with tempfile.TemporaryFile(prefix="g4g-") as file:
            for parameter in parameters:
                parameter.detach().numpy().tofile(file)
            file.flush()
            whole = torch.from_numpy(np.asarray(np.memmap(file, np.float32, "c")))
    except OSError:
        return
    sizes = [p.numel() for p in parameters]
    for parameter, part in zip(parameters, whole.split(sizes), strict=True):
        parameter.data = part.view(parameter.shape)
