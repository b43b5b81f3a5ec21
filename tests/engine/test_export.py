"""g4g export writes ONNX files that were checked, and none that is off."""

from __future__ import annotations

import pytest

from g4g.cli import main
from g4g.engine import on_onnx
from g4g.export import export_onnx
from g4g.zoo import load

pytest.importorskip("onnxscript", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")


def test_export_writes_files_that_stand_alone(tmp_path, capsys):
    command = ["export", "g4g-tiny", "-o", str(tmp_path / "new" / "onnx")]
    main(command)
    told = capsys.readouterr().out
    files = sorted((tmp_path / "new" / "onnx").iterdir())
    assert [file.name for file in files] == ["fusion.onnx", "generator.onnx", "speech.onnx"]
    assert all(f"{file}: largest error" in told for file in files)
    session = onnxruntime.InferenceSession(str(files[1]))
    assert [given.name for given in session.get_inputs()] == ["pictures", "seen", "stretch", "guide", "speech"]
    assert [given.name for given in session.get_outputs()] == ["flow", "logits", "colour", "crispness", "detail"]
    with pytest.raises(SystemExit):
        main(command)
    assert "exists" in capsys.readouterr().err


def test_a_file_that_is_off_is_not_written(tmp_path, monkeypatch):
    from g4g.errors import CheckpointError

    open_onnx = on_onnx.open_onnx
    monkeypatch.setattr(
        "g4g.export.open_onnx", lambda content: lambda *given: tuple(x + 1e-3 for x in open_onnx(content)(*given))
    )
    with pytest.raises(CheckpointError, match="off by"):
        export_onnx(load("g4g-tiny"), tmp_path)
    assert list(tmp_path.iterdir()) == []
