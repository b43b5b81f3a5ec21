"""What the page can do, without a browser: limits, words of progress, an end when it is asked for, nothing left."""

import threading
import wave

import pytest

from g4g.dubbing import Dubber
from g4g.errors import ConfigError
from g4g.options import ServeOptions
from g4g.provenance import INTACT, inspect
from g4g.serve import Stopped, Studio
from g4g.serve.progress import JobProgress
from g4g.serve.speech import has_espeak


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    dubber = Dubber.from_pretrained("g4g-tiny")
    return Studio(dubber, tmp_path_factory.mktemp("visits"), ServeOptions(max_minutes=0.05))


def quiet(share, words):
    pass


def test_a_dub_is_signed_and_its_folder_goes_with_the_visitor(studio, portrait_file, voice_file, ffmpeg, tmp_path):
    ffmpeg("-i", voice_file, "-t", 0.2, tmp_path / "short.wav")
    name, told = studio.open_visit(), []
    made = studio.dub(
        name, str(portrait_file), str(tmp_path / "short.wav"), None, lambda share, words: told.append(words)
    )
    assert inspect(made.video).state == INTACT and made.sheet.is_file() and made.source.suffix == ".png"
    assert made.words.startswith("5 of 5 frames dubbed") and str(tmp_path) not in made.words
    assert any(words.startswith("dubbing: 5 of 5 frames, about 0 s left") for words in told)
    assert {"listening", "moving mouths", "writing"} <= set(told), "single steps are named in words, not in frames"
    studio.close_visit(name)
    assert not made.video.parent.parent.exists()
    with pytest.raises(ConfigError, match="this visit has ended"):
        studio.list_faces(name, str(portrait_file), quiet)


def test_what_is_missing_or_too_long_is_told(studio, portrait_file, voice_file):
    name = studio.open_visit()
    with pytest.raises(ConfigError, match="give a video, a portrait or an avatar first"):
        studio.list_faces(name, None, quiet)
    with pytest.raises(ConfigError, match="give a sound first"):
        studio.dub(name, str(portrait_file), None, None, quiet)
    with pytest.raises(ConfigError, match="takes up to 0.05 minutes, voice.wav has 0.1; cut it"):
        studio.dub(name, str(portrait_file), str(voice_file), None, quiet)


@pytest.mark.skipif(not has_espeak(), reason="needs espeak-ng: pip install g4g[speech]")
def test_a_text_is_read_aloud_in_its_language_and_its_limits_are_told(studio):
    name = studio.open_visit()
    english, german = (studio.speak(name, "Good morning, Bob.", language) for language in ("English", "German"))
    lengths = []
    for file in (english, german):
        with wave.open(str(file)) as sound:
            lengths.append(sound.getnframes() / sound.getframerate())
    assert all(0.5 < length < 3 for length in lengths) and english.read_bytes() != german.read_bytes()
    for text, language, words in (
        (" ", "English", "write the text first"),
        ("a" * 61, "English", "61 letters, the page's 0.05 minutes hold about 60; shorten it"),
        ("Hello", "Klingon", "no such language"),
    ):
        with pytest.raises(ConfigError, match=words):
            studio.speak(name, text, language)
    studio.close_visit(name)
    assert not english.exists()


def test_a_stopped_job_ends_at_its_next_report():
    stop = threading.Event()
    told = []
    progress = JobProgress(stop, lambda share, words: told.append((share, words)))
    progress("dub", 0, 10)
    stop.set()
    with pytest.raises(Stopped):
        progress("dub", 1, 10)
    assert told == [(0.0, "dubbing: 0 of 10 frames")]
