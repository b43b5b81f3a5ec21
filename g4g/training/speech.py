"""Teach the speech encoder what Whisper's encoder says: on clean sound, and the same of changed sound."""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from g4g.audio.causal import SPEECH_AUDIO, SpeechConfig, SpeechEncoder, load_speech_encoder, save_speech_encoder
from g4g.audio.features import SPEECH_RATE, encode_speech
from g4g.audio.mel import log_mel
from g4g.engine import limit_threads
from g4g.errors import ConfigError, DataError
from g4g.training.data import describe_data
from g4g.training.loop import Plan, Stage, train
from g4g.training.speech_augment import augment_sound, change_speed, warp_throat
from g4g.training.speech_data import SpeechFolder, is_synthetic, split_names

_BATCH, _SEQUENCE_S = 4, 12.0
_LEARNING_RATE = 1.5e-3
_SHARES = {"kokoro": 0.38, "espeak": 0.32, "s1": 0.12, "": 0.18}
"""How often a recording of each source is drawn; the last one is every other speaker."""
_PLAIN, _SPEED = 0.3, 0.35
"""Shares of sequences whose sound stays as it is, and of recordings that are played faster or slower."""
_SILENT_START = 0.3
"""Share of sequences before whose first recording lies silence."""
_SAMPLES_PER_ROW = round(SPEECH_AUDIO.sample_rate / SPEECH_RATE)
_HELD_PER_GROUP = 4
_RELOAD_STEPS = 100
"""After so many steps the folder is listed again: recordings may still be made while we train."""


class SpeechStage(Stage):
    """The encoder learns the rows of a folder's targets from the folder's sounds.

    Source: our choice; knowledge distillation (Hinton et al. 2015) with changed inputs.
    """

    def __init__(self, encoder: SpeechEncoder, folder: SpeechFolder) -> None:
        super().__init__()
        self.encoder, self._folder, self._steps, self._cache = encoder, folder, 0, {}
        self._groups: dict[str, list[str]] = {}
        self._list_recordings()
        weights = 1 / np.concatenate([self._read(names[0])[1] for names in self._groups.values()]).std(0)
        self.register_buffer("_weights", torch.from_numpy(weights / weights.mean()).float())

    def trained(self) -> SpeechEncoder:
        return self.encoder

    def describe(self) -> dict:
        counts = {kind or "others": len(names) for kind, names in self._groups.items()}
        return {"recordings": counts} | describe_data([name for names in self._groups.values() for name in names])

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        self._steps += 1
        if self._steps % _RELOAD_STEPS == 0:
            self._list_recordings()
        pairs = [self.draw(rng) for _ in range(_BATCH)]
        mels, targets = (torch.from_numpy(np.stack(part)).to(self._weights.device) for part in zip(*pairs, strict=True))
        return distillation_losses(self.encoder(mels).float(), targets, self._weights)

    @torch.no_grad()
    def validate(self, network: SpeechEncoder, sheet: Path) -> dict[str, float]:
        """Compare with the teacher on held-out voices, clean and changed; draw the cosines of all rows as strips."""
        figures, strips = {}, []
        for group, names in self._held.items():
            for changed in (False, True):
                scores = [self._compare(network, name, changed) for name in names]
                label = f"{group}_changed" if changed else group
                figures[f"{label}_cosine"] = float(np.mean([cosines.mean() for cosines, _ in scores]))
                figures[f"{label}_r2"] = float(np.mean([r2 for _, r2 in scores]))
                strips += [np.resize(cosines, 150) for cosines, _ in scores]
        matplotlib.image.imsave(sheet, np.kron(np.stack(strips), np.ones((4, 4))), vmin=0, vmax=1)
        return figures

    def _compare(self, network: SpeechEncoder, name: str, changed: bool) -> tuple[np.ndarray, float]:
        waveform, target = self._folder.read(name)
        if changed:
            other = self._folder.read(self._held["synthetic"][0])[0]
            waveform = augment_sound(waveform, other, np.random.default_rng(sum(name.encode())))
        return compare_rows(encode_speech(network, waveform), target)

    def _list_recordings(self) -> None:
        kept, held = split_names(self._folder.names())
        kinds = [kind for kind in _SHARES if kind]
        groups: dict[str, list[str]] = {}
        for name in kept:
            kind = next((kind for kind in kinds if name.split("_")[0].rstrip("0") == kind), "")
            groups.setdefault(kind, []).append(name)
        if not groups:
            raise DataError(f"{self._folder.folder} holds nothing to train on; fill it with g4g.training.speech_data")
        self._groups = groups
        if not hasattr(self, "_held"):
            parts = {
                "synthetic": [name for name in held if is_synthetic(name)],
                "s1": [name for name in held if name.startswith("s1_")],
                "people": [name for name in held if not (is_synthetic(name) or name.startswith("s1_"))],
            }
            few = {group: names[:: max(len(names) // _HELD_PER_GROUP, 1)] for group, names in parts.items() if names}
            self._held = few or {"synthetic": kept[:1]}
            self._held.setdefault("synthetic", next(iter(self._held.values()))[:1])

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in self._cache:
            waveform, target = self._folder.read(name)
            self._cache[name] = (waveform, target.astype(np.float16))
        return self._cache[name]

    def _draw_recording(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a recording of any source, cut to whole rows."""
        groups = {kind: names[self.batch.index :: self.batch.count] for kind, names in self._groups.items()}
        kinds = [kind for kind, names in groups.items() if names]
        if not kinds:
            raise ConfigError(f"{self.batch.count} batches need as many recordings; take fewer processes")
        chances = np.array([_SHARES[kind] for kind in kinds])
        names = groups[kinds[rng.choice(len(kinds), p=chances / chances.sum())]]
        waveform, target = self._read(names[rng.integers(len(names))])
        if (longest := round(_SEQUENCE_S * SPEECH_RATE)) < len(target):
            start = int(rng.integers(len(target) - longest))
            waveform, target = waveform[start * _SAMPLES_PER_ROW :], target[start : start + longest]
            waveform = waveform[: longest * _SAMPLES_PER_ROW]
        if rng.random() < _SPEED:
            waveform, target = change_speed(waveform, target, float(np.exp(rng.uniform(-0.2, 0.2))))
        rows = min(len(waveform) // _SAMPLES_PER_ROW, len(target))
        return waveform[: rows * _SAMPLES_PER_ROW], target[:rows]

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a sequence of recordings: (log-mel with its context, target rows)."""
        config, rows = self.encoder.config, round(_SEQUENCE_S * SPEECH_RATE)
        first, count = config.rows_back, rows - config.rows_back - config.rows_ahead
        sounds, targets, have = [], [], 0
        if rng.random() < _SILENT_START:
            have = int(rng.integers(first // 2, first + 1))
            sounds, targets = [np.zeros(have * _SAMPLES_PER_ROW, np.float32)], [None] * have
        while have < rows:
            sound, target = self._draw_recording(rng)
            if not have and len(target) > rows // 2:
                skip = int(rng.integers(len(target) // 2))
                sound, target = sound[skip * _SAMPLES_PER_ROW :], target[skip:]
            sounds.append(sound)
            targets += list(target)
            have += len(target)
        waveform = np.concatenate(sounds)[: rows * _SAMPLES_PER_ROW]
        if rng.random() >= _PLAIN:
            waveform = augment_sound(waveform, self._draw_recording(rng)[0], rng)
            mel = warp_throat(log_mel(waveform, *self.encoder.mel_span(first, count), SPEECH_AUDIO), rng)
        else:
            mel = log_mel(waveform, *self.encoder.mel_span(first, count), SPEECH_AUDIO)
        return mel, np.stack(targets[first : first + count]).astype(np.float32)


def distillation_losses(rows: Tensor, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Compare rows (..., D) with the teacher's: squared distance, small components counted up, and direction."""
    distance = ((rows - targets).square() * weights).mean()
    return {"distance": distance, "direction": 1 - functional.cosine_similarity(rows, targets, dim=-1).mean()}


def compare_rows(rows: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Compare rows (S, D) with the teacher's: (cosine of each row, share of the variance explained)."""
    count = min(len(rows), len(target))
    rows, target = rows[:count], target[:count]
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(target, axis=1)
    unexplained = ((rows - target) ** 2).sum() / ((target - target.mean(0)) ** 2).sum()
    return (rows * target).sum(1) / np.maximum(norms, 1e-9), float(1 - unexplained)


def train_speech(
    data: str | Path,
    out: str | Path,
    plan: Plan,
    *,
    config: SpeechConfig | None = None,
    resume: bool = False,
) -> dict:
    """Train the speech encoder on a folder that `speech_data` wrote.

    Args:
        data: folder of sounds and targets.
        out: weight file; where it exists, training starts from it.
        plan: length, rate, precision.
        config: sizes of a new encoder, whose `size` is the targets'; None: the usual ones.
        resume: go on from OUT.state.
    Returns:
        Figures on held-out voices.
    Raises:
        DataError: no recordings, or nothing to resume.
    """
    out = Path(out)
    torch.manual_seed(plan.seed)
    encoder = (
        copy.deepcopy(load_speech_encoder(out))
        if out.is_file() and not resume
        else SpeechEncoder(config or SpeechConfig())
    )
    stage = SpeechStage(encoder.train().requires_grad_(True), SpeechFolder(data))

    def save(network: SpeechEncoder, figures: dict) -> None:
        note = {"seed": plan.seed, "precision": plan.precision, **stage.describe()}
        note["figures"] = {name: round(float(value), 4) for name, value in figures.items()}
        save_speech_encoder(out, network, {"history": {"speech": note}})

    return train(stage, out, replace(plan, learning_rate=plan.learning_rate or _LEARNING_RATE), save, resume)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the speech encoder.")
    parser.add_argument("data")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--learning-rate", type=float, default=_LEARNING_RATE)
    parser.add_argument("--look-every-s", type=float, default=180.0)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    limit_threads(1)
    lengths = Plan(
        given.minutes, given.steps, given.learning_rate, 1e-2, device="cpu", precision=given.precision,
        look_every_s=given.look_every_s, log=lambda text: print(text, flush=True),
    )  # fmt: skip
    print(train_speech(given.data, given.out, lengths, resume=given.resume))
