"""espeak-ng's phonemes against the sound that it makes."""

import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from g4g.errors import MediaError
from g4g.metrics import espeak
from g4g.metrics.espeak import LANGUAGES, has_espeak, speak

needs_espeak = pytest.mark.skipif(not has_espeak(), reason="needs espeak-ng: apt-get install espeak-ng")


def read_sound(path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float), file.getframerate()


def loudness(sound: np.ndarray, rate: int, start_s: float, stop_s: float) -> float:
    part = sound[round(start_s * rate) : round(stop_s * rate)]
    return float(np.sqrt((part**2).mean()))


def test_the_extra_speech_speaks_where_the_system_has_no_espeak(tmp_path):
    pytest.importorskip("espeakng_loader", reason="needs the extra speech: pip install g4g[speech]")
    script = "from g4g.metrics import espeak; espeak._LIBRARIES = (); "
    script += f"print(''.join(p.symbol for p in espeak.speak('Papa', 'en', {str(tmp_path / 'a.wav')!r})))"
    path = os.pathsep.join([str(Path(espeak.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.stdout.strip().replace("\u02c8", "") == "p\u0250p\u0251\u02d0", done
    assert read_sound(tmp_path / "a.wav")[0].any()


@needs_espeak
def test_times_fit_the_sound(tmp_path):
    phonemes = speak("Papa stopped a tap. Take a pot to a top shop.", "en", tmp_path / "a.wav")
    sound, rate = read_sound(tmp_path / "a.wav")
    assert phonemes[0].symbol == "p" and phonemes[-1].stop_s <= len(sound) / rate
    assert all(now.stop_s <= after.start_s for now, after in zip(phonemes, phonemes[1:], strict=False))
    stops = [p for p in phonemes[1:] if p.symbol in "pt"]
    assert len(stops) >= 10
    for stop in stops:
        first, last = stop.start_s, stop.start_s + 0.018
        assert loudness(sound, rate, first + 0.002, last) < 20, f"the mouth is shut when {stop} begins"
        assert loudness(sound, rate, last, stop.stop_s) > 100, f"{stop} ends with its burst"
    for vowel in (p for p in phonemes if p.is_vowel and p.stop_s - p.start_s > 0.06):
        middle = (vowel.start_s + vowel.stop_s) / 2
        assert loudness(sound, rate, middle - 0.02, middle + 0.02) > 2000, vowel
    pauses = [(a.stop_s, b.start_s) for a, b in zip(phonemes, phonemes[1:], strict=False) if b.start_s - a.stop_s > 0.1]
    assert len(pauses) == 1 and loudness(sound, rate, *pauses[0]) < 1


@needs_espeak
def test_hissing_begins_when_it_is_told(tmp_path):
    phonemes = speak("A sea, a sock, a sail.", "en", tmp_path / "s.wav")
    sound, rate = read_sound(tmp_path / "s.wav")
    hiss = np.abs(np.diff(sound, n=2))
    hissing = [p for p in phonemes if p.symbol == "s"]
    assert len(hissing) == 3
    for s in hissing:
        before, within = (loudness(hiss, rate, a, a + 0.02) for a in (s.start_s - 0.025, s.start_s + 0.02))
        assert within > 1.5 * before, s


@needs_espeak
@pytest.mark.parametrize("language", LANGUAGES.values())
def test_each_language_has_its_sounds_and_says_the_same_again(language, tmp_path):
    text = "Mama, papa, fumo, pomo."
    phonemes = speak(text, language, tmp_path / "a.wav")
    assert sum(p.is_closure for p in phonemes) == 7 and sum(p.is_labiodental for p in phonemes) == 1
    assert sum(p.is_open_vowel for p in phonemes) >= 2
    again = speak(text, language, tmp_path / "b.wav")
    assert [p.symbol for p in again] == [p.symbol for p in phonemes]
    assert [p.start_s for p in again] == pytest.approx([p.start_s for p in phonemes], abs=0.002)


@needs_espeak
def test_speed_and_wrong_wishes(tmp_path):
    slow = speak("Papa", "it", tmp_path / "a.wav", words_per_minute=90)
    assert slow[-1].stop_s > 1.3 * speak("Papa", "it", tmp_path / "b.wav")[-1].stop_s
    with pytest.raises(MediaError, match="no language 'nonesuch'"):
        speak("Papa", "nonesuch", tmp_path / "c.wav")
    with pytest.raises(MediaError, match="cannot say"):
        speak("", "en", tmp_path / "c.wav")
    assert not (tmp_path / "c.wav").exists()


def test_without_espeak_the_error_says_what_to_install(tmp_path, monkeypatch):
    espeak._load_library.cache_clear()
    monkeypatch.setattr(espeak, "_find_libraries", lambda: [("libnone-such.so", None)])
    try:
        assert not has_espeak()
        with pytest.raises(MediaError, match=r"pip install 'g4g\[speech\]'; Debian, Ubuntu: apt-get install espeak-ng"):
            speak("Papa", "en", tmp_path / "a.wav")
    finally:
        espeak._load_library.cache_clear()
