"""Keeps the best generator of a fine-tuning so far in the weight file, and the curve beside the run's state."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from torch import nn

from g4g.checkpoints.atomic import write_whole
from g4g.errors import ConfigError, DataError
from g4g.training.speaker import SpeakerFigures
from g4g.zoo import Models, save_models


class BestCheckpoint:
    """Judges every checkpoint by its held-out figures, `before` being the base's; `improved` once one was better."""

    def __init__(
        self, out: Path, curve_file: Path, models: Models, note: dict, before: SpeakerFigures, log: Callable
    ) -> None:
        self._out, self._curve_file, self._models, self._note, self._log = out, curve_file, models, note, log
        self.before, self.best, self.improved = before, before, False
        self.curve: list[tuple[float, SpeakerFigures]] = []

    def save(self, models: Models, after: SpeakerFigures | None = None) -> None:
        """Write the weight file, with what was learnt and how well it is on held-out frames."""
        self.best = after or self.best
        figures = {"before": asdict(self.before), "after": asdict(self.best), "improved": self.improved}
        save_models(self._out, replace(models, info={**models.info, "speaker": {**self._note, **figures}}))

    def remember(self) -> None:
        """Take up the curve of the run to resume, and what its file holds.

        Raises:
            ConfigError: that run learnt from other clips, so that its figures mean something else.
            DataError: its file is gone.
        """
        if not self._curve_file.is_file():
            return
        known = json.loads(self._curve_file.read_text())
        if known["clips"] != self._note["clips"]:
            names = ", ".join(clip["file"] for clip in known["clips"])
            raise ConfigError(
                f"{self._out} was begun with other clips, usable of them: {names}; give the same, unchanged, or start "
                "without resume"
            )
        self.curve = [(minutes, SpeakerFigures(**row)) for minutes, row in known["curve"]]
        for _, figures in self.curve:
            self._judge(figures)
        if self.improved and not self._out.is_file():
            raise DataError(
                f"nothing to resume: {self._out}, which held the best so far, is gone; start without resume"
            )

    def look(self, generator: nn.Module, figures: dict[str, float]) -> None:
        """Note the figures of a checkpoint, and save it if it is the best so far."""
        now = SpeakerFigures(*(figures[name] for name in asdict(self.before)))
        is_best = self._judge(now)
        if is_best:
            self.save(replace(self._models, generator=generator))
        self.curve.append((figures["minutes"], now))
        rows = [(minutes, asdict(row)) for minutes, row in self.curve]
        write_whole(self._curve_file, json.dumps({"clips": self._note["clips"], "curve": rows}).encode())
        self._log(f"{figures['minutes']:.1f} min  {now}{'  best so far' if is_best else ''}")

    def _judge(self, figures: SpeakerFigures) -> bool:
        better = figures.is_better_than(self.best, self.before)
        if better:
            self.best, self.improved = figures, True
        return better
