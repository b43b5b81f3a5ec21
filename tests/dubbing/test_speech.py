"""Who speaks, told by lip geometry and the video's own sound; offsets of sources and dubs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from g4g.aligner import Aligner
from g4g.dubbing.offsets import OffsetMeter, describe_offset, tell_source
from g4g.dubbing.people import list_appearances
from g4g.dubbing.speech import measure_fit, needs_sound
from g4g.faces import FaceTrack, FaceTracks, load_canonical
from g4g.media.picture import RgbPicture
from g4g.zoo import load

_LOWER_LIP = (17, 84, 314, 14, 87, 317, 88, 178, 402, 318)
_FRAMES = 100


def _curve(times_s: np.ndarray, seed: int) -> np.ndarray:
    knots = np.random.default_rng(seed).uniform(0, 1, 400)
    return np.interp(times_s * 8, np.arange(400), knots)


def _mesh(opening: np.ndarray, x: float) -> np.ndarray:
    mesh = np.zeros((len(opening), 478, 3), np.float32)
    mesh[:, :468] = load_canonical().points * 60 + [x, 100, 0]
    mesh[:, _LOWER_LIP, 1] += 12 * opening[:, None]
    return mesh


class _Opening(Aligner):
    """Lips and sound are told by one number's course: how far the mouth is open, and the first feature."""

    def __init__(self) -> None:
        super().__init__(replace(load("g4g-tiny").aligner.config, speech=1))
        self.eval()

    def embed_geometry(self, windows):
        # Points off their median, in mouth widths: the lower lip's middle, row 15 of LIPS.
        return _unit(windows[:, :, 15, 1])

    def embed_audio(self, windows):
        return _unit(windows[:, 0:15, 0][:, [0, 1, 3, 5, 7, 9, 11, 13, 14]])


def _unit(rows: torch.Tensor) -> torch.Tensor:
    rows = rows - rows.mean(1, keepdim=True)
    return torch.nn.functional.normalize(rows, dim=1)


def _speech(seed: int, late_frames: int = 0) -> np.ndarray:
    return _curve(np.arange(2 * _FRAMES + 60) / 50 - late_frames / 25, seed)[:, None]


@pytest.fixture(scope="module")
def two_people() -> FaceTracks:
    """Two mouths side by side, that follow the courses 1 and 2."""
    times_s = np.arange(_FRAMES) / 25
    mesh = np.concatenate([_mesh(_curve(times_s, seed), x) for seed, x in ((1, 100), (2, 300))])
    count = 2 * _FRAMES
    return FaceTracks(
        times_s, np.arange(_FRAMES) == 0, np.tile(np.arange(_FRAMES), 2), np.repeat([0, 1], _FRAMES), mesh,
        np.tile(np.eye(2, 3), (count, 1, 1)), np.zeros(count, bool), np.zeros((count, 3)),
    )  # fmt: skip


def test_the_sound_names_the_one_who_speaks(two_people):
    appearances = list_appearances(two_people)
    assert needs_sound(appearances)
    for speaks in (0, 1):
        fits = [a.fit for a in measure_fit(two_people, appearances, _speech(speaks + 1), _Opening())]
        assert fits[speaks] > 2.75 > fits[1 - speaks] + 1


def test_no_sound_tells_nothing(two_people):
    appearances = list_appearances(two_people)
    assert [a.fit for a in measure_fit(two_people, appearances, np.zeros((0, 1)), _Opening())] == [0, 0]
    alone = appearances[:1]
    assert measure_fit(two_people, alone, _speech(1), _Opening()) == alone and not needs_sound(alone)


def test_the_offset_of_a_source_comes_with_its_peak():
    times_s = np.arange(_FRAMES) / 25
    mesh, every = _mesh(_curve(times_s, 1), 100), np.ones(_FRAMES, bool)
    track = FaceTrack(times_s, mesh, every, np.tile(np.eye(2, 3), (_FRAMES, 1, 1)), np.arange(_FRAMES) == 0)
    late = tell_source(_Opening(), track, _speech(1, late_frames=4))
    assert late.frames == pytest.approx(-4, abs=0.3) and late.is_clear
    assert not tell_source(_Opening(), track, _speech(9)).is_clear
    short = replace(track, found=np.arange(_FRAMES) < 60)
    assert tell_source(_Opening(), short, _speech(1)) is None
    assert "0.16 s after its lips" in describe_offset({"source": late.frames})[0]


def test_a_dub_of_blank_pictures_has_no_offset():
    meter = OffsetMeter()
    assert meter.tell_dubbed(_Opening(), _speech(1), 0.0) is None
    picture = RgbPicture(np.zeros((128, 128, 3), np.uint8))
    blank = SimpleNamespace(picture=picture, patches=(), frame_to_crop=np.eye(2, 3))
    for number in range(75):
        meter.add(number / 25, blank)
    assert meter.has_enough
    assert meter.tell_dubbed(_Opening(), _speech(1), 0.0) is None
