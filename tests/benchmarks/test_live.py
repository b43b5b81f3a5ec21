"""The benchmark of streams finds planted delays, and measures a real stream for some seconds."""

import numpy as np
import pytest
from live import describe, draw_histogram, find_lag, measure_stream

import g4g


def test_the_lag_of_a_sound_is_found_to_the_sample_and_a_changed_sound_is_refused():
    rng = np.random.default_rng(0)
    sound = rng.integers(-9_000, 9_000, 16_000).astype(np.int16)
    joined = np.concatenate([np.zeros(1_234, np.int16), sound, np.zeros(5_000, np.int16)])
    assert find_lag(joined, sound) == 1_234
    broken = joined.copy()
    broken[1_234:3_000] = 0
    assert find_lag(broken, sound) == 1_234
    with pytest.raises(SystemExit, match="not the one that went in"):
        find_lag(joined[::-1].copy(), sound)


def test_a_real_stream_is_measured(portrait_file, tmp_path):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny-live", engine="torch")
    dubber.make_avatar(portrait_file, tmp_path / "ann.avatar")
    sound = np.random.default_rng(0).integers(-9_000, 9_000, 16_000).astype(np.int16)
    figures = measure_stream(dubber, tmp_path / "ann.avatar", sound, 2.5, 320)
    assert len(figures.delays_s) + figures.skipped > 50 and figures.apart_s == pytest.approx(0, abs=1e-6)
    assert 0.2 < np.median(figures.delays_s) < 0.6
    assert {name for name, *_ in describe(figures)} >= {"delay, median", "frames skipped"}
    assert draw_histogram(np.array([0.31, 0.32, 0.33])).splitlines()[0].split() == ["300", "ms", "1", "#" * 30]
