"""Changed sounds keep their time and change what they say; falls are counted, on planted answers."""

import numpy as np
import pytest
import voices
from changes import CHANGES, SAMPLE_RATE, SPEEDS, add_noise, align_sound, change_loudness, mix_babble, shift_formants
from dubs import Job
from voices import Bench, judge_dub, report_falls

from g4g.config import SCORE_FPS
from g4g.dubbing import Dubber
from g4g.media import read_waveform
from g4g.metrics import load_judge
from g4g.zoo import load

SECONDS = 2


@pytest.fixture(scope="module")
def waveform() -> np.ndarray:
    """Syllables of a voice of 120 Hz with one formant at 800 Hz, three in a second."""
    times_s = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    harmonics = np.arange(120, 4000, 120)
    strengths = np.exp(-(((harmonics - 800) / 300) ** 2)) + 0.02
    voice = sum(a * np.sin(2 * np.pi * f * times_s) for a, f in zip(strengths, harmonics, strict=True))
    return (0.02 * voice * np.clip(np.sin(2 * np.pi * 1.5 * times_s), 0, 1)).astype(np.float32)


def loudness(waveform: np.ndarray) -> np.ndarray:
    """Loudness of every hundredth of a second, without its mean."""
    hop = SAMPLE_RATE // 100
    rows = waveform[: len(waveform) // hop * hop].reshape(-1, hop)
    levels = np.sqrt((rows.astype(np.float64) ** 2).mean(1))
    return levels - levels.mean()


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - SPEEDS.keys()))
def test_every_moment_stays_where_it_was(name, waveform):
    others = [np.random.default_rng(i).normal(size=9000) for i in range(3)]
    changed = CHANGES[name](waveform, others, np.random.default_rng(0))
    assert len(changed) == len(waveform) and np.isfinite(changed).all()
    correlation = np.correlate(loudness(changed), loudness(waveform), "full")
    # An echo comes late: a room may move the middle of a syllable by a frame's part.
    assert abs(correlation.argmax() - (len(loudness(waveform)) - 1)) <= (3 if name == "room" else 1)


@pytest.mark.parametrize("name", SPEEDS)
def test_speed_changes_the_length(name, waveform):
    changed = CHANGES[name](waveform, [], np.random.default_rng(0))
    assert len(changed) == pytest.approx(len(waveform) / SPEEDS[name], rel=0.01)


def test_loudness_is_in_decibels_and_is_clipped():
    assert change_loudness(np.array([0.1]), -20)[0] == pytest.approx(0.01)
    assert change_loudness(np.array([0.9]), 10)[0] == 1


def test_formants_move_and_the_pitch_stays(waveform):
    spectra = [np.abs(np.fft.rfft(x)) for x in (waveform, shift_formants(waveform, 1.2))]
    strongest = [SECONDS * 120 * np.arange(1, 30)[np.argmax(s[SECONDS * 120 :: SECONDS * 120][:29])] for s in spectra]
    assert strongest[1] == pytest.approx(1.2 * strongest[0], rel=0.15) and strongest[1] > strongest[0]
    pitches = [np.argmax(s[SECONDS * 100 : SECONDS * 140]) for s in spectra]
    assert abs(pitches[0] - pitches[1]) <= 1


def test_noise_has_the_asked_share_of_the_energy(waveform):
    noisy = add_noise(waveform, np.random.default_rng(0).normal(size=500), 5)
    assert 10 * np.log10((waveform**2).mean() / ((noisy - waveform) ** 2).mean()) == pytest.approx(5, abs=0.01)
    babble = mix_babble([np.ones(5), np.full(7, 9.0)], np.random.default_rng(0), 20)
    np.testing.assert_allclose(babble, 2)


@pytest.mark.parametrize("delay", [-300, 0, 1105])
def test_a_delay_is_measured_and_taken_back(delay, waveform):
    late = waveform[-delay:] if delay < 0 else np.pad(waveform, (delay, 0))
    aligned = align_sound(late, waveform)
    assert len(aligned) == len(waveform)
    np.testing.assert_allclose(aligned[400:-400], waveform[400:-400])


def test_falls_are_counted_against_clean_sound_in_points():
    scores = {"clean": [(0, 0.4), (1, 0.4), (-1, 0.2), (2, 0.2)], "room": [(0, 0.3), (5, 0.3), (9, 0.0), (1, 0.3)]}
    figures = {figure.name: figure for figure in report_falls(scores, "s1")}
    assert figures["clean: within 1 frame"].value == 0.75 and figures["room: within 1 frame"].value == 0.5
    fall = figures["room: fall of that, points"]
    assert fall.value == pytest.approx(25) and fall.reached is False
    assert figures["room: LSE-C over clean sound's"].value == pytest.approx(0.75)
    assert not any(name.startswith("clean: fall") for name in figures)


def test_the_judge_hears_how_late_a_sound_is(real_clip):
    job, waveform = Job(real_clip, real_clip.source, real_clip.source), np.array(read_waveform(real_clip.source))
    judge, late = load_judge(), np.pad(waveform, (int(5 * SAMPLE_RATE / SCORE_FPS), 0))
    offsets = [judge_dub(judge, job, sound).offset_frames for sound in (waveform, late)]
    assert abs(offsets[0]) <= 1 and abs(offsets[1] - offsets[0] + 5) <= 1
    assert np.isfinite(judge_dub(judge, job, waveform[: len(waveform) // 2]).lse_c), "a sound may end before its video"


def test_a_clip_is_dubbed_with_changed_sound_by_the_tiny_networks(real_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(voices, "CHANGES", {name: CHANGES[name] for name in ("clean", "faster by a quarter")})
    bench = Bench(Dubber(load("g4g-tiny")), load_judge(), tmp_path, [])
    figures = bench.measure("s1", [(real_clip, real_clip)])
    assert len(figures) == 4 + len(SPEEDS) and all(np.isfinite(figure.value) for figure in figures) and not bench.failed
    assert len([*tmp_path.glob("*.png")]) == 2
