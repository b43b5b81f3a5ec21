"""The average teeth of many portraits, for people who never showed theirs; nobody's own can be told from them

python -m g4g.training.average_teeth DATA -o average_teeth.safetensors

DATA is a folder of `g4g prepare` with stills. Each picture's teeth are laid over each other by a small shift and
stretch, found in turn with their mean (congealing, Learned-Miller 2006); the mean is then made symmetrical.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import cv2
import numpy as np
from safetensors.numpy import save_file

from g4g.avatar.open_mouth import ACROSS, DEEP, UPPER_EDGE, AverageTeeth, measure_skin, place_in_mouth
from g4g.errors import DataError
from g4g.faces import to_picture
from g4g.training.data import Shot, load_split

_SIZE = (48, 128)
"""Height and width of the picture of the teeth."""
_LEAST_GAP = 0.085
"""Lips are at least so far apart, in distances of the outer eye corners."""
_EDGE = 0.004
"""So near to the lips nothing is taken."""
_BRIGHT, _MOST_SATURATION = 1.0, 0.3
"""Teeth are brighter than the skin and have less colour than so much, medians of the middle of the mouth."""
_MIDDLE = slice(39, 89)
_ROUNDS, _COARSE_PX = 6, 6.0
_SHIFTS_X, _SHIFTS_Y, _STRETCHES = range(-8, 9), range(-4, 5), np.arange(-0.3, 0.31, 0.1)
"""What is tried for each picture: px across and down, and log of the stretch across."""
_WEIGHT = np.array([0.0005, 0.001, 0.02])
"""What a px across, a px down and a unit of the stretch cost, in correlation."""
_LEAST_PICTURES = 20
_DEPTH = (0.075, 0.095)
"""Teeth end between these depths, in distances of the outer eye corners."""


@dataclass(frozen=True)
class Mouths:
    """Insides of N mouths, all in the mouth's own coordinates: `pictures` (N, h, w, 3) over the teeth's brightness,
    `masks` (N, h, w): 1 between the lips."""

    pictures: np.ndarray
    masks: np.ndarray


def gather_mouths(stills: list[Shot]) -> Mouths:
    """Cut the inside of the mouth out of each still that shows teeth."""
    pictures, masks = [], []
    for still in stills:
        if still.lip_gap[0] < _LEAST_GAP:
            continue
        picture, mask, skin = _unfold_mouth(still)
        middle = picture[:, _MIDDLE][mask[:, _MIDDLE]]
        brightness = float(np.median(middle.mean(-1)))
        saturation = float(np.median(1 - middle.min(-1) / np.maximum(middle.max(-1), 1)))
        if brightness > _BRIGHT * skin and saturation < _MOST_SATURATION:
            pictures.append(picture / brightness)
            masks.append(mask)
    if len(pictures) < _LEAST_PICTURES:
        raise DataError(f"{len(pictures)} stills show teeth, at least {_LEAST_PICTURES} are needed")
    return Mouths(np.stack(pictures).astype(np.float32), np.stack(masks).astype(np.float32))


def average_teeth(mouths: Mouths) -> AverageTeeth:
    """Lay teeth over each other and take their mean."""
    grey = mouths.pictures.mean(-1)
    fine = np.stack([picture - cv2.GaussianBlur(picture, (0, 0), _COARSE_PX) for picture in grey]) * mouths.masks
    mean = _mirror(fine.sum(0) / (mouths.masks.sum(0) + 1))
    tries = [np.array(t) for t in np.stack(np.meshgrid(_SHIFTS_X, _SHIFTS_Y, _STRETCHES), -1).reshape(-1, 3)]
    for _ in range(_ROUNDS):
        moves = [max(tries, key=lambda move: _correlate(_move(one, move), mean) - _WEIGHT @ abs(move)) for one in fine]
        weight = sum(map(_move, mouths.masks, moves)) + 1
        mean = _mirror(sum(map(_move, fine, moves)) / weight)
    pictures = mouths.pictures * mouths.masks[..., None]
    colour = _mirror(sum(map(_move, pictures, moves)) / weight[..., None])
    return AverageTeeth(colour, _find_teeth(colour))


def _unfold_mouth(still: Shot) -> tuple[np.ndarray, np.ndarray, float]:
    """Lay a still's mouth into its own coordinates: picture (h, w, 3), what lies between the lips (h, w), skin."""
    face, crop = still.canonical[0], np.asarray(still.crops[0])
    upper = face[list(UPPER_EDGE)]
    across, down = np.meshgrid(np.linspace(*ACROSS, _SIZE[1]), np.linspace(*DEEP, _SIZE[0]))
    x = upper[[0, -1], 0].mean() + across * np.ptp(upper[[0, -1], 0]) / 2
    y, z = (np.interp(x, upper[:, 0], upper[:, axis]) for axis in (1, 2))
    places = still.pose.project(np.stack([x, y + down, z], -1).reshape(1, -1, 3))[0, :, :2]
    places = to_picture(places, len(crop)).reshape(*_SIZE, 2).astype(np.float32)
    picture = cv2.remap(crop, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    _, below, above = place_in_mouth(face, x, y + down)
    inside = (below > _EDGE / 2) & (above > _EDGE)
    return picture.astype(np.float32), inside, float(measure_skin(crop, still.mesh[0]).mean())


def _move(picture: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Shift a picture (h, w, ...) and stretch it across."""
    middle, stretch = picture.shape[1] / 2, np.exp(move[2])
    matrix = np.array([[stretch, 0, middle * (1 - stretch) + move[0]], [0, 1, move[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum() + 1e-6))


def _mirror(picture: np.ndarray) -> np.ndarray:
    return (picture + picture[:, ::-1]) / 2


def _find_teeth(colour: np.ndarray) -> np.ndarray:
    """Tell where a mean shows teeth, (h, w): bright, nearly white, and not too deep."""
    white = colour.min(-1) / np.maximum(colour.max(-1), 1e-3)
    depth = np.linspace(*DEEP, _SIZE[0])[:, None]
    shares = (colour.mean(-1) - 0.62) / 0.2, (white - 0.7) / 0.12, (_DEPTH[1] - depth) / (_DEPTH[1] - _DEPTH[0])
    return np.prod([share.clip(0, 1) * np.ones(_SIZE) for share in shares], axis=0)


def main() -> None:
    """Parse, average and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder of `g4g prepare` with stills")
    parser.add_argument("-o", "--out", required=True)
    options = parser.parse_args()
    shots, _ = load_split(options.data)
    mouths = gather_mouths([shot for shot in shots if shot.kind == "still"])
    teeth = average_teeth(mouths)
    save_file({name: array.astype(np.float16) for name, array in vars(teeth).items()}, options.out)
    print(f"{options.out}: the mean of {len(mouths.pictures)} mouths")


if __name__ == "__main__":
    main()
