"""Lips scored at known sounds, on planted mouths: right, late, still, opposite and random ones."""

import json

import numpy as np
import pytest

from g4g.config import SCORE_FPS
from g4g.errors import DataError, ShapeError
from g4g.faces.landmarks import MESH_TO_68
from g4g.metrics import MouthTrace, Phoneme, measure_mouth, read_phonemes, score_phonemes, write_phonemes
from g4g.metrics.phoneme_score import rank_auc

SYMBOLS = ["p", "a", "t", "u", "b", "ɑː", "f", "i", "m", "aɪ", "v", "ɔ̃", "pʰ", "ɐ", "l", "e", "bʲ", "æ", "w", "ɪ"]


def draw_phonemes(seconds: float = 12.0, seed: int = 0) -> list[Phoneme]:
    """Sounds of random lengths in random order, from 0.3 s on."""
    random = np.random.default_rng(seed)
    phonemes, start_s = [], 0.3
    while start_s < seconds - 0.5:
        stop_s = start_s + random.uniform(0.08, 0.18)
        phonemes.append(Phoneme(str(random.choice(SYMBOLS)), start_s, stop_s))
        start_s = stop_s
    return phonemes


def draw_mouth(phonemes: list[Phoneme], fps: float = 25.0, late_s: float = 0.0, seconds: float = 12.0) -> MouthTrace:
    """A mouth that does what each sound asks for, `late_s` after it."""
    times = np.arange(round(seconds * fps)) / fps
    gap, width, lower = np.full(len(times), 0.02), np.full(len(times), 0.6), np.full(len(times), 0.3)
    for phoneme in phonemes:
        now = (times - late_s >= phoneme.start_s) & (times - late_s < phoneme.stop_s)
        gap[now] = 0.0 if phoneme.is_closure else 0.3 if phoneme.is_open_vowel else 0.1
        width[now] = 0.5 if phoneme.is_rounded else 0.6
        lower[now] = 0.2 if phoneme.is_labiodental else 0.3 + gap[now]
    return MouthTrace(times, gap, width, lower)


def test_classes_of_sounds():
    lips = {symbol: Phoneme(symbol, 0, 1) for symbol in [*SYMBOLS, "pf", "β", "ʋ", "aʊ", "ã", "ũ", "ɒ", "əl", "ʃ"]}
    assert {s for s, p in lips.items() if p.is_closure} == {"p", "b", "m", "pʰ", "bʲ", "pf"}
    assert {s for s, p in lips.items() if p.is_labiodental} == {"f", "v", "ʋ"}
    assert {s for s, p in lips.items() if p.is_open_vowel} == {"a", "ɑː", "aɪ", "ɐ", "æ", "aʊ", "ã"}
    assert {s for s, p in lips.items() if p.is_rounded} == {"u", "ɔ̃", "w", "ũ"}
    assert {s for s, p in lips.items() if p.is_rounded is None} >= {"p", "t", "aʊ", "ɒ", "ʃ"}
    assert lips["əl"].is_rounded is False and lips["əl"].is_vowel and not lips["w"].is_vowel


@pytest.mark.parametrize("fps", [25.0, 29.97, 50.0])
def test_a_mouth_that_follows_the_sounds_is_perfect(fps):
    phonemes = draw_phonemes()
    score = score_phonemes(phonemes, draw_mouth(phonemes, fps))
    assert score.closed_share == score.closure_auc == score.rounding_auc == 1
    assert score.middle_auc > 0.99 and score.labiodental_auc > 0.95 and abs(score.lag_frames) <= 1
    assert score.closed_chance < 0.9 and score.closure_auc_chance < 0.9
    assert score.closures == sum(p.is_closure for p in phonemes) and score.rounded > 5 and score.unrounded > 5


@pytest.mark.parametrize("late_frames", [-5, -2, 2, 4, 6])
def test_a_shift_is_found(late_frames):
    phonemes = draw_phonemes()
    mouth = draw_mouth(phonemes, late_s=late_frames / SCORE_FPS)
    score = score_phonemes(phonemes, mouth)
    in_time = score_phonemes(phonemes, draw_mouth(phonemes))
    # Frames show what was true at their beginning: half a frame more or less is not seen.
    assert abs(score.lag_frames - in_time.lag_frames - late_frames) <= (late_frames in (-5, 6))
    assert score.middle_auc < in_time.middle_auc - 0.1
    assert abs(late_frames) < 4 or (score.closure_auc < 0.95 and score.closed_share < 0.9)


def test_a_still_mouth_tells_nothing():
    times = np.arange(300) / 25
    phonemes = draw_phonemes()
    ajar, shut = (score_phonemes(phonemes, MouthTrace(times, *np.full((3, 300), gap))) for gap in (0.1, 0.01))
    for score in (ajar, shut):
        assert score.closure_auc == score.closure_auc_chance == score.middle_auc == 0.5
        assert score.labiodental_auc == score.rounding_auc == 0.5
        assert score.lag_frames is None and score.lag_correlation is None
    assert ajar.closed_share == 0 and ajar.open_gap == pytest.approx(0.1)
    assert shut.closed_share == shut.closed_chance == 1, "lips that never part are closed by chance"


def test_a_mouth_that_does_the_opposite_and_one_at_random():
    phonemes = draw_phonemes()
    mouth = draw_mouth(phonemes)
    opposite = score_phonemes(phonemes, MouthTrace(mouth.times_s, 0.3 - mouth.gap, -mouth.width, -mouth.lower_lip))
    assert opposite.middle_auc < 0.02 and opposite.closed_share < score_phonemes(phonemes, mouth).closed_share - 0.3
    assert opposite.labiodental_auc < 0.05 and opposite.rounding_auc < 0.02
    noise = np.random.default_rng(1).uniform(0, 0.3, (20, 3, 300))
    scores = [score_phonemes(phonemes, MouthTrace(mouth.times_s, *values)) for values in noise]
    for name in ("middle_auc", "labiodental_auc", "rounding_auc"):
        assert np.mean([getattr(score, name) for score in scores]) == pytest.approx(0.5, abs=0.05), name
    shares, chances = ([getattr(s, name) for s in scores] for name in ("closed_share", "closed_chance"))
    assert np.mean(shares) == pytest.approx(np.mean(chances), abs=0.05)


def test_too_few_sounds_and_lost_frames_have_no_figure():
    phonemes = draw_phonemes()
    mouth = draw_mouth(phonemes)
    few = score_phonemes([p for p in phonemes if p.is_open_vowel][:2], mouth)
    assert few.closed_share is few.closure_auc is few.labiodental_auc is few.rounding_auc is few.lag_frames is None
    assert (few.closures, few.open_vowels) == (0, 2)
    lost = mouth.times_s > 6
    half = MouthTrace(mouth.times_s, *(np.where(lost, np.nan, v) for v in (mouth.gap, mouth.width, mouth.lower_lip)))
    gone = MouthTrace(*(v[~lost] for v in (mouth.times_s, mouth.gap, mouth.width, mouth.lower_lip)))
    for part in (half, gone):
        score = score_phonemes(phonemes, part)
        assert score.closed_share == 1 and 0.3 < score.closures / sum(p.is_closure for p in phonemes) < 0.7
        assert score.rounding_auc == 1 and score.lag_frames == score_phonemes(phonemes, mouth).lag_frames


def test_ranks():
    random = np.random.default_rng(0)
    low, high = random.integers(0, 9, 20), random.integers(3, 12, 15)
    counted = sum((a < b) + 0.5 * (a == b) for a in low for b in high) / 300
    assert rank_auc(low, high) == pytest.approx(counted)
    assert rank_auc(low[:2], high) is None and rank_auc(low, low) == pytest.approx(0.5)


def test_lengths_of_a_drawn_mouth_do_not_depend_on_place_size_and_tilt():
    face = np.zeros((68, 2))
    face[36], face[45], face[33] = (0, 0), (100, 0), (50, 50)
    face[[61, 62, 63]], face[[67, 66, 65]] = [(45, 70), (50, 70), (55, 70)], [(45, 76), (50, 82), (55, 76)]
    face[48], face[54] = (25, 74), (75, 74)
    angle = np.radians(20)
    turned = 3 * face @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + [400, 300]
    mouth = measure_mouth(np.stack([face, turned, np.full((68, 2), np.nan)]), np.arange(3) / 25)
    for row in (0, 1):
        measured = mouth.gap[row], mouth.width[row], mouth.lower_lip[row]
        assert measured == pytest.approx((0.08, 0.5, 0.32))
    assert np.isnan([mouth.gap[2], mouth.width[2], mouth.lower_lip[2]]).all()
    mesh = np.full((1, 478, 3), 7.0)
    mesh[:, MESH_TO_68, :2] = face
    assert measure_mouth(mesh, np.zeros(1)).lower_lip[0] == pytest.approx(0.32)
    with pytest.raises(ShapeError, match="expected landmarks"):
        measure_mouth(face[None], np.arange(2))


def test_phonemes_are_written_and_read(tmp_path):
    file = tmp_path / "talk.json"
    write_phonemes(file, draw_phonemes())
    assert read_phonemes(file) == draw_phonemes()
    with pytest.raises(DataError, match="does not exist"):
        read_phonemes(tmp_path / "none.json")
    for content in ("[1, 2]", "{", json.dumps({"phonemes": [{"symbol": "p"}]})):
        file.write_text(content)
        with pytest.raises(DataError, match="holds no phonemes"):
            read_phonemes(file)
