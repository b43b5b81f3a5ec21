"""Provenance: what is signed is intact, what is touched is told, who signed is told apart, and nothing half appears."""

import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from g4g.cli import main
from g4g.errors import ConfigError, MediaError
from g4g.media import FrameFormat, VideoWriter, read_frames
from g4g.provenance import (
    CHANGED,
    INTACT,
    NONE,
    OWN,
    TRUSTED,
    UNKNOWN,
    UNREADABLE,
    DubFacts,
    inspect,
    list_spans,
    make_mark,
    own_signer,
    read_signer,
)
from g4g.provenance.manifest import COMMENT, SOURCE_TYPE
from g4g.provenance.own_certificate import make_certificates
from g4g.provenance.signer import AUTHORITY_NAME, SIGNER_NAME

FACTS = DubFacts("g4g-tiny", "ab" * 32, "cd" * 32, ("ef" * 32,), (0,), ((0.0, 0.4), (0.6, 1.0)))


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """An empty configuration folder."""
    folder = tmp_path / "config"
    monkeypatch.setenv("G4G_CONFIG", str(folder))
    return folder


@pytest.fixture
def source(tmp_path) -> Path:
    return write_video(tmp_path / "source.mp4")


@pytest.fixture
def others(tmp_path) -> dict[str, Path]:
    """Two certificates of other authorities, with their keys and authorities."""
    files = {}
    for name in "ab":
        for part, content in zip(("key", "chain", "authority"), make_certificates(), strict=True):
            files[name + part] = tmp_path / f"{name}_{part}.pem"
            files[name + part].write_bytes(content)
    return files


def write_video(path: Path, **settings) -> Path:
    """One second of noise, so that every byte of the picture's data counts."""
    rng = np.random.default_rng(0)
    with VideoWriter(path, FrameFormat(64, 48, 25.0), **settings) as writer:
        for _ in range(25):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return path


def sign(path: Path, source: Path, signer=None, **settings) -> Path:
    mark = make_mark(path, source, signer or own_signer(), lambda: FACTS)
    return write_video(path, mark=mark, source=source, **settings)


def flip_picture_byte(path: Path) -> None:
    """Change one bit in the middle of the pictures."""
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") if b"mdat" in data else 0
    data[(start + len(data)) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("ending", [".mp4", ".m4v", ".mov"])
def test_a_signed_video_is_intact_and_says_what_was_done(config, source, tmp_path, ending):
    found = inspect(sign(tmp_path / f"dub{ending}", source))
    assert (found.state, found.trust, found.manifest, found.problems) == (INTACT, OWN, found.file, ())
    assert found.machine_made and found.dub == json.loads(json.dumps(FACTS.to_json()))
    assert "g4g self-made certificate" in found.signer and found.comment == COMMENT
    assert "0.00-0.40 s, 0.60-1.00 s, face 0" in str(found) and "self-made on this computer" in str(found)
    assert not list(tmp_path.glob("*.c2pa"))


@pytest.mark.parametrize("ending", [".mkv", ".webm"])
def test_where_the_container_cannot_hold_it_a_sidecar_does(config, source, tmp_path, ending):
    dub = sign(tmp_path / f"dub{ending}", source)
    found = inspect(dub)
    assert (found.state, found.trust, found.manifest) == (INTACT, OWN, tmp_path / "dub.c2pa") and found.machine_made
    assert found.comment == COMMENT
    flip_picture_byte(dub)
    assert inspect(dub).state == CHANGED
    (tmp_path / "dub.c2pa").unlink()
    assert inspect(dub).state == NONE


def test_one_changed_byte_of_the_picture_is_told_and_then_no_name_is_believed(config, source, tmp_path):
    dub = sign(tmp_path / "dub.mp4", source)
    flip_picture_byte(dub)
    found = inspect(dub)
    assert found.state == CHANGED and found.trust is None
    assert any("bmffHash.mismatch" in problem for problem in found.problems)


def test_a_changed_statement_is_told(config, source, tmp_path):
    dub = sign(tmp_path / "dub.mp4", source)
    data = dub.read_bytes()
    assert data.count(b"cd" * 32) == 1
    dub.write_bytes(data.replace(b"cd" * 32, b"cc" * 32))
    found = inspect(dub)
    assert found.state == CHANGED and any("hashedURI.mismatch" in problem for problem in found.problems)


def test_the_pictures_are_those_of_an_unsigned_file(config, source, tmp_path):
    signed, plain = sign(tmp_path / "a.mp4", source), write_video(tmp_path / "b.mp4")
    frames = [[item.frame for item in read_frames(path)] for path in (signed, plain)]
    assert len(frames[0]) == 25 and all(np.array_equal(a, b) for a, b in zip(*frames, strict=True))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_copy_by_ffmpeg_loses_the_manifest_and_keeps_the_tag(config, source, tmp_path, ffmpeg, ending):
    dub = sign(tmp_path / "dub.mp4", source)
    ffmpeg("-i", dub, "-c", "copy", tmp_path / f"copy.{ending}")
    found = inspect(tmp_path / f"copy.{ending}")
    assert (found.state, found.manifest, found.comment) == (NONE, None, COMMENT)
    assert "no C2PA manifest" in found.problems[0]
    shutil.copy(dub, tmp_path / "same.mp4")
    assert inspect(tmp_path / "same.mp4").state == INTACT, "a copy of the file as it is keeps it"


def test_who_signed_depends_on_the_authorities_that_are_trusted(config, source, tmp_path, others):
    dub = sign(tmp_path / "dub.mp4", source, read_signer(others["achain"], others["akey"]))
    assert inspect(dub).trust == UNKNOWN and inspect(dub).state == INTACT
    assert inspect(dub, [others["bauthority"]]).trust == UNKNOWN
    assert inspect(dub, [others["bauthority"], others["aauthority"]]).trust == TRUSTED
    own_signer()
    assert inspect(dub).trust == UNKNOWN, "our own certificate does not vouch for others"
    own = sign(tmp_path / "own.mp4", source)
    shutil.copy(config / AUTHORITY_NAME, tmp_path / "sent.pem")
    shutil.rmtree(config)  # now we are somebody else, on another computer
    assert inspect(own).trust == UNKNOWN and inspect(own, [tmp_path / "sent.pem"]).trust == TRUSTED


def test_the_self_made_key_is_made_once_and_for_the_owner_only(config):
    first, second = own_signer(), own_signer()
    assert first == second and first.is_self_made and b"PRIVATE" not in first.chain
    assert stat.S_IMODE((config / SIGNER_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert b"PRIVATE" not in (config / AUTHORITY_NAME).read_bytes()
    assert "PRIVATE" not in repr(first) and os.uname().nodename not in first.name
    (config / SIGNER_NAME).chmod(0o644)
    with pytest.raises(ConfigError, match="others can read the signing key .*; run chmod 600"):
        own_signer()


def test_a_configuration_folder_that_cannot_be_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("G4G_CONFIG", str(tmp_path / "file" / "g4g"))
    with pytest.raises(ConfigError, match="cannot be kept in .*set G4G_CONFIG"):
        own_signer()


def test_certificates_that_cannot_sign_are_told(config, tmp_path, others):
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="none.pem holds no certificate"):
        read_signer(tmp_path / "none.pem", others["akey"])
    with pytest.raises(ConfigError, match="none.pem holds no private key"):
        read_signer(others["achain"], tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="b_key.pem is not the key of the first certificate in .*a_chain.pem"):
        read_signer(others["achain"], others["bkey"])
    with pytest.raises(ConfigError, match="cannot read missing.pem"):
        read_signer("missing.pem", others["akey"])


def test_a_certificate_that_is_not_for_signing_is_refused_by_c2pa(config, tmp_path, monkeypatch):
    monkeypatch.setattr(ExtendedKeyUsageOID, "EMAIL_PROTECTION", ExtendedKeyUsageOID.SERVER_AUTH)
    for name, content in zip(("key", "chain", "authority"), make_certificates(), strict=True):
        (tmp_path / f"{name}.pem").write_bytes(content)
    with pytest.raises(ConfigError, match="C2PA does not let this certificate sign"):
        read_signer(tmp_path / "chain.pem", tmp_path / "key.pem")


def test_a_source_that_carries_a_manifest_hands_it_on(config, source, tmp_path):
    first = sign(tmp_path / "first.mp4", source)
    second = sign(tmp_path / "second.mp4", first)
    assert second.read_bytes().count(b"g4g.dub") > first.read_bytes().count(b"g4g.dub")
    found = inspect(second)
    assert found.state == INTACT and found.comment == COMMENT, "the tag stands there once"
    shutil.copy(first, tmp_path / "named.png")  # names may lie
    assert second.stat().st_size == sign(tmp_path / "fourth.mp4", tmp_path / "named.png").stat().st_size
    flip_picture_byte(first)
    assert inspect(sign(tmp_path / "third.mp4", first)).state == INTACT, "a changed source does not stop a dub"


def test_a_comment_of_the_source_stays(config, source, tmp_path, ffmpeg):
    ffmpeg("-i", source, "-c", "copy", "-metadata", "comment=by Ann", tmp_path / "ann.mp4")
    assert inspect(sign(tmp_path / "dub.mp4", tmp_path / "ann.mp4")).comment == f"by Ann\n{COMMENT}"


def test_an_output_that_cannot_be_signed_does_not_appear(config, source, tmp_path, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    other = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signer = own_signer()
    object.__setattr__(signer, "key", other)  # no longer the certificate's: found when the finished file is checked
    before = set(tmp_path.iterdir())
    for name in ("dub.mp4", "dub.mkv"):
        with pytest.raises(MediaError, match="the dub cannot be signed"):
            sign(tmp_path / name, source, signer)
    assert set(tmp_path.iterdir()) == before


def test_a_sidecar_in_the_way_is_told_before_the_work(config, source, tmp_path):
    (tmp_path / "dub.c2pa").write_text("of another file")
    with pytest.raises(MediaError, match="dub.c2pa exists; give another name"):
        sign(tmp_path / "dub.mkv", source)
    assert inspect(sign(tmp_path / "dub.mkv", source, overwrite=True)).state == INTACT


def test_a_video_that_cannot_be_replaced_keeps_its_sidecar(config, source, tmp_path, monkeypatch):
    dub = sign(tmp_path / "dub.mkv", source)
    before, replace_file = set(tmp_path.iterdir()), os.replace

    def replace_sidecars(start, end):
        if Path(end).suffix != ".c2pa":
            raise OSError("no place left")
        replace_file(start, end)

    monkeypatch.setattr(os, "replace", replace_sidecars)
    for name in ("dub.mkv", "new.mkv"):
        with pytest.raises(OSError, match="no place left"):
            sign(tmp_path / name, source, overwrite=True)
    assert inspect(dub).state == INTACT and set(tmp_path.iterdir()) == before


def test_files_without_or_with_a_broken_manifest(config, source, tmp_path):
    assert inspect(source).state == NONE
    (tmp_path / "text.mp4").write_text("not a video")
    assert inspect(tmp_path / "text.mp4").state == UNREADABLE
    dub = sign(tmp_path / "dub.mkv", source)
    (tmp_path / "dub.c2pa").write_bytes(b"rubbish")
    assert inspect(dub).state == UNREADABLE
    whole = sign(tmp_path / "dub.mp4", source)
    whole.write_bytes(whole.read_bytes()[:-2000])
    assert inspect(whole).state in (CHANGED, UNREADABLE)
    with pytest.raises(MediaError, match="no such file"):
        inspect(tmp_path / "missing.mp4")
    with pytest.raises(ConfigError, match="text.mp4 holds no certificate"):
        inspect(source, [tmp_path / "text.mp4"])


def test_words_of_a_hostile_file_do_no_harm(config, source, tmp_path, ffmpeg):
    ffmpeg("-i", source, "-c", "copy", "-metadata", "comment=\x1b[2Jgone", tmp_path / "odd.mp4")
    assert "\x1b" not in str(inspect(tmp_path / "odd.mp4"))
    found = replace(inspect(sign(tmp_path / "dub.mp4", source)), dub={"software": 1})
    assert "in a form that this g4g does not read" in str(found)


def test_the_command_says_it_in_words_and_by_its_status(config, source, tmp_path, capsys):
    dub = sign(tmp_path / "dub.mp4", source)
    main(["inspect", str(dub), "--json", str(tmp_path / "found.json")])
    assert "dub.mp4: intact\n  manifest: in the file" in capsys.readouterr().out
    assert json.loads((tmp_path / "found.json").read_text())["trust"] == OWN
    with pytest.raises(SystemExit, match="1"):
        main(["inspect", str(source)])
    assert "source.mp4: no manifest" in capsys.readouterr().out


def test_the_manifest_names_the_edit_as_the_ai_act_asks(config, source, tmp_path):
    data = sign(tmp_path / "dub.mp4", source).read_bytes()
    assert SOURCE_TYPE.endswith("digitalsourcetype/compositeWithTrainedAlgorithmicMedia")
    assert SOURCE_TYPE.encode() in data and b"c2pa.edited" in data and b"source.mp4" not in data


def test_spans_end_where_the_next_frame_begins():
    assert list_spans(["no face", None, None], [0.0, 0.04, 0.1], 0.14) == ((0.04, 0.14),)
    assert list_spans(["no face"], [0.0], 0.04) == () == list_spans([], [], 0.0)
