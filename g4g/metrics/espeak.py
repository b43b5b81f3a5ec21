"""Speech whose phoneme times are known exactly: espeak-ng says a text and tells when each sound begins."""

from __future__ import annotations

import ctypes
import os
import threading
import wave
from functools import lru_cache
from pathlib import Path

import numpy as np

from g4g.errors import MediaError
from g4g.metrics.phonemes import Phoneme

LANGUAGES = {"English": "en", "German": "de", "Spanish": "es", "French": "fr", "Italian": "it", "Portuguese": "pt"}
"""Languages of the benchmark and what espeak-ng calls them."""

WORDS_PER_MINUTE = 175
"""espeak-ng's own speed."""

_LIBRARIES = ("libespeak-ng.so.1", "libespeak-ng.1.dylib", "libespeak-ng.dylib", "libespeak-ng.dll")
_STOPS = frozenset("pbtdkɡgcɟqʔ")
_LONGEST_CLOSURE_S = 0.06
"""espeak-ng is silent for up to 0.05 s before the burst of a stop; a longer silence is a pause of the speaker."""
_SILENT = 32
"""Samples of a closure are smaller than this, out of 32768."""

# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 2, 0x1, 0x2, 0x8000
_LIST_TERMINATED, _PHONEME = 0, 7
_CHARS_UTF8, _RATE, _OK = 1, 1, 0


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """espeak_EVENT; the moment of a phoneme is its sample."""

    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def has_espeak() -> bool:
    """Tell whether espeak-ng's library can be loaded."""
    try:
        _load_library()
    except MediaError:
        return False
    return True


def speak(text: str, language: str, path: str | Path, *, words_per_minute: int = WORDS_PER_MINUTE) -> list[Phoneme]:
    """Say a text, write it as a mono 16-bit wav file, and tell when each of its phonemes sounds.

    Times come from espeak-ng's own sample counter. Two things to know: a stop begins where the sound before it ends
    (espeak-ng itself tells its burst), after a pause 0.05 s before its burst; and a vowel after m, n, l or r is told
    from the end of its transition on, 20 to 40 ms after its onset. Within one process espeak-ng keeps some state: the
    same text again may shift by a millisecond, so use the times of the call that wrote the file.

    Args:
        text: what is said, sentence by sentence.
        language: as espeak-ng calls it, see LANGUAGES: "en", "de", ...
        path: the wav file to write; an old one is replaced.
        words_per_minute: speed, 80 to 450.
    Returns:
        The phonemes in order; pauses are none.
    Raises:
        MediaError: espeak-ng is not installed, does not know the language, or cannot say the text.
    Source:
        Our choice.
    """
    library, rate_hz = _load_library()
    with _LOCK:
        events, waveform = _synthesise(library, text, language, words_per_minute)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(waveform.astype("<i2").tobytes())
    starts = [_find_start(symbol, sample, waveform, rate_hz) for symbol, sample in events]
    spans = zip(events, starts, [*starts[1:], len(waveform)], strict=True)
    return [Phoneme(symbol, a / rate_hz, b / rate_hz) for (symbol, _), a, b in spans if symbol and b > a]


_LOCK = threading.Lock()
"""The library keeps its voice and its text in globals."""


@lru_cache
def _load_library() -> tuple[ctypes.CDLL, int]:
    """Load espeak-ng once per process, the system's or that of the extra speech; return it and its sample rate."""
    for name, data in _find_libraries():
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT)
        if rate_hz <= 0:
            raise MediaError("espeak-ng does not start: its data are missing; install the package espeak-ng-data")
        return library, rate_hz
    raise MediaError(
        "espeak-ng's library was not found; install it (pip install 'g4g[speech]'; Debian, Ubuntu: apt-get install "
        "espeak-ng; macOS: brew install espeak-ng)"
    )


def _find_libraries() -> list[tuple[str, bytes | None]]:
    """List where espeak-ng may be, each with the folder of its data; None: where it looks itself."""
    found: list[tuple[str, bytes | None]] = [(name, None) for name in _LIBRARIES]
    try:
        import espeakng_loader
    except ImportError:
        return found
    return [*found, (espeakng_loader.get_library_path(), os.fsencode(espeakng_loader.get_data_path()))]


def _synthesise(
    library: ctypes.CDLL, text: str, language: str, words_per_minute: int
) -> tuple[list[tuple[str, int]], np.ndarray]:
    """Return the (symbol, sample) of each phoneme, "" for a pause, and the waveform, int16."""
    events: list[tuple[str, int]] = []
    sound = bytearray()

    def receive(samples, count: int, event) -> int:
        if samples and count:
            sound.extend(ctypes.string_at(samples, 2 * count))
        number = 0
        while event[number].type != _LIST_TERMINATED:
            if event[number].type == _PHONEME:
                # The field holds 8 bytes; a longer symbol may end within a letter.
                events.append((event[number].id.string.decode("utf-8", "ignore").strip("_"), event[number].sample))
            number += 1
        return 0

    callback = _Callback(receive)
    if library.espeak_SetVoiceByName(language.encode()) != _OK:
        raise MediaError(f"espeak-ng has no language {language!r}; `espeak-ng --voices` lists them, such as en, de, fr")
    library.espeak_SetParameter(_RATE, words_per_minute, 0)
    library.espeak_SetSynthCallback(callback)
    content = text.encode()
    failed = library.espeak_Synth(content, len(content) + 1, 0, 1, 0, _CHARS_UTF8, None, None)
    library.espeak_Synchronize()
    if failed or not any(symbol for symbol, _ in events):
        raise MediaError(f"espeak-ng cannot say {text[:40]!r} in {language!r}; give words of that language")
    return events, np.frombuffer(bytes(sound), np.int16)


def _find_start(symbol: str, sample: int, waveform: np.ndarray, rate_hz: int) -> int:
    """Find where the mouth closes for a stop that espeak-ng tells at its burst; other sounds begin where it says."""
    if symbol[:1] not in _STOPS:
        return sample
    first = max(sample - round(_LONGEST_CLOSURE_S * rate_hz), 0)
    loud = np.flatnonzero(np.abs(waveform[first:sample].astype(int)) >= _SILENT)
    return first + int(loud[-1]) + 1 if len(loud) else first
