"""Training of the speech encoder: the projection, the split, changed sound, one real step."""

import numpy as np
import pytest
import torch

from g4g.audio.causal import SpeechConfig, SpeechEncoder, load_speech_encoder
from g4g.errors import DataError
from g4g.training.loop import Plan
from g4g.training.sentences import LANGUAGES, make_sentence, sentence_parts
from g4g.training.speech import SpeechStage, compare_rows, distillation_losses, train_speech
from g4g.training.speech_augment import augment_sound, change_speed, warp_throat
from g4g.training.speech_data import SpeechFolder, split_names
from g4g.training.voices import fit_kokoro

RATE_HZ = 16_000
TINY = SpeechConfig(size=4, width=16, inner=8, dilations=(1, 2, 4), centred_blocks=(0, 1))


@pytest.fixture
def folder(tmp_path):
    """Recordings of tones whose rows tell pitch and loudness, of several sources."""
    recordings, rng = SpeechFolder(tmp_path / "speech"), np.random.default_rng(0)
    for name in ("kokoro_en_af_sky_00000", "espeak_de_de+f1_00001", "s1_bbaf3s", "kokoro_en_af_bella_00002"):
        sound = rng.normal(0, 0.1, 3 * RATE_HZ).astype(np.float32)
        recordings.add(name, sound, rng.normal(size=(150, 4)))
    return recordings


def test_every_language_has_many_sentences_and_a_seed_repeats_them():
    for language in LANGUAGES:
        begins, ends = sentence_parts(language)
        assert min(len(set(begins)), len(set(ends))) >= 20
        assert all(begins + ends)
        first, second = (make_sentence(language, np.random.default_rng(4)) for _ in range(2))
        assert first == second


def test_held_voices_are_never_trained_on():
    names = [
        "espeak_en_en-us+f5_00001",
        "espeak_en_tr+f1_00002",
        "espeak_tr_fr_00003",
        "kokoro_en_am_adam_af_bella_00004",
    ]
    train, held = split_names([*names, "kokoro_en_am_adam_00005", "speech_jfk_public_domain", "s1_bbaf2n"])
    assert train == ["kokoro_en_am_adam_00005"]
    assert len(held) == 6


def test_the_last_fifth_of_an_unknown_speaker_is_held():
    names = [f"s99_{n:02d}" for n in range(10)]
    assert split_names(names) == (names[:8], names[8:])


def test_a_recording_comes_back(folder):
    sound, target = folder.read("s1_bbaf3s")
    assert (len(sound), target.shape) == (3 * RATE_HZ, (150, 4))
    with pytest.raises(DataError, match="nobody"):
        folder.read("nobody")


def test_changes_keep_length_and_do_not_change_the_input():
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    before = sound.copy()
    for seed in range(30):
        changed = augment_sound(sound, sound[:5000], np.random.default_rng(seed))
        assert changed.shape == sound.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
    np.testing.assert_array_equal(sound, before)


def test_changes_keep_an_onset_in_its_place():
    sound = np.zeros(2 * RATE_HZ, np.float32)
    sound[RATE_HZ : RATE_HZ + 800] = np.random.default_rng(1).normal(0, 0.3, 800)
    for seed in range(30):
        loud = np.abs(augment_sound(sound, np.zeros(100, np.float32), np.random.default_rng(seed)))
        energy = np.convolve(loud**2, np.ones(800), "valid")
        assert abs(int(energy.argmax()) - RATE_HZ) < 800


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.2])
def test_speed_moves_sound_and_rows_alike(factor):
    sound = np.zeros(4 * RATE_HZ, np.float32)
    sound[2 * RATE_HZ : 2 * RATE_HZ + 320] = 1
    rows = np.zeros((200, 2), np.float32)
    rows[100] = 1
    faster, moved = change_speed(sound, rows, factor)
    assert np.flatnonzero(faster > 0.5)[0] / 320 == pytest.approx(moved[:, 0].argmax(), abs=1)
    assert abs(len(faster) / 320 - len(moved)) <= 2


def test_a_longer_throat_moves_bands_and_not_times():
    mel = np.full((80, 10), -1, np.float32)
    mel[40, 5] = 1
    moved = {int(warp_throat(mel, np.random.default_rng(seed)).max(1).argmax()) for seed in range(20)}
    assert len(moved) > 3
    for seed in range(20):
        assert (warp_throat(mel, np.random.default_rng(seed))[:, :5] == -1).all()


def test_losses_of_the_truth_are_zero():
    rows = torch.randn(2, 5, 4)
    losses = distillation_losses(rows, rows, torch.ones(4))
    assert all(float(value) == pytest.approx(0, abs=1e-6) for value in losses.values())
    cosines, explained = compare_rows(rows[0].numpy(), rows[0].numpy())
    assert cosines == pytest.approx(np.ones(5), abs=1e-6)
    assert explained == pytest.approx(1)


def test_targets_stand_beside_their_sound(tmp_path):
    """A recording whose rows tell the loudness of the sound at their time: mel and targets must rise together."""
    sound = np.zeros(20 * RATE_HZ, np.float32)
    rows = np.zeros((1000, 4), np.float32)
    rng = np.random.default_rng(0)
    for row in range(0, 1000, 40):
        sound[row * 320 : (row + 20) * 320] = rng.normal(0, 0.2, 6400)
        rows[row : row + 20] = 1
    folder = SpeechFolder(tmp_path)
    folder.add("kokoro_en_af_sky_00000", sound, rows + rng.normal(0, 0.01, rows.shape))
    stage = SpeechStage(SpeechEncoder(TINY), folder)
    config = TINY
    for seed in range(4):
        mel, targets = stage.draw(np.random.default_rng(seed))
        first = 2 + 2 * config.rows_back
        loud = mel.mean(0)[first : first + 2 * len(targets) : 2]
        assert np.corrcoef(loud, targets[:, 0])[0, 1] > 0.8


def test_one_step_trains_saves_and_resumes(folder, tmp_path):
    out = tmp_path / "speech.safetensors"
    plan = Plan(steps=2, device="cpu", log=lambda text: None)
    figures = train_speech(folder.folder, out, plan, config=TINY)
    assert {"synthetic_cosine", "synthetic_changed_r2", "steps"} <= figures.keys()
    assert load_speech_encoder(out).config == TINY
    assert (
        train_speech(folder.folder, out, Plan(steps=3, device="cpu", log=str), config=TINY, resume=True)["steps"] == 3
    )


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="speech_data"):
        SpeechStage(SpeechEncoder(TINY), SpeechFolder(tmp_path))


def test_tones_and_two_letter_affricates_are_rewritten_for_kokoro():
    assert fit_kokoro("tʃˈa5ts.hɑ1(en)rʲ") == "ʧˈaʦʰɑɹj"
