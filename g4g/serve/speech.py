"""A text read aloud for the page, without the net: the voices of espeak-ng (extra speech, or the system's own)."""

from __future__ import annotations

from pathlib import Path

from g4g.errors import ConfigError
from g4g.metrics.espeak import has_espeak, speak

__all__ = ["SPOKEN", "has_espeak", "read_aloud"]

SPOKEN = {
    "Arabic": "ar", "Chinese (Mandarin)": "cmn", "Dutch": "nl", "English": "en-us", "French": "fr", "German": "de",
    "Hindi": "hi", "Italian": "it", "Japanese": "ja", "Polish": "pl", "Portuguese": "pt", "Russian": "ru",
    "Spanish": "es", "Swedish": "sv", "Turkish": "tr", "Ukrainian": "uk",
}  # fmt: skip
"""Languages of the page, and what espeak-ng calls them."""
_LETTERS_PER_MINUTE = 1200
"""More than any of the voices says; a longer text would exceed the page's limit of time."""


def read_aloud(text: str | None, language: str, path: Path, most_minutes: float) -> None:
    """Read a text aloud into a wav file.

    Args:
        text: of the language.
        language: a key of SPOKEN.
        path: the file.
        most_minutes: that the page takes.
    Raises:
        ConfigError: no text, one that is too long, or no such language. MediaError: as `g4g.metrics.espeak.speak`.
    """
    if not text or not text.strip():
        raise ConfigError("write the text first that is to be spoken")
    if len(text) > most_minutes * _LETTERS_PER_MINUTE:
        raise ConfigError(
            f"the text has {len(text)} letters, the page's {most_minutes:g} minutes hold about "
            f"{most_minutes * _LETTERS_PER_MINUTE:.0f}; shorten it"
        )
    if language not in SPOKEN:
        raise ConfigError(f"no such language: {language!r}; choose one of the list")
    speak(text, SPOKEN[language], path)
