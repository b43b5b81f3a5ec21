"""Training of the speech encoder: the teacher, the projection, the split, changed sound, one real step."""

import struct

import numpy as np
import pytest
import torch

from g4g.audio import SpeechConfig, SpeechEncoder, load_speech_encoder
from g4g.errors import DataError, ShapeError
from g4g.training.loop import Plan
from g4g.training.projection import fit_projection, load_projection, save_projection
from g4g.training.sentences import LANGUAGES, make_sentence, sentence_parts
from g4g.training.speech import SpeechStage, compare_rows, distillation_losses, train_speech
from g4g.training.speech_augment import augment_sound, change_speed, warp_throat
from g4g.training.speech_data import SpeechFolder, split_names
from g4g.training.voices import fit_kokoro
from g4g.training.whisper import WhisperTeacher, read_ctranslate2, whisper_log_mel

RATE_HZ, WIDTH = 16_000, 16
TINY = SpeechConfig(size=4, width=16, inner=8, dilations=(1, 2, 4), centred_blocks=(0, 1))


def write_ctranslate2(path, arrays):
    """Write a model.bin of version 6 with float32 variables."""
    text = lambda word: struct.pack("<H", len(word) + 1) + word.encode() + b"\0"  # noqa: E731
    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        parts += [text(name), struct.pack("<B", array.ndim), struct.pack(f"<{array.ndim}I", *array.shape)]
        parts += [struct.pack("<BI", 0, array.nbytes), array.astype(np.float32).tobytes()]
    path.write_bytes(b"".join([*parts, struct.pack("<I", 0)]))


@pytest.fixture
def tiny_teacher(tmp_path):
    """A teacher of one layer with random weights, and its arrays."""
    rng = np.random.default_rng(0)
    shapes = {"conv1/weight": (WIDTH, 80, 3), "conv1/bias": (WIDTH,), "conv2/weight": (WIDTH, WIDTH, 3)}
    shapes |= {"conv2/bias": (WIDTH,), "position_encodings/encodings": (1500, WIDTH)}
    for norm in ("layer_norm", "layer_0/self_attention/layer_norm", "layer_0/ffn/layer_norm"):
        shapes |= {f"{norm}/gamma": (WIDTH,), f"{norm}/beta": (WIDTH,)}
    sizes = {"self_attention/linear_0": (48, 16), "self_attention/linear_1": (16, 16)}
    sizes |= {"ffn/linear_0": (32, 16), "ffn/linear_1": (16, 32)}
    for name, size in sizes.items():
        shapes |= {f"layer_0/{name}/weight": size, f"layer_0/{name}/bias": size[:1]}
    arrays = {f"encoder/{name}": rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    write_ctranslate2(tmp_path / "model.bin", arrays)
    return WhisperTeacher(tmp_path / "model.bin"), arrays, tmp_path / "model.bin"


@pytest.fixture
def folder(tmp_path):
    """Recordings of tones whose rows tell pitch and loudness, of several sources."""
    recordings, rng = SpeechFolder(tmp_path / "speech"), np.random.default_rng(0)
    for name in ("kokoro_en_af_sky_00000", "espeak_de_de+f1_00001", "s1_bbaf3s", "kokoro_en_af_bella_00002"):
        sound = rng.normal(0, 0.1, 3 * RATE_HZ).astype(np.float32)
        recordings.add(name, sound, rng.normal(size=(150, 4)))
    return recordings


def test_variables_come_back_as_written(tiny_teacher):
    _, arrays, path = tiny_teacher
    read = dict(read_ctranslate2(path))
    assert read.keys() == arrays.keys()
    assert all((read[name] == arrays[name]).all() for name in arrays)


def test_the_teacher_agrees_with_torch_s_own_layer(tiny_teacher):
    teacher, arrays, _ = tiny_teacher
    get = lambda name: torch.from_numpy(arrays["encoder/" + name])  # noqa: E731
    layer = torch.nn.TransformerEncoderLayer(WIDTH, 8, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    places = {"self_attn.in_proj": "self_attention/linear_0", "self_attn.out_proj": "self_attention/linear_1"}
    places |= {"linear1": "ffn/linear_0", "linear2": "ffn/linear_1"}
    state = {}
    for own, name in places.items():
        joint = "_" if own.endswith("in_proj") else "."
        state |= {f"{own}{joint}{kind}": get(f"layer_0/{name}/{kind}") for kind in ("weight", "bias")}
    for own, name in (("norm1", "self_attention/layer_norm"), ("norm2", "ffn/layer_norm")):
        state |= {f"{own}.weight": get(f"layer_0/{name}/gamma"), f"{own}.bias": get(f"layer_0/{name}/beta")}
    layer.load_state_dict(state)
    mel = torch.randn(2, 80, 40)
    rows = torch.nn.functional.gelu(torch.nn.functional.conv1d(mel, get("conv1/weight"), get("conv1/bias"), 1, 1))
    rows = torch.nn.functional.gelu(torch.nn.functional.conv1d(rows, get("conv2/weight"), get("conv2/bias"), 2, 1))
    rows = layer.eval()(rows.transpose(1, 2) + get("position_encodings/encodings")[:20])
    wanted = torch.nn.functional.layer_norm(rows, (WIDTH,), get("layer_norm/gamma"), get("layer_norm/beta"))
    torch.testing.assert_close(teacher(mel), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seconds", [1.01, 33.0])
def test_the_teacher_gives_a_row_per_fiftieth_of_a_second(tiny_teacher, seconds):
    sound = np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE_HZ)).astype(np.float32)
    assert tiny_teacher[0].encode(sound).shape == (-(-len(sound) // 320), WIDTH)


def test_whispers_mel_shows_an_onset_at_its_step():
    sound = np.zeros(RATE_HZ, np.float32)
    sound[8000:] = np.random.default_rng(0).normal(0, 0.1, 8000)
    mel = whisper_log_mel(sound, pad_s=1.0)
    assert mel.shape == (80, 200)
    assert abs(int(np.diff(mel.mean(0)).argmax()) - 49) <= 1


def test_whispers_mel_wants_mono():
    with pytest.raises(ShapeError, match="mono"):
        whisper_log_mel(np.zeros((2, 100), np.float32))


def test_other_files_are_no_teacher(tmp_path):
    with pytest.raises(DataError, match=r"model\.bin"):
        WhisperTeacher(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(struct.pack("<I", 5) + bytes(20))
    with pytest.raises(DataError, match="version"):
        WhisperTeacher(tmp_path / "model.bin")


def test_a_projection_keeps_what_varies(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 20)) + 5
    projection, kept = fit_projection(rows, 3)
    assert kept == pytest.approx(1)
    assert np.linalg.norm(projection(rows), axis=1).mean() == pytest.approx(3**0.5, rel=1e-3)
    save_projection(tmp_path / "projection.npz", projection)
    np.testing.assert_array_equal(load_projection(tmp_path / "projection.npz")(rows), projection(rows))
    with pytest.raises(DataError, match="projection"):
        load_projection(tmp_path / "other.npz")


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
