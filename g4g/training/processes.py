"""Training on many processes: started by Fabric, each with its own clips, their gradients added up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from g4g import errors
from g4g.engine import limit_threads, share_threads
from g4g.errors import ConfigError, ResourceError
from g4g.training.interrupt import caught_interrupt

_NODE_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
"""Environment variables that tell each machine of several where the first one is, and which it is itself."""


@dataclass(frozen=True)
class Batch:
    """One of the `count` batches of a step. Each batch draws from clips of its own, whoever computes it."""

    index: int = 0
    count: int = 1

    def keep_chances(self, chances: np.ndarray, clips: np.ndarray) -> np.ndarray:
        """Keep the chances of the clips of this batch.

        Args:
            chances: of each shot, (N,), adding up to 1.
            clips: number of each shot's clip, (N,), as `number_clips` gives them.
        Returns:
            (N,), adding up to 1.
        Raises:
            ConfigError: there are fewer clips than batches.
        """
        if self.count == 1:
            return chances
        kept = np.where(clips % self.count == self.index, chances, 0.0)
        if not kept.sum():
            raise ConfigError(f"{self.count} batches need as many clips, not {clips.max() + 1}; take fewer processes")
        return kept / kept.sum()

    def make_rng(self, seed: int, step: int) -> np.random.Generator:
        """Make the generator of all that this batch draws in a step."""
        return np.random.default_rng([seed, step] if self.count == 1 else [seed, step, self.index])


def number_clips(clips: list[str]) -> np.ndarray:
    """Number clips in the order of their names, (N,) for the clip of each of N shots."""
    return np.unique(clips, return_inverse=True)[1]


def launch(function: Callable, plan: Any, *args: Any, **named: Any) -> Any:
    """Run `function(*args, plan=plan, **named)` in `plan.devices` processes on each of `plan.nodes` machines.

    Returns:
        What the first process returns.
    Raises:
        ResourceError: a process was killed or failed. ConfigError: several machines, and no variables that tell where
            they are. What `function` raises of our own errors.
    """
    _check_nodes(plan.nodes)
    before = os.environ.get("MASTER_PORT")
    fabric = Fabric(
        accelerator=plan.device, devices=plan.devices, num_nodes=plan.nodes, precision=plan.precision,
        strategy="ddp_spawn",
    )  # fmt: skip
    try:
        with caught_interrupt():  # Ctrl-C reaches every process: the first one ends all cleanly
            return fabric.launch(_run, function, plan.for_process(None), args, named)
    except ProcessExitedException as error:
        how = error.signal_name or f"status {error.exit_code}"
        raise ResourceError(
            f"process {error.error_index + 1} of {plan.devices} was ended by {how}, perhaps for want of memory; all "
            "others were stopped, --resume goes on from the last look, with any number of processes"
        ) from error
    except ProcessRaisedException as error:
        raise _tell_failure(error, plan.devices) from error
    finally:
        if before is None:
            os.environ.pop("MASTER_PORT", None)


def _check_nodes(nodes: int) -> None:
    missing = [name for name in _NODE_VARIABLES if name not in os.environ]
    if nodes > 1 and missing:
        raise ConfigError(
            f"{nodes} machines need {', '.join(_NODE_VARIABLES)} in the environment of each: address and a free port "
            f"of the first one, and which one this is, from 0; {', '.join(missing)} is missing"
        )


def _run(fabric: Fabric, function: Callable, plan: Any, args: tuple, named: dict) -> Any:
    """Run in one process, with its share of this machine's threads."""
    limit_threads(share_threads(plan.devices))
    result = function(*args, plan=plan.for_process(fabric), **named)
    # All end together: gloo's threads abort a process that ends while they, or another process's, still run.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return result


def _tell_failure(error: ProcessRaisedException, count: int) -> Exception:
    """Turn the traceback of a process into our own error that it raised, else into one sentence."""
    last = str(error).strip().splitlines()[-1]
    name, _, sentence = last.partition(": ")
    own = getattr(errors, name.removeprefix("g4g.errors."), None) if name.startswith("g4g.errors.") else None
    if own is not None:
        return own(sentence)
    return ResourceError(
        f"process {error.error_index + 1} of {count} failed ({last}); all others were stopped, --resume goes on from "
        "the last look"
    )


@contextmanager
def first_process_first(fabric: Fabric | None) -> Iterator[None]:
    """Let the first process of several do its work before the others do the same, such as filling a cache."""
    if fabric is None or fabric.world_size == 1:
        yield
        return
    with fabric.rank_zero_first():
        yield


def share_values(fabric: Fabric, value: Any) -> list[Any]:
    """Give every process the small values of all, in the order of their ranks."""
    if fabric.world_size == 1:
        return [value]
    values: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def copy_from_first(fabric: Fabric, module: nn.Module) -> None:
    """Give every process the numbers of the first one's module."""
    if fabric.world_size > 1:
        for tensor in module.state_dict().values():
            torch.distributed.broadcast(tensor, 0)


def add_gradients(fabric: Fabric, network: nn.Module) -> None:
    """Replace the gradients of a network by their sum over all processes; one that nobody has stays None."""
    if fabric.world_size == 1:
        return
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    known = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=trained[0].device)
    flat = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in trained]
    total = _sum(fabric, torch.cat([known, *flat]))
    known, flat = total[: len(trained)], total[len(trained) :].split([p.numel() for p in trained])
    for parameter, count, part in zip(trained, known.tolist(), flat, strict=True):
        parameter.grad = part.view_as(parameter).clone() if count else None


class RunningFigures:
    """Running figures of normalisation over all batches of a step, whichever process computes them.

    Each batch starts from the figures before the step; after it they are the mean of what the batches made of them. So
    several processes end with the very figures of one. A counter counts steps.
    """

    def __init__(self, networks: list[nn.Module], count: int) -> None:
        self._buffers = [buffer for network in networks for buffer in network.buffers()] if count > 1 else []
        self._before = [buffer.clone() for buffer in self._buffers]
        self._total = [torch.zeros_like(buffer) for buffer in self._buffers]
        self._count = count

    def collect(self) -> None:
        """Take up what a batch made of the figures, and put them back."""
        for buffer, total, before in zip(self._buffers, self._total, self._before, strict=True):
            if buffer.dtype.is_floating_point:
                total += buffer
            else:
                total.copy_(buffer)
            buffer.copy_(before)

    def settle(self, fabric: Fabric) -> None:
        """Set the figures to the mean over the batches of all processes."""
        for buffer, total in zip(self._buffers, self._total, strict=True):
            buffer.copy_(_sum(fabric, total) / self._count if buffer.dtype.is_floating_point else total)


def _sum(fabric: Fabric, values: Tensor) -> Tensor:
    return fabric.all_reduce(values, reduce_op="sum") if fabric.world_size > 1 else values
