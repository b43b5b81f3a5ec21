"""The command line: exit codes, one sentence per error, no output after a failure."""

import subprocess
import sys

import pytest

from g4g.cli import main


def _fail(arguments, capsys, code=1):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert stop.value.code == code
    error = capsys.readouterr().err.replace("\n", " ") if code == 1 else capsys.readouterr().err
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


def test_dub_writes_and_then_refuses_without_force(portrait_file, voice_file, ffmpeg, tmp_path, capsys):
    out, voice_file, whole = tmp_path / "out.mp4", tmp_path / "voice.wav", voice_file
    ffmpeg("-t", 0.6, "-i", whole, voice_file)
    command = ["dub", portrait_file, "--audio", voice_file, "-o", out, "--weights", "g4g-tiny"]
    main([str(a) for a in command])
    assert "frames dubbed" in capsys.readouterr().out and out.stat().st_size > 1000
    assert "exists" in _fail(command, capsys)
    main([str(a) for a in [*command, "--force", "--device", "auto"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video": "missing.mp4"}, "missing.mp4"),
        ({"video": "text.txt"}, "text.txt"),
        ({"audio": "missing.wav"}, "missing.wav"),
        ({"audio": "portrait"}, "sound"),
        ({"weights": "g4g-huge"}, "unknown weights 'g4g-huge'"),
        ({"faces": "none"}, "unknown face backend"),
        ({"device": "nope"}, "device 'nope' cannot be used"),
    ],
)
def test_wrong_input_is_one_sentence(change, message, portrait_file, voice_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("not a video")
    given = {"video": portrait_file, "audio": voice_file, "weights": "g4g-tiny", **change}
    given = {key: portrait_file if value == "portrait" else value for key, value in given.items()}
    options = [
        word for key in ("audio", "weights", "faces", "device") if key in given for word in (f"--{key}", given[key])
    ]
    line = _fail(["dub", given["video"], *options, "-o", "out.mp4"], capsys)
    assert "g4g: " in line and message in line
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("command", ["train judge data", "train generator data", "finetune data"])
def test_a_device_that_is_not_there_is_told_before_any_data_is_read(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    line = _fail([*command.split(), "-o", "out.safetensors", "--device", "nope"], capsys)
    assert "device 'nope' cannot be used" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dub", "absent.mp4", "--audio", "VOICE", "-o", "out.mp4"], "no such file: absent.mp4"),
        (["dub", "VOICE", "--audio", "VOICE", "-o", "out.mp4"], "has no video"),
        (["dub", "PORTRAIT", "--audio", "PORTRAIT", "-o", "out.mp4"], "has no audio stream"),
        (["dub", "PORTRAIT", "-o", "out.mp4"], "no sound given: name an --audio, or one of the --speaker"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "out.xyz"], "must end in"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "out.mp4", "--codec", "prores"], "--codec must be one of"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "out.mp4", "--emphasis", "9"], "--emphasis must lie between"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "out.mp4", "--face", "ann"], "--face must be speaker, left"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "out.mp4", "--weights", "none"], "unknown weights 'none'"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "out.mp4", "--faces", "zz"], "--faces is one of mediapipe"),
        (["dub", "https://a.org/talk.mp4", "--audio", "VOICE", "-o", "out.mp4"], "is an address; g4g reads files"),
        (["dub", "PORTRAIT", "--audio", "VOICE", "-o", "kept.mp4"], "or replace it: --force"),
        (["avatar", "absent.mp4", "-o", "ann.avatar"], "no such file"),
        (["avatar", "PORTRAIT", "-o", "ann.avatar", "--adapt", "-1"], "a person is learnt for 0 minutes"),
        (["faces", "absent.mp4"], "no such file"),
        (["finetune", "absent.mp4", "-o", "ann.safetensors"], "no such file"),
        (["finetune", "VOICE", "-o", "ann.safetensors", "--weights", "none"], "unknown weights 'none'"),
        (["finetune", "VOICE", "-o", "ann.safetensors", "--minutes", "0"], "needs more than 0 minutes"),
        (["prepare", "absent.mp4", "-o", "data"], "no such file"),
        (["train", "generator", "data", "-o", "my.safetensors", "--minutes", "0"], "needs more than 0 --minutes"),
        (["train", "generator", "data", "-o", "my.safetensors", "--devices", "0"], "--devices must be at least 1"),
        (["evaluate"], "no dubbed video given"),
        (["evaluate", "VOICE", "--reference", "VOICE", "--judge", "none"], "unknown weights 'none'"),
    ],
)
def test_what_is_wrong_is_told_without_loading_a_network(
    words, message, portrait_file, voice_file, tmp_path, monkeypatch, capsys
):
    """Where torch would be imported for it, the test fails: that alone takes seconds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept.mp4").write_bytes(b"kept")
    trainings = [f"training.{name}" for name in ("finetune", "loop", "prepare")]
    for name in ("adapting", "dubbing", "metrics", "metrics.evaluate", *trainings):
        monkeypatch.setitem(sys.modules, f"g4g.{name}", None)
    files = {"VOICE": str(voice_file), "PORTRAIT": str(portrait_file)}
    assert message in _fail([files.get(word, word) for word in words], capsys)
    assert (tmp_path / "kept.mp4").read_bytes() == b"kept"


def test_the_checks_import_no_torch():
    code = "import sys, g4g.cli; words = ['dub', 'absent.mp4', '--audio', 'a.wav', '-o', 'b.mp4']\n"
    code += "try: g4g.cli.main(words)\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1 False\n" and "no such file: absent.mp4" in done.stderr


def test_usage_errors_exit_with_2(capsys):
    assert "required" in _fail(["dub", "x.mp4"], capsys, code=2)
    _fail(["sing"], capsys, code=2)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0 and "g4g dub talk.mp4" in capsys.readouterr().out
