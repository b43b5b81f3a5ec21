"""The judge's own training: the 68 points against MFCCs, with its own seed and augmentation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from torch import Tensor

from g4g.aligner import contrast_windows
from g4g.config import SCORE_FPS
from g4g.errors import DataError
from g4g.metrics.judge import Judge, JudgeConfig, middle_times, save_judge, standardise
from g4g.metrics.mfcc import mfcc, mfcc_windows
from g4g.metrics.sync import lip_sync_error, match_windows
from g4g.nn import check_device
from g4g.training.data import Shot, describe_data, load_split, speaker_chances
from g4g.training.loop import Plan, Stage, train
from g4g.training.processes import launch, number_clips

SEED = 777
"""Not the seed of any other training."""

_CLIPS, _FRAMES = 12, 40
_SOUNDS = 6
"""Versions of each clip's sound in memory: as it is, and with noise, other tilt and shifted formants."""
_VALIDATION_CLIPS = 60
_CORRECT_FROM, _MOST_CORRECTED = 0.5, 4
"""Share of the run after which clips are put in sync, and by how many frames at most."""
_SHORTEST_FRAMES = 45
_SMOOTHING_FRAMES = 3


@dataclass(frozen=True)
class JudgeClip:
    """One shot as the judge sees it: `points` (T, P, 2), `times_s` (T,), `sounds` (40, S) float16 each."""

    shot: Shot
    points: np.ndarray
    times_s: np.ndarray
    sounds: list[np.ndarray]


class JudgeStage(Stage):
    """Stretches of a few clips per batch: every window against every other, neighbours neither pulled nor pushed."""

    def __init__(self, judge: Judge, clips: list[JudgeClip], validation: list[JudgeClip]) -> None:
        super().__init__()
        self.judge, self._clips, self._validation, self._corrected = judge, clips, validation, False
        shots = [clip.shot for clip in clips]
        self._chances, self._numbers = speaker_chances(shots), number_clips([shot.clip for shot in shots])

    def trained(self) -> Judge:
        return self.judge

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        torch.manual_seed(int(rng.integers(2**31)))
        if done >= _CORRECT_FROM and not self._corrected:
            self._put_in_sync()
        device = self.judge.log_scale.device
        chosen = rng.choice(len(self._clips), size=_CLIPS, p=self.batch.keep_chances(self._chances, self._numbers))
        parts = [_draw_stretch(self._clips[i], rng) for i in chosen]
        points, sounds = (np.stack(part) for part in zip(*parts, strict=True))
        lips = self.judge.forward_points(torch.from_numpy(points).to(device)).flatten(0, 1)
        audio = self.judge.forward_audio(torch.from_numpy(sounds).to(device).flatten(0, 1))
        clip = torch.arange(_CLIPS, device=device).repeat_interleave(sounds.shape[1])
        time = torch.arange(sounds.shape[1], device=device).repeat(_CLIPS)
        return {"contrast": contrast_windows(lips, audio, clip, time, self.judge.log_scale.clamp(max=4.0).exp())}

    def validate(self, network: Judge, sheet: Path) -> dict[str, float]:
        rng = np.random.default_rng(0)
        first, near, offsets, picture = [], [], [], None
        for clip in self._validation[:: max(len(self._validation) // _VALIDATION_CLIPS, 1)]:
            lips, audio = embed_clip(network, clip)
            picture = (lips @ audio.T).numpy() if picture is None else picture
            matches = match_windows(lips, audio, rng)
            first, near = first + matches.first, near + matches.near
            offsets.append(abs(matches.offset_frames) <= 1)
        matplotlib.image.imsave(sheet, np.kron(picture, np.ones((4, 4))))
        figures = {"first_of_20": np.mean(first), "within_one": np.mean(near), "clip_offset": np.mean(offsets)}
        return {name: float(value) for name, value in figures.items()}

    def _put_in_sync(self) -> None:
        """Shift clips by the offset that the judge itself finds: some of the recordings are a frame or two off."""
        self._corrected = True
        self.judge.eval()
        for number, clip in enumerate(self._clips):
            offset = lip_sync_error(*embed_clip(self.judge, clip)).offset_frames
            if abs(offset) <= _MOST_CORRECTED:
                self._clips[number] = replace(clip, times_s=clip.times_s - offset / SCORE_FPS)
        self.judge.train()


def train_judge(
    data: str | Path, out: str | Path, plan: Plan, *, config: JudgeConfig | None = None, resume: bool = False
) -> dict:
    """Train the judge on the split's training shots alone.

    Args:
        data: folder that `prepare` wrote.
        out: weight file, kind "judge".
        plan: length and device; the seed should be SEED, which no other training has.
        config: sizes; the default ones without it.
        resume: go on from OUT.state.
    Returns:
        Figures on held-out shots: right sound first of 20, nearest within one frame, offset of whole clips.
    Raises:
        DataError: no prepared data, or no shot to train on. ConfigError: no such device here.
    """
    check_device(plan.device)
    if plan.starts_others:
        return launch(train_judge, plan, data, out, config=config, resume=resume)
    out = Path(out)
    torch.manual_seed(plan.seed)
    judge = Judge(config or JudgeConfig())
    train_shots, held_shots = load_split(data)
    clips, held = make_clips(train_shots, _SOUNDS, plan.seed), make_clips(held_shots, 1, plan.seed)
    if not clips:
        raise DataError(
            f"no shot of {data} has sound and at least {_SHORTEST_FRAMES} frames (25 a second): prepare longer videos "
            "of people who speak"
        )
    plan.log(f"judge: {len(clips)} shots to train on, {len(held)} held out")

    def save(network: torch.nn.Module, figures: dict) -> None:
        names = [clip.shot.name for clip in clips]
        save_judge(out, network, {"seed": plan.seed, **describe_data(names), "figures": figures})

    plan = replace(plan, learning_rate=plan.learning_rate or 1e-3, weight_decay=1e-2)
    return train(JudgeStage(judge, clips, held or clips), out, plan, save, resume)


def make_clips(shots: list[Shot], sounds: int, seed: int) -> list[JudgeClip]:
    """Turn shots into points and MFCCs; stills and short shots are left out.

    Args:
        shots: of a prepared folder.
        sounds: versions of the sound; the first is the sound itself.
        seed: draws the versions.
    """
    heard = [shot for shot in shots if len(shot) >= _SHORTEST_FRAMES and len(shot.waveform)]
    return [_make_clip(shot, sounds, np.random.default_rng([seed, i])) for i, shot in enumerate(heard)]


@torch.no_grad()
def embed_clip(network: Judge, clip: JudgeClip) -> tuple[Tensor, Tensor]:
    """Embed all whole windows of a clip: lips (T - 8, D) and its own sound (T - 8, D), on the CPU."""
    device = network.log_scale.device
    windows = torch.from_numpy(mfcc_windows(clip.sounds[0].astype(np.float32), middle_times(clip.times_s)))
    lips = network.forward_points(torch.from_numpy(clip.points)[None].to(device))[0]
    return lips.float().cpu(), network.forward_audio(windows.to(device)).float().cpu()


def _make_clip(shot: Shot, sounds: int, rng: np.random.Generator) -> JudgeClip:
    waveform = shot.waveform.astype(np.float32) / 32767
    versions = [mfcc(waveform)] + [_vary_sound(waveform, rng) for _ in range(sounds - 1)]
    return JudgeClip(shot, standardise(shot.landmarks), shot.times_s, [one.astype(np.float16) for one in versions])


def _vary_sound(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give MFCCs of the sound at another gain, with noise, another spectral tilt and shifted formants."""
    tilt = np.float32(rng.uniform(-0.5, 0.5))
    sound = waveform + tilt * np.concatenate([waveform[:1], waveform[:-1]])
    noise = rng.standard_normal(len(sound) + 1, dtype=np.float32)
    noise = noise[1:] + np.float32(rng.uniform(-0.9, 0.9)) * noise[:-1]
    level = sound.std() * 10 ** (-rng.uniform(5, 40) / 20)
    sound = (sound + noise / noise.std() * np.float32(level)) * np.float32(10 ** (rng.uniform(-15, 5) / 20))
    return mfcc(sound, f_max_hz=rng.uniform(5200, 8000))


def _draw_stretch(clip: JudgeClip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw neighbouring frames (frames, P, 2), changed alike, and the sound of their windows (frames - 8, 40, 36)."""
    start = int(rng.integers(len(clip.points) - _FRAMES + 1))
    points = _vary_points(clip.points[start : start + _FRAMES], clip.points, rng)
    sound = clip.sounds[int(rng.integers(len(clip.sounds)))].astype(np.float32)
    return points, mfcc_windows(sound, middle_times(clip.times_s[start : start + _FRAMES]))


def _vary_points(points: np.ndarray, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give points (T, P, 2) to somebody whose mouth moves more or less, with another median and a shaky tracker."""
    scale = np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.15, 2))
    moved = (points - rng.uniform(0, 0.5) * clip[rng.integers(len(clip))]) * scale
    shake = rng.normal(0, 0.01 * rng.random(), points.shape) + rng.normal(0, 0.01, (1, 1, 2))
    if rng.random() < 0.3:
        kernel = np.ones(_SMOOTHING_FRAMES) / _SMOOTHING_FRAMES
        moved = np.apply_along_axis(lambda x: np.convolve(np.pad(x, 1, "edge"), kernel, "valid"), 0, moved)
    return (moved + shake).astype(np.float32)
