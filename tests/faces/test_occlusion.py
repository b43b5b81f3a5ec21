"""What lies before a mouth is told by colours that are planted here."""

import numpy as np
import pytest

from g4g.faces import follow_faces
from g4g.faces.occlusion import find_occluded, sample_places

COUNT = 120


@pytest.fixture
def face(rng):
    """Colours of a face that is lit by a lamp that changes, with noise, and its landmarks."""
    usual = rng.uniform(90, 180, (54, 3))
    light = np.linspace(0.6, 1.2, COUNT)[:, None, None]
    colours = usual * light * rng.normal(1, 0.01, (COUNT, 54, 3))
    landmarks = np.tile(rng.uniform(20, 80, (68, 2)), (COUNT, 1, 1)).astype(np.float32)
    return colours.round().astype(np.uint8), landmarks


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_changing_light_covers_nothing(face):
    assert not find_occluded(*face).any()


@pytest.mark.parametrize("first_place", [0, 22])
def test_a_stretch_of_other_colours_is_found_with_two_frames_around_it(face, first_place):
    colours, landmarks = face
    colours[40:55, first_place:44] = 100
    assert np.flatnonzero(find_occluded(colours, landmarks)).tolist() == list(range(38, 57))


def test_two_frames_or_half_of_all_are_no_cover(face):
    colours, landmarks = face
    for stretch in (slice(40, 42), slice(40, 100)):
        other = colours.copy()
        other[stretch, :44] = 100
        assert not find_occluded(other, landmarks).any()


def test_a_few_frames_tell_nothing(face):
    colours, landmarks = face
    colours[:3, :44] = 100
    assert not find_occluded(colours[:7], landmarks[:7]).any()
    assert find_occluded(colours[:0], landmarks[:0]).shape == (0,)


def test_a_long_scene_is_judged_by_the_minute(face):
    colours, landmarks = (np.tile(values, (20, 1, 1)) for values in face)
    colours[1200:] = np.clip(colours[1200:].astype(int) + np.arange(54)[:, None] % 40, 0, 255)
    colours[2000:2020, :44] = 100
    assert np.flatnonzero(find_occluded(colours, landmarks)).tolist() == list(range(1998, 2022))


def test_places_follow_the_face_and_stay_inside_the_frame(rng):
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(80), np.arange(60)[:, None]
    landmarks = rng.uniform(20, 40, (68, 2)).astype(np.float32)
    here, there = sample_places(frame, landmarks), sample_places(frame, landmarks + [10, 5])
    assert np.abs(there.astype(int) - here - [10, 5, 0]).max() <= 1
    assert sample_places(frame, landmarks + 1000)[:, :2].tolist() == [[79, 59]] * 54


def test_no_face_is_never_covered():
    class Blind:
        def detect(self, frame, thorough, known):
            return []

    class Frame:
        time_s, frame = 0.0, np.zeros((8, 8, 3), np.uint8)

    assert follow_faces([Frame], Blind()).covered.shape == (0,)
