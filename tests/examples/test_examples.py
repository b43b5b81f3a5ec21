"""Each example runs as its reader would run it, on the tiny seeded networks."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from PIL import Image

from g4g.media import probe
from g4g.provenance import INTACT, inspect

ROOT = Path(__file__).resolve().parent.parent.parent
VOICE = ROOT / "examples" / "voice.wav"
SOUND_S = 0.4
MAX_LINES = 65


def run_example(name: str, *arguments: object, weights: str = "g4g-tiny") -> subprocess.CompletedProcess:
    """Run examples/NAME with tiny networks and the g4g of this checkout, and return its outcome."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments), "--weights", weights]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def cut_voice(path: Path) -> Path:
    """Write the first moments of the bundled voice."""
    with wave.open(str(VOICE)) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(int(SOUND_S * source.getframerate())))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Make a short video of the portrait: five equal frames at 25 fps."""
    import imageio_ffmpeg

    skimage_data = pytest.importorskip("skimage.data", reason="needs the extra demo: pip install g4g[demo]")
    portrait, path = tmp_path / "portrait.png", tmp_path / "clip.mp4"
    Image.fromarray(skimage_data.astronaut()).resize((256, 256)).save(portrait)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-loop", "1", "-framerate", "25"]
    command += ["-i", str(portrait), "-frames:v", "5", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def test_examples_are_short_and_all_tested() -> None:
    examples = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "examples").glob("*.py")}
    assert examples.keys() == {"demo.py", "dub_video.py", "dub_many.py", "live.py"}
    assert max(examples.values()) < MAX_LINES


def test_the_voice_is_short_mono_speech_at_16_khz() -> None:
    with wave.open(str(VOICE)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        assert 4.0 <= file.getnframes() / file.getframerate() <= 5.0


@pytest.mark.slow
def test_demo_prints_where_the_video_and_the_contact_sheet_lie(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="needs the extra demo: pip install g4g[demo]")
    done = run_example("demo.py", "--out", tmp_path / "out", "--audio", cut_voice(tmp_path / "voice.wav"))
    assert done.returncode == 0, done.stderr
    video, sheet = (Path(line.split(":", 1)[1].strip()) for line in done.stdout.splitlines()[-2:])
    info = probe(video)
    assert (info.width, info.height, info.has_audio) == (512, 512, True)
    assert info.duration_s == pytest.approx(SOUND_S, abs=0.1)
    with Image.open(sheet) as picture:
        assert min(picture.size) > 100


@pytest.mark.slow
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("skimage", reason="needs the extra demo: pip install g4g[demo]")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel: pip install g4g[dev]")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    cut_voice(tmp_path / "voice.wav")
    notebook = nbformat.read(ROOT / "examples" / "first_dub.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "clear the outputs before you commit"
    for cell in notebook.cells:
        cell.source = cell.source.replace("g4g-small", "g4g-tiny")
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "10 of 10 frames dubbed" in said and "first_dub.mp4: intact" in said and "frame 4: " in said
    assert probe(tmp_path / "first_dub.mp4").has_audio


def test_the_video_of_the_readme_is_small_and_says_what_it_is() -> None:
    video = ROOT / "examples" / "portrait_dubbed.mp4"
    found, info = inspect(video), probe(video)
    assert video.stat().st_size < 400_000 and info.has_audio and (info.width, info.height) == (512, 512)
    assert found.state == INTACT and found.dub["weights"]["name"] == "g4g-small"
    assert found.dub["sounds"] == [{"sha256": hashlib.sha256(VOICE.read_bytes()).hexdigest()}]


def test_dub_video_dubs_and_refuses_an_existing_output(clip: Path, tmp_path: Path) -> None:
    sound, out = cut_voice(tmp_path / "sound.wav"), tmp_path / "out.mp4"
    done = run_example("dub_video.py", clip, sound, out)
    assert done.returncode == 0, done.stderr
    assert "10 of 10 frames dubbed" in done.stdout
    assert probe(out).has_audio
    before = out.read_bytes()
    again = run_example("dub_video.py", clip, sound, out)
    assert again.returncode == 1
    assert again.stderr.startswith("not dubbed: ") and "Traceback" not in again.stderr
    assert out.read_bytes() == before


def test_dub_many_dubs_the_good_pairs_and_reports_the_others(clip: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copy(clip, folder / f"{name}.mp4")
        cut_voice(folder / f"{name}.wav")
    shutil.copy(clip, folder / "silent.mp4")
    done = run_example("dub_many.py", folder, out)
    assert done.returncode == 1
    assert "2 of 3 videos dubbed" in done.stdout
    assert "silent.mp4: not dubbed: " in done.stderr and "Traceback" not in done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4", "b.mp4"]


def test_live_shows_a_sound_while_it_is_spoken(clip: Path, tmp_path: Path) -> None:
    sound, out = cut_voice(tmp_path / "sound.wav"), tmp_path / "out.mp4"
    done = run_example("live.py", clip, sound, out, weights="g4g-tiny-live")
    assert done.returncode == 0, done.stderr
    assert "StreamStats(frames=" in done.stdout
    info = probe(out)
    assert (info.width, info.height, info.has_audio) == (256, 256, True)
    assert SOUND_S < info.duration_s < SOUND_S + 1.0
    refused = run_example("live.py", clip, sound, tmp_path / "no.mp4")
    assert refused.returncode == 1 and refused.stderr.startswith("not shown: the weights g4g-tiny cannot stream")
