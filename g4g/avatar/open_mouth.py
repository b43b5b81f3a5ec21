"""Mouths that open for a person who never opened one: own teeth above the dark, or the average of many people's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from safetensors.numpy import load_file

from g4g.avatar.library import MouthLibrary
from g4g.avatar.person import Person
from g4g.checkpoints import find_weights
from g4g.faces import inside_triangles, lip_gap, rasterise_mesh, ring_triangles, to_picture, warp_picture
from g4g.faces.canonical import FACE_POINTS, LOWER_INNER_LIP, UPPER_INNER_LIP
from g4g.motion import ShapeSpace

_WIDE = 0.14
"""A person whose lips come so far apart, in distances of the outer eye corners, has shown the inside of the mouth."""
_TEETH = 0.035
"""With lips nearer than this the own teeth were hardly seen."""
_WIDEST, _STEP = 0.24, 0.02
"""Mouths are opened so far, in steps so small that going from one to the next is no jump."""
_OVERLAP = -0.01
"""Closed lips overlap so far in the mean."""
_NO_NEIGHBOUR = 10
"""Numbers of opened pictures lie so far apart: none follows another for nothing."""
_COVERED = 0.02
"""The upper lip of a speaking mouth covers so much of the teeth that a smile shows."""
_BRIGHTNESS, _BRIGHTER, _MOST_BRIGHT, _TINT = 51.0, 0.285, 2.2, 0.2
"""Teeth are 51 * skin ** 0.285 bright, at most 2.2 times the skin, and have its tint to the power of 0.2: fitted to 200
smiling portraits."""
_SHADED = 0.85
"""Teeth of a speaking mouth get less light than those of a smile (our choice)."""
_CAVITY, _TONGUE = np.float32([0.30, 0.16, 0.16]), np.float32([0.56, 0.32, 0.32])
"""Colour of the mouth's depth and of the tongue, over the skin's brightness (our choice)."""
_SKIN_POINTS = (205, 425, 50, 280, 36, 266, 187, 411)
"""On the cheeks."""
_SOFT_PX = 0.8
"""Lips and what is between them run into each other over so many px."""
_RIM, _RIM_SHARE, _RIM_REACH = 0.02, 0.25, 0.08
"""Found edges of lips that are apart are wrong by up to about so much, and such a share of the gap; what is so far from
them need not give way."""
_SLIT = 0.014
"""Where lips are nearer than this, no light falls on what is between them."""
_EDGE = 0.006
"""What a picture shows between its lips ends so far above the lower one, and fades over as much."""

UPPER_EDGE = (78, 191, *UPPER_INNER_LIP, 415, 308)
LOWER_EDGE = (78, 95, *LOWER_INNER_LIP, 324, 308)
"""Inner edges of the lips from corner to corner."""
ACROSS, DEEP = (-1.05, 1.05), (-0.01, 0.14)
"""What the picture of the teeth covers: half widths of the mouth from its middle; distances of the outer eye corners
down from the upper lip's edge."""


@dataclass(frozen=True)
class AverageTeeth:
    """`colour` (h, w, 3) over the teeth's own brightness; `share` (h, w) in [0, 1] is 1 where there are teeth."""

    colour: np.ndarray
    share: np.ndarray


@lru_cache
def load_teeth() -> AverageTeeth:
    """Load the average teeth, of which `weights/README.md` tells how they were made."""
    stored = load_file(find_weights("average-teeth"))
    return AverageTeeth(*(stored[name].astype(np.float32) for name in ("colour", "share")))


def complete_library(person: Person, space: ShapeSpace) -> MouthLibrary:
    """Add pictures of mouths that a person never showed: closed ones, and wide ones.

    What the most alike picture shows below the upper lip stays there, as upper teeth do; the lower lip covers it, or it
    grows dark below. Where lips were never apart, the average teeth are drawn.

    Args:
        person: with a library.
        space: how mouths move.
    Returns:
        The library; new pictures stand first, and bear the time and pose of the one that they were made of.
    Source:
        Our choice: teeth were pulled long or left a line between closed lips; where there were none, a network gave the
        mean of lips and teeth.
    """
    library = person.library
    if not len(library):
        return library
    faces = person.head.lift(person.head.find_rows(library.frames))
    gaps = lip_gap(faces)
    tightest, widest = int(gaps.argmin()), int(gaps.argmax())
    if gaps[widest] < _TEETH:
        turned = np.square(library.degrees - np.median(library.degrees, axis=0)).sum(1)
        tightest = widest = int(turned.argmin())
    closed = np.arange(_OVERLAP, gaps[tightest] - _STEP / 2, _STEP) if gaps[tightest] >= _TEETH else []
    wide = np.arange(max(gaps[widest], 0) + _STEP, _WIDEST, _STEP) if gaps[widest] < _WIDE else []
    whole = library
    for entry, wanted in ((widest, wide), (tightest, closed)):
        if len(wanted):
            moved = _move_lips(person, entry, faces[[entry]], wanted, space)
            before = min(whole.frames[0], 0) - _NO_NEIGHBOUR * np.arange(len(moved), 0, -1)
            whole = replace(moved, frames=before).join(whole)
    return whole


def has_shown_teeth(person: Person) -> bool:
    """Tell whether any picture of a person's video shows teeth; else `complete_library` drew average ones."""
    frames = person.library.frames
    faces = person.head.lift(person.head.find_rows(frames[frames >= 0]))
    return bool((lip_gap(faces) >= _TEETH).any())


def _move_lips(
    person: Person, number: int, face: np.ndarray, gaps: np.ndarray, space: ShapeSpace
) -> MouthLibrary:  # fmt: skip
    """Draw an entry with its lips as far apart as each of `gaps` (N,) says; `face` (1, 468, 3) is its own."""
    entry, head = person.library.take(np.full(len(gaps), number)), person.head
    steps = np.concatenate([space.open_lips(face, gap) for gap in gaps])
    moved = face + space.decode(steps)
    moved[gaps <= 0] = _close_all(moved[gaps <= 0])
    rows, crops = head.find_rows(entry.frames), []
    meshes, (parted,) = head.draw(rows, moved), head.draw(rows[:1], _part_lips(face[0])[None])
    for mesh, canonical in zip(meshes, moved, strict=True):
        picture = warp_picture(entry.crops[0], parted, mesh)
        crops.append(_draw_inside(picture, mesh, canonical, entry, face[0]))
    return replace(entry, shapes=entry.shapes + steps, crops=np.stack(crops), meshes=meshes)


def place_in_mouth(canonical: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell where canonical coordinates x and y lie in the mouth of a canonical face (468, 3).

    Returns:
        Half widths of the mouth from its middle; how far below the upper lip's edge; how far above the lower lip's.
    """
    upper, lower = canonical[list(UPPER_EDGE)], canonical[list(LOWER_EDGE)]
    left, right = upper[0, 0], upper[-1, 0]
    below = y - np.interp(x, upper[:, 0], upper[:, 1])
    above = np.interp(x, lower[:, 0], lower[:, 1]) - y
    return (2 * x - left - right) / (right - left), below, above


def measure_skin(crop: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Measure the median colour of the cheeks, (3,) float32, in a crop (s, s, 3); mesh in px of a crop of 128 px."""
    x, y = to_picture(mesh[list(_SKIN_POINTS), :2], len(crop)).round().astype(int).clip(0, len(crop) - 1).T
    return np.maximum(np.median(crop[y, x].astype(np.float32), axis=0), 1)


def _close_all(faces: np.ndarray) -> np.ndarray:
    """Let every pair of facing points of the inner lips meet in faces (N, 468, 3)."""
    upper, lower = (np.array(edge[1:-1]) for edge in (UPPER_EDGE, LOWER_EDGE))
    apart = np.maximum(faces[:, lower, 1] - faces[:, upper, 1], 0)
    faces = faces.copy()
    faces[:, upper, 1] += apart / 2
    faces[:, lower, 1] -= apart / 2
    return faces


def _part_lips(face: np.ndarray) -> np.ndarray:
    """Move the inner edges of lips apart in a canonical face (468, 3), and what is near them less and less."""
    across, below, above = place_in_mouth(face, face[:, 0], face[:, 1])
    near = np.clip(2 - np.abs(across), 0, 1) * ((below <= 0) | (above <= 0))
    away = np.where(below <= 0, -_ramp(_RIM_REACH + below, _RIM_REACH), _ramp(_RIM_REACH + above, _RIM_REACH))
    rim = min(_RIM, _RIM_SHARE * float(lip_gap(face)))
    return face + rim * (near * away)[:, None] * [0, 1, 0]


def _draw_inside(
    picture: np.ndarray, mesh: np.ndarray, canonical: np.ndarray, entry: MouthLibrary, face: np.ndarray
) -> np.ndarray:
    """Draw teeth, tongue and the dark between the lips of an opened mouth.

    Args:
        picture: (s, s, 3) uint8, the entry's, its lips opened.
        mesh: (504, 2) px of a crop of 128 px; canonical: the same face, (468, 3).
        entry: a library whose first picture is opened; face: as it was there, canonical.
    """
    places = np.zeros((1, len(mesh), 2))
    places[0, :FACE_POINTS] = canonical[:, :2]
    places, owner = rasterise_mesh(to_picture(mesh, len(picture)), places, ring_triangles(), picture.shape[:2])
    across, below, above = place_in_mouth(canonical, places[0, ..., 0], places[0, ..., 1])
    skin = measure_skin(entry.crops[0], entry.meshes[0])
    if lip_gap(face) < _TEETH:
        front, share = _draw_average(across, below, skin)
    else:
        front, share = _draw_own(across, below, entry, face)
    share = share * _ramp(below + above - _SLIT, _SLIT)
    depth = _ramp(0.05 - above, 0.05) * _ramp(below + above - 0.06, 0.06) * np.clip(1 - 1.4 * across**2, 0, 1)
    behind = skin.mean() * (_CAVITY + (_TONGUE - _CAVITY) * depth[..., None]) * _shade(across, below)
    inside = behind + (front - behind) * share[..., None]
    between = np.isin(owner, np.flatnonzero(inside_triangles())).astype(np.float32)
    between = cv2.GaussianBlur(between, (0, 0), _SOFT_PX)[..., None]
    return (picture + (inside - picture) * between).clip(0, 255).round().astype(np.uint8)


def _draw_average(across: np.ndarray, below: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw the average teeth in a light that suits the skin: colour (h, w, 3) and share (h, w)."""
    teeth, grid = load_teeth(), []
    ends = zip((across, below + _COVERED), (ACROSS, DEEP), reversed(teeth.share.shape), strict=True)
    for value, (first, last), count in ends:
        grid.append(((value - first) / (last - first) * (count - 1)).astype(np.float32))
    colour = cv2.remap(teeth.colour, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.remap(teeth.share, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    bright = skin.mean()
    white = min(_BRIGHTNESS * bright**_BRIGHTER, _MOST_BRIGHT * bright) * (skin / bright) ** _TINT
    return colour * white * _SHADED * _shade(across, below), share


def _draw_own(
    across: np.ndarray, below: np.ndarray, entry: MouthLibrary, face: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what an entry shows below its upper lip: colour (h, w, 3) and share (h, w)."""
    crop = entry.crops[0]
    upper, lower = face[list(UPPER_EDGE)], face[list(LOWER_EDGE)]
    x = (upper[0, 0] + upper[-1, 0] + across * (upper[-1, 0] - upper[0, 0])) / 2
    shown = np.interp(x, lower[:, 0], lower[:, 1]) - np.interp(x, upper[:, 0], upper[:, 1])
    # The edge of the lip in the picture, and from there down the face.
    edge = to_picture(entry.meshes[0][list(UPPER_EDGE)], len(crop))
    middle = to_picture(entry.meshes[0][[UPPER_EDGE[4], LOWER_EDGE[4]]], len(crop))
    down = (middle[1] - middle[0]) / (lower[4, 1] - upper[4, 1])
    grid = [(np.interp(x, upper[:, 0], edge[:, axis]) + below * down[axis]).astype(np.float32) for axis in (0, 1)]
    colour = cv2.remap(crop.astype(np.float32), *grid, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return colour, _ramp(shown - _EDGE - below, _EDGE)


def _shade(across: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Tell how much light there is below the upper lip and towards the corners, (h, w, 1) (our choice)."""
    return ((0.45 + 0.55 * _ramp(below, 0.03)) * np.clip(1.15 - 0.55 * across**2, 0, 1))[..., None]


def _ramp(value: np.ndarray, length: float) -> np.ndarray:
    return np.clip(value / length, 0, 1)
