"""Our mel bands against librosa's."""

import librosa
import numpy as np
import pytest

from g4g.audio.mel_bands import mel_bands


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "f_min_hz", "f_max_hz"),
    [(16_000, 400, 80, 0.0, 8000.0), (16_000, 800, 80, 55.0, 7600.0), (16_000, 400, 80, 55.0, 7600.0)],
)
def test_bands_are_those_of_librosa_to_the_last_bit(sample_rate, n_fft, n_mels, f_min_hz, f_max_hz):
    wanted = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min_hz, fmax=f_max_hz)
    ours = mel_bands(sample_rate, n_fft, n_mels, f_min_hz, f_max_hz)
    assert ours.dtype == wanted.dtype == np.float32 and np.array_equal(ours, wanted)
