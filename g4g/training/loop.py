"""One loop for every stage: Fabric, EMA, checkpoints that resume, a clean stop."""

from __future__ import annotations

import copy
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError
from g4g.options import TrainOptions

_EMA = 0.998
_CRITIC_RATE = 2e-4


@dataclass
class Plan:
    """How long and how fast a stage trains; `TrainOptions` explains the first settings."""

    minutes: float = TrainOptions.minutes
    steps: int = TrainOptions.steps
    learning_rate: float | None = TrainOptions.learning_rate
    weight_decay: float = 1e-3
    warmup_steps: int = 50
    seed: int = 1
    device: str = TrainOptions.device
    precision: str = TrainOptions.precision
    look_every_s: float = 240.0
    """After so many seconds all is saved, and the average validated."""
    log: Callable[[str], None] = field(default=print)
    report: Callable[[float], None] = field(default=lambda done: None)
    """Called at first, and after every step, with the share of the run behind it."""


@dataclass
class Progress:
    """Where a run stands; `elapsed_s` counts over resumes."""

    step: int = 0
    elapsed_s: float = 0.0


class Stage(nn.Module):
    """What a stage gives the loop: its trained `networks`, a `step` that returns losses, and `validate`.

    Losses whose name starts with "_" are logged, never trained.
    """

    def step(self, rng: np.random.Generator, done: float) -> dict[str, torch.Tensor]:
        """Compute the weighted losses of one batch; `done` is the share of the run behind us, 0 to 1."""
        raise NotImplementedError

    def trained(self) -> nn.Module:
        """The module that is optimised, averaged and saved."""
        raise NotImplementedError

    def describe(self) -> dict:
        """What the weight file should say of this training beside seed and data."""
        return {}

    def critic(self) -> nn.Module | None:
        """A network that is trained against the first one by its own optimiser, and is not part of the result."""
        return None

    def critic_step(self) -> torch.Tensor | None:
        """Compute the critic's loss on the batch that `step` saw; None when it has not set in."""
        return None

    def validate(self, network: nn.Module, sheet: Path) -> dict[str, float]:
        """Measure the averaged network on held-out shots and draw a contact sheet."""
        raise NotImplementedError


def train(stage: Stage, out: Path, plan: Plan, save: Callable[[nn.Module, dict], None], resume: bool = False) -> dict:
    """Train a stage until its time is over or Ctrl-C; a checkpoint that resumes lies at OUT with suffix .state.

    Args:
        stage: networks, data and losses.
        out: the weight file that `save` writes; `<out>.state` and `<out>.png` lie beside it.
        plan: length, rate, seed.
        save: writes the averaged network with its figures.
        resume: go on from `<out>.state`.
    Returns:
        The last validation's figures.
    """
    fabric = Fabric(accelerator=plan.device, devices=1, precision=plan.precision)
    warn_of_slow_precision(plan.precision, fabric.device.type, plan.log)
    network = stage.trained()
    average = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    kept = _Kept({"network": network, "average": average}, {"optimiser": optimiser})
    critic, critic_optimiser = stage.critic(), None
    if critic is not None:
        critic_optimiser = torch.optim.AdamW(critic.parameters(), _CRITIC_RATE, betas=(0.5, 0.99))
        kept.modules["critic"], kept.optimisers["critic_optimiser"] = critic, critic_optimiser
    stage.to(fabric.device)
    average.to(fabric.device)
    state_file = out.with_suffix(out.suffix + ".state")
    progress = _read_state(state_file, kept) if resume else Progress()
    plan.report(min(_share_done(progress, plan), 1.0))
    losses, figures, last_look = {}, {}, time.monotonic()

    def look() -> dict[str, float]:
        # A crash while all is measured loses nothing that was trained.
        _write_state(state_file, kept, progress)
        figures = _look(stage, average, out, plan, progress, losses)
        save(average, figures)
        return figures

    with _caught_interrupt() as stopped:
        while not stopped() and (done := _share_done(progress, plan)) < 1:
            started = time.monotonic()
            _set_rate(optimiser, plan, progress.step, done)
            network.train()
            with fabric.autocast():
                terms = stage.step(np.random.default_rng([plan.seed, progress.step]), done)
            optimiser.zero_grad(set_to_none=True)
            fabric.backward(sum(value for name, value in terms.items() if not name.startswith("_")))
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            if critic is not None:
                _train_critic(fabric, stage, critic, critic_optimiser)
            _follow(average, network, min(_EMA, (1 + progress.step) / (10 + progress.step)))
            progress.step += 1
            for name, value in terms.items():
                now = float(value.detach())
                losses[name] = losses.get(name, now) * 0.98 + now * 0.02
            progress.elapsed_s += time.monotonic() - started
            plan.report(min(_share_done(progress, plan), 1.0))
            if time.monotonic() - last_look > plan.look_every_s:
                figures = look()
                last_look = time.monotonic()
        return figures if figures.get("steps") == progress.step else look()


def warn_of_slow_precision(precision: str, device: str, log: Callable[[str], None]) -> None:
    """Say that bfloat16 is slow on a processor which does not know it."""
    knows = torch.cpu.get_capabilities() if device == "cpu" else {"bf16": True}
    if precision.startswith("bf16") and not any(knows.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        log("this processor lacks bfloat16 (AVX-512-BF16): bf16-mixed is up to 40 times slower here than 32-true")


def _share_done(progress: Progress, plan: Plan) -> float:
    return max(progress.step / plan.steps, progress.elapsed_s / (plan.minutes * 60))


def _look(stage, average, out, plan, progress, losses) -> dict[str, float]:
    average.eval()
    with torch.no_grad():
        figures = stage.validate(average, out.with_suffix(".png"))
    shown = [f"{k} {v:.4f}" for k, v in losses.items()] + [f"| {k} {v:.4f}" for k, v in figures.items()]
    plan.log(f"step {progress.step}  {progress.elapsed_s / 60:.1f} min  " + "  ".join(shown))
    return {**figures, "steps": progress.step, "minutes": round(progress.elapsed_s / 60, 1)}


def _set_rate(optimiser, plan: Plan, step: int, done: float) -> None:
    warm = min(1.0, (step + 1) / plan.warmup_steps)
    cool = min(1.0, max(0.02, (1 - done) / 0.4))
    for group in optimiser.param_groups:
        group["lr"] = plan.learning_rate * warm * cool


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


@contextmanager
def _caught_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a clean stop, which the given function tells; the second one interrupts as usual."""
    caught = []

    def note(signum, frame):
        caught.append(signum)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():  # the caller stops us by other means
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(caught)
    finally:
        signal.signal(signal.SIGINT, before)


def _train_critic(fabric: Fabric, stage: Stage, critic: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    with fabric.autocast():
        loss = stage.critic_step()
    # The network's own backward pass left gradients here too.
    optimiser.zero_grad(set_to_none=True)
    if loss is not None:
        fabric.backward(loss)
        optimiser.step()


@dataclass(frozen=True)
class _Kept:
    """What a run goes on from, by the prefix of its tensors."""

    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]


def _write_state(path: Path, kept: _Kept, progress: Progress) -> None:
    tensors = {f"{name}.{k}": v for name, module in kept.modules.items() for k, v in module.state_dict().items()}
    for name, optimiser in kept.optimisers.items():
        for index, slot in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{k}": v for k, v in slot.items()}
    meta = {"progress": json.dumps([progress.step, progress.elapsed_s])}
    write_whole(path, save({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, meta))


def _read_state(path: Path, kept: _Kept) -> Progress:
    if not path.is_file():
        raise DataError(f"nothing to resume: {path} does not exist; train without --resume first")
    tensors = load_file(path)
    pick = lambda prefix: {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}  # noqa: E731
    for name, module in kept.modules.items():
        module.load_state_dict(pick(f"{name}."))
    for name, optimiser in kept.optimisers.items():
        state = optimiser.state_dict()
        for key, value in pick(f"{name}.").items():
            index, slot = key.split(".")
            state["state"].setdefault(int(index), {})[slot] = value
        optimiser.load_state_dict(state)
    with safe_open(path, "pt") as file:
        step, elapsed_s = json.loads(file.metadata()["progress"])
    return Progress(step, elapsed_s)
