"""One loop for every stage: Fabric, EMA, checkpoints that resume, a clean stop."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from g4g.errors import ConfigError
from g4g.options import TrainOptions
from g4g.training.interrupt import caught_interrupt
from g4g.training.processes import Batch, RunningFigures, add_gradients, copy_from_first, share_values
from g4g.training.state import Kept, Progress, read_state, write_state

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
    devices: int = TrainOptions.devices
    nodes: int = TrainOptions.nodes
    workers: int = TrainOptions.workers
    frames: int | None = TrainOptions.frames
    batches: int | None = TrainOptions.batches
    look_every_s: float = 240.0
    """After so many seconds all is saved, and the average validated."""
    log: Callable[[str], None] = field(default=print)
    report: Callable[[float], None] = field(default=lambda done: None)
    """Called at first, and after every step, with the share of the run behind it."""
    fabric: Fabric | None = None
    """Of a process that `launch` started; None: a process alone."""

    @property
    def starts_others(self) -> bool:
        """True where more processes are still to be started."""
        return self.devices * self.nodes > 1 and self.fabric is None

    def for_process(self, fabric: Fabric | None) -> Plan:
        """Give the plan as one of many processes follows it: only the first one speaks. It can be sent to a process."""
        speaks = fabric is not None and fabric.is_global_zero
        return replace(self, fabric=fabric, log=print if speaks else _say_nothing, report=_say_nothing)


def _say_nothing(_: object) -> None:
    """Take the place of what other processes would say."""


class Stage(nn.Module):
    """What a stage gives the loop: its trained `networks`, a `step` that returns losses, and `validate`.

    Losses whose name starts with "_" are logged, never trained. A step draws from the clips of its `batch` alone.
    """

    batch = Batch()

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
    fabric = plan.fabric or Fabric(accelerator=plan.device, devices=1, precision=plan.precision)
    warn_of_slow_precision(plan.precision, fabric.device.type, plan.log)
    run = _Run(stage, out, plan, save, fabric)
    run.begin(resume)
    with caught_interrupt() as stopped:
        while True:
            # The first process decides for all.
            done, ends, looks = share_values(fabric, (run.share_done(), stopped(), run.wants_look()))[0]
            if ends or done >= 1:
                return run.end()
            if looks:
                run.look()
            run.step(done)


class _Run:
    """One training: its networks, where it stands, and what it does in a step."""

    def __init__(self, stage: Stage, out: Path, plan: Plan, save: Callable, fabric: Fabric) -> None:
        self._stage, self._out, self._plan, self._save, self._fabric = stage, out, plan, save, fabric
        self._network = stage.trained()
        self._average = copy.deepcopy(self._network).requires_grad_(False)
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
        )
        self._kept = Kept({"network": self._network, "average": self._average}, {"optimiser": self._optimiser})
        self._critic, self._critic_optimiser = stage.critic(), None
        if self._critic is not None:
            self._critic_optimiser = torch.optim.AdamW(self._critic.parameters(), _CRITIC_RATE, betas=(0.5, 0.99))
            self._kept.modules["critic"] = self._critic
            self._kept.optimisers["critic_optimiser"] = self._critic_optimiser
        stage.to(fabric.device)
        self._average.to(fabric.device)
        self._state_file = out.with_suffix(out.suffix + ".state")
        self._progress, self._batches = Progress(), plan.batches or fabric.world_size
        self._losses: dict[str, float] = {}
        self._figures: dict[str, float] = {}
        self._last_look = time.monotonic()

    def begin(self, resume: bool) -> None:
        """Start anew, or go on from the state file; all processes with the same numbers."""
        if resume:
            self._progress, batches = read_state(self._state_file, self._kept)
            self._batches = self._plan.batches or max(batches, self._fabric.world_size)
        if self._batches < self._fabric.world_size:
            raise ConfigError(
                f"{self._fabric.world_size} processes need as many batches, got {self._batches}; take fewer processes"
            )
        for module in self._kept.modules.values():
            copy_from_first(self._fabric, module)
        self._plan.report(min(self.share_done(), 1.0))

    def share_done(self) -> float:
        return _share_done(self._progress, self._plan)

    def wants_look(self) -> bool:
        return time.monotonic() - self._last_look > self._plan.look_every_s

    def step(self, done: float) -> None:
        """Learn from the batches of all processes."""
        started, fabric, count = time.monotonic(), self._fabric, self._batches
        _set_rate(self._optimiser, self._plan, self._progress.step, done)
        self._network.train()
        for optimiser in self._kept.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        running = RunningFigures([self._network] + [self._critic] * (self._critic is not None), count)
        own = []
        for index in range(fabric.global_rank, count, fabric.world_size):
            self._stage.batch = Batch(index, count)
            own.append(self._compute(self._stage.batch, done))
            running.collect()
        running.settle(fabric)
        add_gradients(fabric, self._network)
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimiser.step()
        if self._critic is not None:
            add_gradients(fabric, self._critic)
            self._critic_optimiser.step()
        _follow(self._average, self._network, min(_EMA, (1 + self._progress.step) / (10 + self._progress.step)))
        self._progress.step += 1
        self._note([terms for part in share_values(fabric, own) for terms in part])
        self._progress.elapsed_s += time.monotonic() - started
        self._plan.report(min(self.share_done(), 1.0))

    def _compute(self, batch: Batch, done: float) -> dict[str, float]:
        """Add a batch's gradients to those of network and critic; return its losses."""
        stage, fabric, critic = self._stage, self._fabric, self._critic
        if critic is not None:
            critic.requires_grad_(False)  # it judges now and learns below
        with fabric.autocast():
            terms = stage.step(batch.make_rng(self._plan.seed, self._progress.step), done)
        fabric.backward(sum(value for name, value in terms.items() if not name.startswith("_")) / batch.count)
        if critic is not None:
            critic.requires_grad_(True)
            with fabric.autocast():
                loss = stage.critic_step()
            if loss is not None:
                fabric.backward(loss / batch.count)
        return {name: float(value.detach()) for name, value in terms.items()}

    def _note(self, batches: list[dict[str, float]]) -> None:
        """Take the mean losses of all batches into those that are shown."""
        for name in dict.fromkeys(name for terms in batches for name in terms):
            now = float(np.mean([terms[name] for terms in batches if name in terms]))
            self._losses[name] = self._losses.get(name, now) * 0.98 + now * 0.02

    def look(self) -> dict[str, float]:
        """Save all, then measure the average; the other processes wait for the first one."""
        if self._fabric.is_global_zero:
            # A crash while all is measured loses nothing that was trained.
            write_state(self._state_file, self._kept, self._progress, self._batches)
            self._figures = _look(self._stage, self._average, self._out, self._plan, self._progress, self._losses)
            self._save(self._average, self._figures)
        self._figures = share_values(self._fabric, self._figures)[0]
        self._last_look = time.monotonic()
        return self._figures

    def end(self) -> dict[str, float]:
        """Return the figures of the last look, after one more where something was learnt since."""
        return self._figures if self._figures.get("steps") == self._progress.step else self.look()


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
