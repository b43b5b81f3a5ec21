"""The projection behind the teacher: it drops what depends on a sound's place and keeps what depends on the sound."""

import numpy as np
import pytest

from g4g.errors import DataError
from g4g.training.projection import (
    encode_in_many_places,
    fit_projection,
    load_projection,
    measure_agreement,
    save_projection,
)


@pytest.fixture
def versions():
    """Rows of 20 values: five tell the sound, three the place (loudly), the rest is noise."""
    rng = np.random.default_rng(0)
    sound, place, noise = rng.normal(size=(1, 800, 5)), rng.normal(size=(4, 800, 3)) * 10, rng.normal(size=(4, 800, 20))
    return sound @ rng.normal(size=(5, 20)) + place @ rng.normal(size=(3, 20)) + 0.1 * noise + 5


def test_the_place_goes_and_the_sound_stays(versions):
    projection, agreement = fit_projection(versions, 5)
    assert agreement > 0.9
    assert np.linalg.norm(projection(versions[0]), axis=1).mean() == pytest.approx(5**0.5, rel=1e-3)
    # All of the sound is still there: it can be told from the projected rows.
    first, second = projection(versions[0]), projection(versions[1])
    told = first @ np.linalg.lstsq(first, versions.mean(0) - versions.mean((0, 1)), rcond=None)[0]
    assert told.std() > 1
    assert measure_agreement(projection, np.stack([versions[0], versions[0]])) == pytest.approx(1)
    assert np.corrcoef(first[:, 0], second[:, 0])[0, 1] > 0.95


def test_a_projection_comes_back(versions, tmp_path):
    projection, _ = fit_projection(versions, 4)
    save_projection(tmp_path / "projection.npz", projection)
    np.testing.assert_array_equal(load_projection(tmp_path / "projection.npz")(versions[0]), projection(versions[0]))
    with pytest.raises(DataError, match="projection"):
        load_projection(tmp_path / "other.npz")


class PlaceTeller:
    """An encoder whose rows hold the sound's level and the row's number."""

    def encode(self, waveform):
        rows = -(-len(waveform) // 320)
        padded = np.pad(waveform, (0, rows * 320 - len(waveform))).reshape(rows, 320)
        return np.stack([padded.mean(1), np.arange(rows)], 1)


def test_versions_are_the_same_sound_elsewhere():
    sounds = [np.full(16_000, level, np.float32) for level in (0.1, 0.2, 0.3)]
    versions = encode_in_many_places(PlaceTeller(), sounds)
    assert versions.shape == (4, 150, 2)
    np.testing.assert_allclose(versions[:, :, 0], np.tile(np.repeat([0.1, 0.2, 0.3], 50), (4, 1)), atol=1e-6)
    assert (versions[0, :, 1] == np.tile(np.arange(50), 3)).all()
    assert (versions[1:, :, 1] > versions[0, :, 1]).all()
