"""The recipe for a GPU, rehearsed on the CPU: pack two shots, unpack them, train all networks."""

import json

import numpy as np
import pytest
from pack_data import pack_data, unpack_data
from train_all import SHARES, train_all

from g4g.audio import encode_speech
from g4g.errors import DataError
from g4g.training.data import load_shots
from g4g.training.loop import Plan
from g4g.training.prepare import prepare
from g4g.training.speech_features import add_speech, name_encoder
from g4g.zoo import load, save_models


@pytest.fixture(scope="module")
def prepared(data_dir, in_process, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    with in_process():
        prepare([data_dir / "grid/s1/bbaf3s.mp4", data_dir / "grid/s26/pbbg5p.mpg"], folder, crop_px=144)
    encoder = load("g4g-tiny").speech
    add_speech(load_shots(folder), folder, name_encoder(encoder), lambda waveform: encode_speech(encoder, waveform))
    return folder


def test_what_is_unpacked_is_nearly_what_was_packed(prepared, tmp_path):
    count = pack_data(prepared, tmp_path / "packed.zip")
    features = unpack_data(tmp_path / "packed.zip", tmp_path / "data")
    whole = {shot.name: shot for shot in add_speech(load_shots(prepared), prepared, features)}
    shots = add_speech(load_shots(tmp_path / "data"), tmp_path / "data", features)
    assert count == len(shots) == 2 and (tmp_path / "packed.zip").stat().st_size < 600_000
    for shot in shots:
        before = whole[shot.name]
        assert shot.crops.shape == before.crops.shape and (shot.times_s == before.times_s).all()
        assert np.abs(shot.mesh - before.mesh).max() <= 0.5 / 64 + 1e-4
        assert np.abs(shot.speech.astype(float) - before.speech).max() < 0.01 * np.abs(before.speech).max()
        error = np.square(shot.crops.astype(float) - before.crops).mean()
        assert error < 25, "about 34 dB"
        late = np.square(shot.crops[1:].astype(float) - before.crops[:-1]).mean()
        assert late > error, "no frame is moved"


def test_only_as_many_shots_as_fit(prepared, tmp_path):
    assert pack_data(prepared, tmp_path / "one.zip", megabytes=0.3) == 1
    assert (tmp_path / "one.zip").stat().st_size < 300_000
    with pytest.raises(DataError, match="no shot .* fits into 0.01 MB"):
        pack_data(prepared, tmp_path / "none.zip", megabytes=0.01)


def test_all_networks_are_trained_from_one_file(prepared, tmp_path):
    pack_data(prepared, tmp_path / "packed.zip")
    plan = Plan(minutes=0.5, steps=1, device="cpu", log=lambda line: None)
    figures = train_all(tmp_path / "packed.zip", tmp_path / "out", plan, weights="g4g-tiny", log=lambda line: None)
    models = load(tmp_path / "out/g4g.safetensors")
    assert set(figures) == set(models.info["history"]) == set(SHARES)
    assert json.loads((tmp_path / "out/figures.json").read_text()).keys() == figures.keys()
    assert all((tmp_path / f"out/{stage}.png").is_file() for stage in ("aligner", "generator", "fusion"))
    save_models(tmp_path / "tiny", load("g4g-tiny"))
    encoders = [name_encoder(some.speech) for some in (models, load(tmp_path / "tiny"))]
    assert encoders[0] == encoders[1], "it is taken as it is"
    assert not (tmp_path / "out/g4g.safetensors.state").exists()
