"""The judge's own training: grey mouths against MFCCs, with its own seed and augmentation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from kornia.geometry.transform import warp_affine
from safetensors.numpy import load_file
from torch import Tensor

from g4g.aligner import contrast_windows
from g4g.errors import DataError
from g4g.metrics.judge import Judge, JudgeConfig, cut_mouths, middle_times, save_judge, standardise
from g4g.metrics.mfcc import mfcc, mfcc_windows
from g4g.metrics.sync import match_windows
from g4g.nn import channels_last, check_device
from g4g.training.data import describe_data, read_entries, read_split
from g4g.training.loop import Plan, Stage, train

SEED = 777
"""Not the seed of any other training."""

_CLIPS = 5
_FRAMES = 40
_SOUNDS = 3
"""Versions of each clip's sound in memory: as it is, and with noise, other tilt and shifted formants."""
_MAX_VALIDATION = 40


@dataclass(frozen=True)
class JudgeClip:
    """One shot as the judge sees it: `mouths` (T, h, w) grey uint8, `times_s` (T,), `sounds` (40, S) float16 each."""

    name: str
    mouths: np.ndarray
    times_s: np.ndarray
    sounds: list[np.ndarray]


class JudgeStage(Stage):
    """Stretches of a few clips per batch: every window against every other, neighbours neither pulled nor pushed."""

    def __init__(self, judge: Judge, clips: list[JudgeClip], validation: list[JudgeClip]) -> None:
        super().__init__()
        self.judge, self._clips, self._validation = judge, clips, validation

    def trained(self) -> Judge:
        return self.judge

    def step(self, rng: np.random.Generator, done: float) -> dict[str, Tensor]:
        device = self.judge.log_scale.device
        chosen = rng.choice(len(self._clips), size=_CLIPS, replace=len(self._clips) < _CLIPS)
        frames = min(_FRAMES, *(len(self._clips[i].mouths) for i in chosen))
        parts = [_draw_stretch(self._clips[i], frames, rng) for i in chosen]
        mouths, sounds = (np.stack(part) for part in zip(*parts, strict=True))
        lips = self.judge.forward_lips(torch.from_numpy(mouths).to(device)).flatten(0, 1)
        audio = self.judge.forward_audio(torch.from_numpy(sounds).to(device).flatten(0, 1))
        clip = torch.arange(_CLIPS, device=device).repeat_interleave(sounds.shape[1])
        time = torch.arange(sounds.shape[1], device=device).repeat(_CLIPS)
        return {"contrast": contrast_windows(lips, audio, clip, time, self.judge.log_scale.clamp(max=4.0).exp())}

    def validate(self, network: Judge, sheet: Path) -> dict[str, float]:
        rng = np.random.default_rng(0)
        first, near, offsets, picture = [], [], [], None
        for clip in self._validation[:_MAX_VALIDATION]:
            lips, audio = embed_clip(network, clip)
            picture = (lips @ audio.T).numpy() if picture is None else picture
            matches = match_windows(lips, audio, rng)
            first, near = first + matches.first, near + matches.near
            offsets.append(abs(matches.offset_frames) <= 1)
        matplotlib.image.imsave(sheet, np.kron(picture, np.ones((4, 4))))
        figures = {"first_of_20": np.mean(first), "within_one": np.mean(near), "clip_offset": np.mean(offsets)}
        return {name: float(value) for name, value in figures.items()}


def train_judge(
    data: str | Path, out: str | Path, *, minutes: float = 12.0, steps: int = 10**9, seed: int = SEED,
    device: str = "auto", precision: str = "32-true", resume: bool = False,
    config: JudgeConfig | None = None, log: Callable[[str], None] = print,
) -> dict:  # fmt: skip
    """Train the judge on the split's training shots alone.

    Args:
        data: folder that `prepare` wrote.
        out: weight file, kind "judge".
        minutes, steps: length, whichever ends first.
        precision: "32-true" or "bf16-mixed".
        resume: go on from OUT.state.
        config: sizes; the default ones without it.
        log: receives a line of figures at each validation.
    Returns:
        Figures on held-out shots: right sound first of 20, nearest within one frame, offset of whole clips.
    Raises:
        DataError: no prepared data, or none of the split's training or validation shots in it. ConfigError: no such
            device here.
    """
    check_device(device)
    out = Path(out)
    torch.manual_seed(seed)
    judge = channels_last(Judge(config or JudgeConfig()))
    split = read_split()
    clips = load_clips(data, set(split["train"]), judge.mouth_box, _SOUNDS, seed)
    held = load_clips(
        data, {n for key, names in split.items() if key != "train" for n in names}, judge.mouth_box, 1, seed
    )
    log(f"judge: {len(clips)} shots to train on, {len(held)} held out")

    def save(network: torch.nn.Module, figures: dict) -> None:
        save_judge(out, network, {"seed": seed, **describe_data([clip.name for clip in clips]), "figures": figures})

    plan = Plan(minutes, steps, 1e-3, weight_decay=1e-2, seed=seed, device=device, precision=precision, log=log)
    return train(JudgeStage(judge, clips, held), out, plan, save, resume)


def load_clips(folder: str | Path, names: set[str], box: tuple[int, ...], sounds: int, seed: int) -> list[JudgeClip]:
    """Load shots as grey mouths and MFCCs.

    Args:
        folder: what `prepare` wrote.
        names: clips whose shots to keep.
        box: the mouth (x1, y1, x2, y2) in crop px.
        sounds: versions of the sound; the first is the sound itself.
        seed: draws the versions.
    Raises:
        DataError: no index, or none of the names in it.
    """
    entries = [entry for entry in read_entries(folder) if entry["clip"] in names]
    if not entries:
        raise DataError(f"{folder} holds none of the {len(names)} wanted shots of the split; prepare its videos")
    jobs = [(Path(folder) / e["file"], e["name"], box, sounds, [seed, i]) for i, e in enumerate(entries)]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda job: _load_clip(*job), jobs))


@torch.no_grad()
def embed_clip(network: Judge, clip: JudgeClip) -> tuple[Tensor, Tensor]:
    """Embed all whole windows of a clip: lips (T - 4, D) and its own sound (T - 4, D), on the CPU."""
    device = network.log_scale.device
    mouths = torch.from_numpy(standardise(clip.mouths))[None].to(device)
    windows = torch.from_numpy(mfcc_windows(clip.sounds[0].astype(np.float32), middle_times(clip.times_s)))
    return network.forward_lips(mouths)[0].cpu(), network.forward_audio(windows.to(device)).cpu()


def _load_clip(path: Path, name: str, box: tuple[int, ...], sounds: int, seed: list[int]) -> JudgeClip:
    tensors = load_file(path)
    waveform = tensors["waveform"].astype(np.float32) / 32767
    rng = np.random.default_rng(seed)
    versions = [mfcc(waveform)] + [_vary_sound(waveform, rng) for _ in range(sounds - 1)]
    mouths = cut_mouths(tensors["crops"], box)
    return JudgeClip(name, mouths, tensors["times_s"], [version.astype(np.float16) for version in versions])


def _vary_sound(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give MFCCs of the sound at another gain, with noise, another spectral tilt and shifted formants."""
    tilt = np.float32(rng.uniform(-0.4, 0.4))
    sound = waveform + tilt * np.concatenate([waveform[:1], waveform[:-1]])
    noise = rng.standard_normal(len(sound) + 1, dtype=np.float32)
    noise = noise[1:] + np.float32(rng.uniform(-0.9, 0.9)) * noise[:-1]
    level = sound.std() * 10 ** (-rng.uniform(5, 35) / 20)
    sound = (sound + noise / noise.std() * np.float32(level)) * np.float32(10 ** (rng.uniform(-15, 5) / 20))
    return mfcc(sound, f_max_hz=rng.uniform(6400, 8000))


def _draw_stretch(clip: JudgeClip, frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw neighbouring frames (frames, h, w), changed alike, and the sound of their windows (frames - 4, 40, 20)."""
    start = int(rng.integers(len(clip.mouths) - frames + 1))
    mouths = _vary_mouths(clip.mouths[start : start + frames], rng)
    sound = clip.sounds[int(rng.integers(len(clip.sounds)))].astype(np.float32)
    return mouths, mfcc_windows(sound, middle_times(clip.times_s[start : start + frames]))


@torch.autocast("cpu", enabled=False)
def _vary_mouths(mouths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift, scale, turn, mirror, blur, relight: drawn once, the same for all frames, so that motion stays."""
    height, width = mouths.shape[1:]
    pictures = torch.from_numpy(standardise(mouths))[None]
    angle, scale = rng.uniform(-0.1, 0.1), rng.uniform(0.85, 1.15)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear[:, 0] *= rng.choice([-1, 1])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = centre + rng.uniform(-5, 5, 2) - linear @ centre
    matrix = torch.from_numpy(np.column_stack([linear, shift])).float()[None]
    # The frames are the channels of one picture: all are warped alike.
    pictures = warp_affine(pictures, matrix, (height, width), padding_mode="border", align_corners=True)
    if rng.random() < 0.3:
        sigma = float(rng.uniform(0.4, 1.4))
        pictures = gaussian_blur2d(pictures, (5, 5), (sigma, sigma))
    light = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.uniform(-0.5, 0.5))
    result = pictures[0].numpy() * np.float32(rng.uniform(0.8, 1.25)) + light + np.float32(rng.uniform(-0.2, 0.2))
    noise = rng.normal(0, rng.uniform(0, 0.06), result.shape)
    gamma_bend = np.float32(rng.uniform(-0.1, 0.1)) * result * np.abs(result)
    return (result + gamma_bend + noise).astype(np.float32)
