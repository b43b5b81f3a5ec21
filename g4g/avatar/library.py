"""The mouth library: pictures of one person's mouth, each with its shape, pose and light."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

MOST_BYTES = 112 * 1024 * 1024
"""Crops of all faces of a video together are at most as large."""
_BLURRED = 0.6
"""A picture with so small a share of the library's median sharpness is no entry."""


@dataclass(frozen=True)
class MouthLibrary:
    """N pictures of one person, in the order of the video.

    `frames` (N,) of the video, negative for pictures that were drawn of one, `times_s` (N,); `shapes` (N, C), `degrees`
    (N, 3) and `light` (N, 3) describe them; `crops` (N, s, s, 3) uint8; `meshes` (N, 504, 2): points with the ring, px
    of a crop of 128 px.
    """

    frames: np.ndarray
    times_s: np.ndarray
    shapes: np.ndarray
    degrees: np.ndarray
    light: np.ndarray
    crops: np.ndarray
    meshes: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def in_video(self) -> MouthLibrary:
        """The entries that are pictures of the video."""
        return self.take(self.frames >= 0)

    def take(self, rows: np.ndarray) -> MouthLibrary:
        """Keep some entries."""
        return MouthLibrary(**{name: array[rows] for name, array in vars(self).items()})

    def join(self, others: MouthLibrary) -> MouthLibrary:
        """Put another library's entries behind these."""
        return MouthLibrary(**{name: np.concatenate([array, vars(others)[name]]) for name, array in vars(self).items()})

    def keep(self, kept: np.ndarray) -> MouthLibrary:
        """Keep the entries that `kept` (N,) marks; the pictures move up in their own memory, which is not copied."""
        rows = np.flatnonzero(kept)
        for to, row in enumerate(rows):
            if to != row:
                self.crops[to] = self.crops[row]
        rest = {name: array[rows] for name, array in vars(self).items() if name != "crops"}
        return MouthLibrary(**rest, crops=self.crops[: len(rows)])


def share_entries(counts: list[int], entry_bytes: list[int], most_bytes: int = MOST_BYTES) -> list[int]:
    """Say how many entries each face gets, so that all crops fit; small libraries stay whole.

    Args:
        counts: frames that each face offers.
        entry_bytes: size of one crop of each.
        most_bytes: of all together.
    """
    shares, left = [0] * len(counts), most_bytes
    order = sorted(range(len(counts)), key=lambda i: counts[i] * entry_bytes[i])
    for place, i in enumerate(order):
        fair = left // (len(order) - place)
        shares[i] = min(counts[i], max(fair // entry_bytes[i], 1))
        left -= shares[i] * entry_bytes[i]
    return shares


def spread_entries(features: np.ndarray, count: int) -> np.ndarray:
    """Choose `count` rows of features (n, F) that cover all of them best: ascending row numbers.

    Source:
        Farthest point sampling (Gonzalez 1985), from the row nearest to the mean.
    """
    if count >= len(features):
        return np.arange(len(features))
    chosen = [int(((features - features.mean(0)) ** 2).sum(1).argmin())]
    far = ((features - features[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(far.argmax()))
        np.minimum(far, ((features - features[chosen[-1]]) ** 2).sum(1), out=far)
    return np.sort(chosen)


def find_sharp(crops: np.ndarray) -> np.ndarray:
    """Tell which crops (N, s, s, 3) are no more blurred than most, (N,), bool."""
    sharpness = np.array([_measure_sharpness(crop) for crop in crops])
    return sharpness >= _BLURRED * np.median(sharpness)


def _measure_sharpness(crop: np.ndarray) -> float:
    """Mean step between neighbouring pixels of the lower half."""
    lower = crop[len(crop) * 3 // 8 :]
    height, width = lower.shape[:2]
    down, across = _sum_steps(lower)
    return (down / ((height - 1) * width) + across / (height * (width - 1))) / 3


@numba.njit(cache=True, nogil=True)
def _sum_steps(picture: np.ndarray) -> tuple[int, int]:
    """Sum what neighbours in a picture (h, w, 3) uint8 differ by, down and across, colours added up."""
    height, width = picture.shape[:2]
    above, here = np.empty(width, np.int32), np.empty(width, np.int32)
    down, across = 0, 0
    for y in range(height):
        for x in range(width):
            here[x] = np.int32(picture[y, x, 0]) + np.int32(picture[y, x, 1]) + np.int32(picture[y, x, 2])
        for x in range(width - 1):
            across += abs(here[x + 1] - here[x])
        if y > 0:
            for x in range(width):
                down += abs(here[x] - above[x])
        above, here = here, above
    return down, across
