"""Dubs carry their provenance: in the file or beside it, as the report says, and not where it was asked away."""

import hashlib

import numpy as np
import pytest

from g4g.dubbing import Dubber
from g4g.errors import ConfigError, MediaError
from g4g.jobs.read import read_jobs
from g4g.jobs.record import describe_input
from g4g.jobs.settings import WorkerSettings
from g4g.jobs.worker import _Trial
from g4g.media import read_frames
from g4g.options import BatchOptions
from g4g.provenance import INTACT, NONE, OWN, TRUSTED, inspect
from g4g.provenance.own_certificate import make_certificates


@pytest.fixture(scope="module")
def tiny() -> Dubber:
    return Dubber.from_pretrained("g4g-tiny")


@pytest.fixture(scope="module")
def sound(tmp_path_factory, ffmpeg, voice_file):
    """The first 0.4 s of the bundled voice."""
    path = tmp_path_factory.mktemp("sound") / "short.wav"
    ffmpeg("-i", voice_file, "-t", 0.4, path)
    return path


def hash_of(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_dub_states_source_sound_weights_span_and_face(tiny, portrait_file, sound, tmp_path):
    report = tiny.dub(portrait_file, sound, tmp_path / "dub.mp4")
    found = inspect(tmp_path / "dub.mp4")
    assert (found.state, found.trust, found.machine_made) == (INTACT, OWN, True)
    assert found.dub["source"] == {"sha256": hash_of(portrait_file)} and found.dub["weights"]["name"] == "g4g-tiny"
    assert found.dub["sounds"] == [{"sha256": hash_of(sound)}] and found.dub["faces"] == [{"number": 0}]
    assert found.dub["learnt"] == [] and "learnt" not in str(found)
    (span,) = found.dub["spans"]
    assert (span["start_s"], span["end_s"]) == (0.0, pytest.approx(report.duration_s))
    assert "provenance: C2PA manifest in the file, signed by your own self-made certificate" in str(report)


def test_left_out_as_asked_and_the_frames_are_the_same(tiny, portrait_file, sound, tmp_path):
    reports = [
        tiny.dub(portrait_file, sound, tmp_path / f"{wanted}.mp4", provenance=wanted, overwrite=True)
        for wanted in (True, False)
    ]
    assert "provenance: none, as asked" in str(reports[1])
    found = inspect(tmp_path / "False.mp4")
    assert found.state == NONE and found.comment == ""
    frames = [[item.frame for item in read_frames(report.output)] for report in reports]
    assert len(frames[0]) == 10 and all(np.array_equal(a, b) for a, b in zip(*frames, strict=True))


def test_a_sidecar_is_said_and_a_dry_run_writes_none(tiny, portrait_file, sound, tmp_path):
    planned = tiny.dub(portrait_file, sound, tmp_path / "dub.webm", dry_run=True)
    assert "would carry a signed C2PA manifest" in planned.provenance and list(tmp_path.iterdir()) == []
    report = tiny.dub(portrait_file, sound, tmp_path / "dub.webm")
    assert "in dub.c2pa, since .webm cannot hold it" in report.provenance
    assert inspect(report.output).state == INTACT
    (tmp_path / "dub.webm").unlink()
    with pytest.raises(MediaError, match="dub.c2pa exists"):
        tiny.dub(portrait_file, sound, tmp_path / "dub.webm")


def test_a_named_certificate_signs_and_a_wrong_one_is_told_before_the_work(
    tiny, portrait_file, sound, tmp_path, monkeypatch
):
    key, chain, authority = (tmp_path / f"{name}.pem" for name in ("key", "chain", "authority"))
    for file, content in zip((key, chain, authority), make_certificates(), strict=True):
        file.write_bytes(content)
    report = tiny.dub(portrait_file, sound, tmp_path / "dub.mp4", sign=(chain, key))
    assert inspect(report.output, [authority]).trust == TRUSTED and "signer" in report.provenance
    monkeypatch.setattr(tiny._maker, "look", None)  # the work begins with a look at the video
    with pytest.raises(ConfigError, match="holds no private key"):
        tiny.dub(portrait_file, sound, tmp_path / "other.mp4", sign=(chain, chain))
    with pytest.raises(ConfigError, match="`sign` names who signs, but the provenance is left out"):
        tiny.dub(portrait_file, sound, tmp_path / "other.mp4", sign=(chain, key), provenance=False)


def test_a_batch_puts_the_sidecar_beside_its_output_and_spares_another_files(tiny, portrait_file, sound, tmp_path):
    settings = WorkerSettings(
        0, tmp_path / "out", tmp_path / "work", tmp_path / "avatars", BatchOptions(weights="g4g-tiny"), {}, 1, 2**32
    )
    row = {"video": str(portrait_file), "audio": str(sound)}
    first, second = read_jobs([{**row, "out": "a.mkv"}, {**row, "out": "a.webm"}])
    _Trial(settings, tiny, first).run(describe_input, False)
    assert inspect(tmp_path / "out" / "a.mkv").state == INTACT
    with pytest.raises(MediaError, match="a.c2pa exists and belongs to another file"):
        _Trial(settings, tiny, second).run(describe_input, False)
    assert inspect(tmp_path / "out" / "a.mkv").state == INTACT and not (tmp_path / "out" / "a.webm").exists()
