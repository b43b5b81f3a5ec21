"""Align-deformation: features are aligned with landmarks, then with sound; the output is flow first, colour last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn
from torch.nn import functional

from g4g.aligner import cut_lips
from g4g.config import CropConfig
from g4g.errors import ConfigError
from g4g.faces.landmarks import JAW, MOUTH, UPPER_FACE
from g4g.nn import AdaIN, ResidualAdaIN

OVERSAMPLING = 2
"""References have so many times the pixels that are drawn, each way: bilinear sampling between pixels blurs."""
_FINE = 0.7
"""What is finer than a Gaussian of so many px of the crop suffers when pictures are blended (our choice)."""
_MOST_HUE, _DARK = 0.98, 1.2
"""Colour that no reference shows is at most as green and as blue, against red, as this share of the references' mouths
is; told from a little below black, where hues are noise (our choice)."""
_SPEECH_FOLLOWS = 0.01
"""Share by which the average of what sounds do follows each batch in training."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of the generator (our choice)."""

    references: int = 4
    audio_embedding: int = 256
    audio_windows: int = 9
    """Embeddings of sync windows around the frame, one per 1/25 s."""
    style: int = 256
    channels: tuple[int, int, int, int] = (24, 40, 64, 128)
    """At 1/1, 1/2, 1/4 and 1/8 of the crop."""
    finer: int = 1
    """2: a last stage paints twice the crop's pixels each way (g4g-base); everything before it sees crops reduced."""

    def __post_init__(self) -> None:
        if self.finer not in (1, 2):
            raise ConfigError(f"a generator paints 1 or 2 times the crop's pixels each way, got {self.finer}")
        if self.audio_windows % 2 == 0:
            raise ConfigError(f"audio_windows must be odd to have a middle, got {self.audio_windows}; use 5, 7 or 9")


@dataclass
class Generated:
    """What the generator returns for the rows from `generated_top` down; `rows` and `size` as fine as it paints.

    Attributes:
        picture: (B, 3, rows, size) in [-1, 1].
        smaller: the pictures at 1/2, 1/4 and so on, coarsest first, for multi-scale supervision; made in training only.
        landmarks: (B, 37, 2) jaw and mouth, crop px.
        maps: (B, 3 K + 4, rows / 2, size / 2): how the references are deformed and blended.
        detail: (B, 3, rows, size): what was painted over the blended references.
    """

    picture: Tensor
    smaller: list[Tensor]
    landmarks: Tensor
    maps: Tensor
    detail: Tensor


@dataclass
class Moved:
    """Jaw and mouth as sound moves them: `landmarks` (B, 37, 2) crop px, and the face's geometry as `style` (B, S)."""

    landmarks: Tensor
    style: Tensor


@dataclass
class References:
    """Computed once per person.

    Lower halves as `pictures` (B, K, 3, rows, size) of what is painted, and as `fine` as they came; `features`;
    `landmarks` (B, K, 68, 2); `hue` (B, 2, 1, 1), the most green and blue, against red, that their mouths show.
    """

    pictures: Tensor
    fine: Tensor
    features: Tensor
    landmarks: Tensor
    hue: Tensor

    def repeat(self, frames: int) -> References:
        """Repeat each person's entry for `frames` frames; one person's without copying."""
        one = len(self.features) == 1
        return References(
            *(x.expand(frames, *x.shape[1:]) if one else x.repeat_interleave(frames, 0) for x in vars(self).values())
        )


class Generator(nn.Module):
    """Paint the lower face of a crop from references of the person and the sound's embeddings."""

    def __init__(self, config: GeneratorConfig, crop: CropConfig = CropConfig()) -> None:
        super().__init__()
        self.config, self.crop = config, crop
        self.size = crop.size * config.finer
        """Side of the crops that it sees and paints, px; `top` is the first row painted."""
        self.top = round(crop.generated_top * crop.size) * config.finer
        full, half, quarter, eighth = config.channels
        k, style = config.references, config.style
        self.reference_encoder = _encoder(3, half, quarter, eighth)
        self.mix_references = nn.Conv2d(k * eighth, eighth, 1)
        self.crop_encoder = _encoder(4, half, quarter, eighth)
        self.landmark_style = _mlp((31 + 68 * k) * 2, style)
        self.audio_style = nn.Sequential(
            nn.Conv1d(config.audio_embedding, 128, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv1d(128, 64, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), _mlp(64 * config.audio_windows, style),
        )  # fmt: skip
        self.register_buffer("silence", torch.zeros(config.audio_embedding), persistent=False)
        self.register_buffer("speech", torch.zeros(style))
        self.landmark_head = _mlp(2 * style, 37 * 2)
        nn.init.zeros_(self.landmark_head[-1].weight)
        self.geometry_style = _mlp(37 * 2, style)
        self.join = nn.Conv2d(2 * eighth, eighth, 3, padding=1)
        self.align_landmarks = nn.ModuleList(ResidualAdaIN(eighth, style) for _ in range(2))
        self.align_audio = nn.ModuleList(ResidualAdaIN(eighth, 2 * style) for _ in range(2))
        self.up_quarter = nn.Conv2d(eighth, quarter, 3, padding=1)
        self.at_quarter = ResidualAdaIN(quarter, 2 * style)
        self.up_half = nn.Conv2d(quarter, half, 3, padding=1)
        self.norm_half = AdaIN(half, 2 * style)
        self.at_half = nn.Conv2d(half, half, 3, padding=1)
        # Per scale: a flow (2) and a visibility (1) per reference, a colour (3) and its visibility (1).
        self.heads = nn.ModuleList(nn.Conv2d(c, 3 * k + 4, 3, padding=1) for c in (quarter, half))
        for head in self.heads:
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)
            head.bias.data[-1] = -2.0  # start from the warped references
        self.refine = _painter(half, full)
        if config.finer > 1:  # as it begins, it changes nothing
            self.up_full = nn.Conv2d(half, full, 3, padding=1)
            self.head_full = nn.Conv2d(full, 3 * k + 4, 3, padding=1)
            nn.init.zeros_(self.head_full.weight)
            nn.init.zeros_(self.head_full.bias)
            self.refine_full = _painter(full, full)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        # Weights, and runs to resume, from before 2026-11-26 know no average: they move away from rest, as they did.
        state_dict.setdefault(f"{prefix}speech", torch.zeros_like(self.speech))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def hear_silence(self, embedding: Tensor) -> None:
        """Take the aligner's embedding of silence (D,), in which the mouth rests."""
        self.silence.copy_(embedding)

    def encode_references(self, crops: Tensor, landmarks: Tensor) -> References:
        """Encode a person's references, once.

        Args:
            crops: (B, K, 3, f * size, f * size) in [-1, 1], f a whole number; the networks see them reduced.
            landmarks: (B, K, 68, 2), px of a crop of `crop.size`.
        Raises:
            ConfigError: the crops are coarser than what is painted.
        """
        finer = crops.shape[-1] // self.size
        if not finer:
            raise ConfigError(
                f"references of {crops.shape[-1]} px for a generator that paints {self.size}; see --finer"
            )
        fine = crops[..., self.top * finer :, :]
        pictures = reduce_pictures(fine.flatten(0, 1), finer)
        features = self.reference_encoder(reduce_pictures(pictures, self.config.finer))
        features = self.mix_references(features.unflatten(0, crops.shape[:2]).flatten(1, 2))
        pictures = pictures.unflatten(0, crops.shape[:2])
        return References(pictures, fine, features, landmarks, self._limit_hue(crops))

    def hear(self, audio: Tensor, emphasis: float = 1.0) -> Tensor:
        """Turn embeddings (B, audio_windows, D) into a style (B, S); `emphasis` as for `forward`.

        In training it learns what sounds do on average.
        """
        sound = self.audio_style(audio.transpose(1, 2))
        rest = self.audio_style(self.silence[None, :, None].expand(1, -1, audio.shape[1]))
        said = sound - rest
        loud = said.norm(dim=1, keepdim=True)
        if self.training:
            with torch.no_grad():  # what is nearly silent hardly counts
                self.speech.lerp_((said * loud).sum(0) / loud.sum().clamp(min=1e-6), _SPEECH_FOLLOWS)
        if emphasis > 1:  # contrast: an m closes the lips further, as an a opens them
            said = said - (loud / self.speech.norm().clamp(min=1e-6)).clamp(max=1) * self.speech
        return sound + (emphasis - 1) * said

    def move_mouth(self, landmarks: Tensor, sound: Tensor, reference_landmarks: Tensor) -> Moved:
        """Predict where jaw and mouth go.

        Args:
            landmarks: (B, 68, 2) px of the crop; only brows, nose and eyes are read.
            sound: (B, S), as `hear` gives it.
            reference_landmarks: (B, K, 68, 2) px.
        """
        size, middle = self.crop.size, reference_landmarks.mean(1)
        upper = (landmarks[:, UPPER_FACE] - middle[:, UPPER_FACE]) / size * 8
        shapes = (reference_landmarks - middle[:, None]) / size * 8
        geometry = self.landmark_style(torch.cat([upper.flatten(1), shapes.flatten(1)], 1))
        by = self.landmark_head(torch.cat([geometry, sound], 1)).unflatten(1, (37, 2)) * (size / 16)
        style = geometry + self.geometry_style(by.flatten(1) / size * 8)
        return Moved(torch.cat([middle[:, JAW], middle[:, MOUTH]], 1) + by, style)

    def forward(
        self, masked_crop: Tensor, landmarks: Tensor, audio: Tensor, references: References, emphasis: float = 1.0
    ) -> Generated:
        """Paint frames.

        Args:
            masked_crop: (B, 3, size, size) in [-1, 1], the lower half hidden by `hide_lower_half`.
            landmarks: (B, 68, 2) px of a crop of `crop.size`; only brows, nose and eyes are read.
            audio: (B, audio_windows, D) embeddings around each frame.
            references: of the same B frames.
            emphasis: above 1, so many times as far as was learnt sounds move the mouth away from what they do to it on
                average; below 1, away from its rest in silence, where 0 leaves it.
        """
        finer, sound = self.config.finer, self.hear(audio, emphasis)
        moved = self.move_mouth(landmarks, sound, references.landmarks)
        intra, inter = moved.style, torch.cat([moved.style, sound], 1)
        masked = masked_crop[:, :, self.top :]
        seen = reduce_pictures(masked, finer)
        hidden = torch.zeros_like(seen[:, :1])
        hidden[:, :, round((self.crop.hidden_top - self.crop.generated_top) * self.crop.size) :] = 1
        x = self.join(torch.cat([self.crop_encoder(torch.cat([seen, hidden], 1)), references.features], 1))
        for block in self.align_landmarks:
            x = block(x, intra)
        for block in self.align_audio:
            x = block(x, inter)
        x = functional.leaky_relu(self.up_quarter(_double(x)), 0.2)
        x = self.at_quarter(x, inter)
        smaller = [self._deform(self.heads[0](x), references, 4 * finer)] if self.training else []
        x = functional.leaky_relu(self.norm_half(self.up_half(_double(x)), inter), 0.2)
        x = x + functional.leaky_relu(self.at_half(x), 0.2)
        maps = self.heads[1](x)
        smaller += [self._deform(maps, references, 2 * finer)] if self.training else []
        full = self._deform(_double(maps), references, finer)
        detail = self._paint(self.refine, full, seen, x)
        if finer > 1:
            smaller += [full + detail] if self.training else []
            x = functional.leaky_relu(self.up_full(_double(x)), 0.2)
            maps = _double(maps) + self.head_full(x)
            full = self._deform(_double(maps), references, 1)
            detail = _double(detail) + self._paint(self.refine_full, full, masked, x)
        picture = (full + detail).clamp(-1.2, 1.2)
        return Generated(picture, smaller, moved.landmarks, maps, detail)

    def render_fine(self, made: Generated, references: References) -> Tensor:
        """Draw generated frames anew from finer pictures of the references: deformation knows no resolution.

        Args:
            made: what `forward` returned for B frames.
            references: the same that `forward` had, encoded from crops OVERSAMPLING * f times as fine as `crop.size`.
        Returns:
            (B, 3, f * rows, f * crop.size); what was painted is enlarged.
        Source:
            Our choice; what blending takes away is given back as in Heitz and Neyret 2018 (variance-preserving).
        """
        finer = references.fine.shape[-1] // (OVERSAMPLING * self.crop.size)
        size = [side * finer // self.config.finer for side in made.picture.shape[-2:]]
        # Planes apart, not pixels: sampling takes half the time.
        enlarge = lambda x: functional.interpolate(x, size, mode="bilinear").contiguous()  # noqa: E731
        picture = self._deform(enlarge(made.maps), replace(references, pictures=references.fine), 1)
        # Pores and edges of several pictures do not coincide: a mean with shares v keeps sqrt(sum v^2) of them.
        shares = made.maps[:, 2 * self.config.references : 3 * self.config.references].softmax(1)
        lost = 1 / shares.square().sum(1, keepdim=True).sqrt() - 1
        grey, reach = picture.mean(1, keepdim=True), 2 * round(2 * _FINE * finer) + 1
        details = grey - gaussian_blur2d(grey, (reach, reach), (_FINE * finer, _FINE * finer), "replicate")
        return picture + enlarge(lost) * details + enlarge(made.detail)

    def _paint(self, painter: nn.Module, picture: Tensor, seen: Tensor, features: Tensor) -> Tensor:
        """Say what to add to a deformed picture; `features` have half its size."""
        known = functional.pixel_unshuffle(torch.cat([picture, seen], 1), 2)
        return functional.pixel_shuffle(painter(torch.cat([known, features], 1)), 2)

    def _limit_hue(self, crops: Tensor) -> Tensor:
        """The most green and blue over red, (B, 2, 1, 1), that references' crops (B, K, 3, s, s) show at the mouth."""
        small = reduce_pictures(crops.flatten(0, 1), crops.shape[-1] // self.crop.size)
        mouths = reduce_pictures(cut_lips(small, self.crop), 2).unflatten(0, crops.shape[:2])
        hues = (mouths[:, :, 1:] + _DARK) / (mouths[:, :, :1] + _DARK)
        return hues.transpose(1, 2).flatten(2).quantile(_MOST_HUE, 2)[..., None, None]

    def _deform(self, maps: Tensor, references: References, reduction: int) -> Tensor:
        """Warp each reference by its flow, blend by visibility, fill with colour what none shows."""
        pictures = references.pictures
        batch, k = pictures.shape[:2]
        height, width = maps.shape[-2:]
        if reduction > 1:
            pictures = reduce_pictures(pictures.flatten(0, 1), reduction).unflatten(0, (batch, k))
        flow = maps[:, : 2 * k].unflatten(1, (k, 2)).permute(1, 0, 3, 4, 2)
        # Flow 1 is a tenth of the crop's width, in both directions.
        flow = flow * maps.new_tensor([0.2, 0.2 * pictures.shape[-1] / pictures.shape[-2]])
        rows = torch.linspace(-1 + 1 / height, 1 - 1 / height, height, device=maps.device)
        columns = torch.linspace(-1 + 1 / width, 1 - 1 / width, width, device=maps.device)
        identity = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
        visible = torch.cat([maps[:, 2 * k : 3 * k], maps[:, 3 * k + 3 :]], 1).softmax(1)
        red, others = torch.tanh(maps[:, 3 * k : 3 * k + 3]).split((1, 2), 1)
        most = references.hue * (red + _DARK) - _DARK
        picture = torch.cat([red, torch.minimum(others, most)], 1) * visible[:, k:]
        for i in range(k):
            warped = functional.grid_sample(
                pictures[:, i], identity + flow[i], padding_mode="border", align_corners=False
            )
            picture = torch.addcmul(picture, warped, visible[:, i : i + 1])
        return picture


def to_tensor(crops: np.ndarray) -> Tensor:
    """Turn crops (N, s, s, 3) uint8 into the networks' pictures (N, 3, s, s) in [-1, 1]."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1


def hide_lower_half(crops: Tensor, config: CropConfig = CropConfig()) -> Tensor:
    """Blank what the generator must not see (everything below `hidden_top`) of crops (..., size, size), any size."""
    masked = crops.clone()
    masked[..., round(config.hidden_top * crops.shape[-1]) :, :] = 0
    return masked


def _encoder(inputs: int, half: int, quarter: int, eighth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in ((inputs, half), (half, quarter), (quarter, eighth)):
        layers += [nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 256), nn.LeakyReLU(0.2), nn.Linear(256, outputs))


def _painter(features: int, channels: int) -> nn.Sequential:
    """At half size with four pixels per cell: the same neighbourhood for a quarter of the memory traffic."""
    layers = nn.Conv2d(2 * 12 + features, 2 * channels, 3, padding=1), nn.Conv2d(2 * channels, 12, 3, padding=1)
    nn.init.zeros_(layers[-1].weight)
    nn.init.zeros_(layers[-1].bias)
    return nn.Sequential(layers[0], nn.LeakyReLU(0.2), layers[1])


def reduce_pictures(pictures: Tensor, by: int) -> Tensor:
    """Average pictures (N, C, h, w) down to h / by, w / by."""
    return functional.avg_pool2d(pictures, by) if by > 1 else pictures


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
