"""Which frames teach closures: cores of known sounds, quick real closures; neither rest nor what lies between."""

import numpy as np

from g4g.metrics.phonemes import Phoneme
from g4g.training.closures import label_gaps, label_sounds


def test_quick_closures_count_and_rest_hardly():
    gaps = np.full(60, 0.1)
    gaps[:5] = gaps[30:50] = 0.01
    gaps[10:13] = 0.02
    gaps[13] = 0.04
    shut, counts = label_gaps(gaps)
    assert shut[10:13].all() and (counts[10:13] == 1).all() and not shut[13] and counts[13] == 0, "ajar teaches nothing"
    assert shut[:5].all() and (counts[:5] < 0.2).all() and (counts[30:50] < 0.2).all(), "a clip's ends and rest"
    assert (counts[14:30] == 1).all() and not shut[14:30].any()


def test_a_known_sound_is_closed_in_its_core():
    sounds = [Phoneme("a", 0.0, 0.4), Phoneme("m", 0.4, 0.6), Phoneme("a", 0.6, 1.0)]
    shut, counts = label_sounds(sounds, 50)
    assert shut[23:26].all() and (counts[23:26] == 1).all()
    assert not shut[20] and counts[20] == counts[17] == counts[30] == 0, "its ends may be open already, or closed still"
    assert counts[:17].all() and counts[33:].all() and not shut[33:].any()


def test_the_core_of_a_closure_counts_beside_another():
    shut, counts = label_sounds([Phoneme("m", 0.2, 0.3), Phoneme("b", 0.3, 0.4)], 30)
    assert shut[12] and counts[12] == 1 and shut[17] and counts[17] == 1
