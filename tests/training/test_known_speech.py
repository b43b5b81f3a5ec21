"""Known sounds: GRID's codes, mouths carried over to another voice, means of sounds."""

import numpy as np

from g4g.metrics.phonemes import Phoneme
from g4g.training.known_speech import KnownSound, align_shapes, average_sounds, expect_shapes, read_grid_code


def test_grid_names_tell_what_is_said():
    assert read_grid_code("s1_bbaf2n") == "bin blue at F two now"
    assert read_grid_code("s31_swiz3a") == "set white in Z three again"
    assert read_grid_code("cremad_1001_DFA_ANG_XX") is None and read_grid_code("clip_qqqqqq") is None


def _words(times):
    """Features that are one-hot for each of three sounds, lasting `times` rows each."""
    return np.repeat(np.eye(3, dtype=np.float32), times, axis=0)


def test_a_slower_voice_takes_over_the_real_mouth():
    slow, real = _words([20, 30, 10]), _words([10, 10, 10])
    shapes = np.repeat([[0.0], [1.0], [0.5]], 10, axis=0)
    carried = align_shapes(KnownSound(slow, []), real, np.arange(30.0), shapes)
    assert carried.shape == (60, 1)
    np.testing.assert_allclose([carried[10, 0], carried[35, 0], carried[55, 0]], [0, 1, 0.5], atol=0.05)


def test_sounds_have_their_means_and_pauses_rest():
    phonemes = [Phoneme("m", 0.2, 0.4), Phoneme("a", 0.4, 0.8)]
    shapes = np.zeros((60, 1))
    shapes[20:40] = 2.0
    means = average_sounds([(KnownSound(np.zeros((60, 3), np.float32), phonemes), shapes)] * 6)
    assert means["m"][0] == 0 and means["a"][0] == 2 == means["open_vowel"][0]
    expected = expect_shapes(KnownSound(np.zeros((60, 3), np.float32), phonemes), means)
    assert expected[30, 0] > 1.9 and abs(expected[55, 0]) < 0.01 and abs(expected[15, 0]) < 0.2
