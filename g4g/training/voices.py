"""Synthetic voices that read sentences: espeak-ng (a program) and Kokoro (a network); only their sound is used."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import librosa
import numpy as np

from g4g.errors import DataError

ESPEAK_VOICES = {
    "en": ("en-us", "en-gb", "en-gb-scotland", "en-029"), "de": ("de",), "es": ("es", "es-419"),
    "fr": ("fr-fr", "fr-be"), "it": ("it",), "pt": ("pt", "pt-br"), "hi": ("hi",), "ja": ("ja",),
    "zh": ("cmn-latn-pinyin",),
}  # fmt: skip
"""espeak-ng's voices by the language of the text."""
ESPEAK_ACCENTS = (
    "nl", "pl", "ro", "hu", "cs", "fi", "sv", "da", "tr", "hr", "id", "et", "sw", "vi", "ca", "cy", "is",
    "ms",
)  # fmt: skip
"""Voices of other languages, which read any text in Latin letters by their own rules: more sounds and rhythms."""
ESPEAK_VARIANTS = tuple(f"+{kind}{n}" for kind, top in (("f", 5), ("m", 8)) for n in range(1, top + 1)) + (
    "+klatt2", "+klatt4", "+klatt6", "+whisper", "+croak", "+Andy", "+Annie", "+linda", "+max", "+grandma",
)  # fmt: skip
"""Throats of espeak-ng, its name for each."""
KOKORO_LANGUAGES = {"a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh"}
"""The first letter of a Kokoro voice names its language."""

_SAMPLE_RATE, _ESPEAK_RATE, _KOKORO_RATE = 16_000, 22_050, 24_000
"""Hz."""
_WAV_HEADER_BYTES = 44
_MOST_TOKENS = 500
_STYLE_SIZE = 256
_KOKORO_LETTERS = (("ʲ", "j"), ("r", "ɹ"), ("ɚ", "əɹ"), ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("tɕ", "ʨ"), ("ts", "ʦ"), ("ä", "a"))
_PUNCTUATION = re.compile(r"([,.;:!?])")


def speak_espeak(text: str, voice: str, words_per_minute: int = 160, pitch: int = 50) -> np.ndarray:
    """Read a text aloud with espeak-ng.

    Args:
        text: letters of the voice's language.
        voice: as espeak-ng names it, a variant may follow: "de+f2".
        words_per_minute, pitch: espeak-ng's -s, and -p (0 to 99).
    Returns:
        Shape (N,), float32 in [-1, 1], 16 kHz.
    Raises:
        DataError: espeak-ng is missing, or refuses.
    """
    wav = _run_espeak("-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", text)
    samples = np.frombuffer(wav[_WAV_HEADER_BYTES:], np.int16).astype(np.float32) / 32768
    return librosa.resample(samples, orig_sr=_ESPEAK_RATE, target_sr=_SAMPLE_RATE)


def phonemes(text: str, voice: str) -> str:
    """Write a text in IPA as espeak-ng's voice says it; its punctuation stays."""
    pieces = [piece.strip() for piece in _PUNCTUATION.split(text) if piece.strip()]
    say = lambda piece: " " + _run_espeak("-q", "--ipa", "-v", voice, piece).decode().strip()  # noqa: E731
    spoken = [piece if _PUNCTUATION.fullmatch(piece) else say(piece) for piece in pieces]
    return "".join(spoken).replace("\n", " ").strip()


class Kokoro:
    """The Kokoro network and its voices.

    Args:
        folder: holds kokoro-v1.0.int8.onnx, vocab.json and voices/*.bin; shared/models/README.md says how to get them.
        threads: of onnxruntime.
    Raises:
        DataError: a file is missing.
    Source:
        Kokoro-82M (Apache-2.0).
    """

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        import onnxruntime

        folder = Path(folder)
        model, vocab = folder / "kokoro-v1.0.int8.onnx", folder / "vocab.json"
        styles = sorted((folder / "voices").glob("*.bin"))
        self._styles = {file.stem: np.fromfile(file, np.float32).reshape(-1, 1, _STYLE_SIZE) for file in styles}
        if not (model.is_file() and vocab.is_file() and self._styles):
            raise DataError(f"{folder} lacks {model.name}, vocab.json or voices/*.bin; see shared/models/README.md")
        self._tokens = json.loads(vocab.read_text())["vocab"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    @property
    def voices(self) -> list[str]:
        """Names such as "af_heart"; the first letter is the language, the second the sex."""
        return sorted(self._styles)

    def speak(
        self, ipa: str, voice: str, other: str | None = None, share: float = 0.0, speed: float = 1.0
    ) -> np.ndarray:
        """Say phonemes.

        Args:
            ipa: from `phonemes`; what Kokoro does not know is left out.
            voice: one of `voices`.
            other, share: a second voice, and how much of it is mixed in (0 to 1).
            speed: 1 is usual.
        Returns:
            Shape (N,), float32 in [-1, 1], 16 kHz.
        """
        tokens = [self._tokens[letter] for letter in fit_kokoro(ipa) if letter in self._tokens][:_MOST_TOKENS]
        style = self._styles[voice][len(tokens)]
        if other is not None:
            style = (1 - share) * style + share * self._styles[other][len(tokens)]
        padded = np.array([[0, *tokens, 0]], np.int64)
        inputs = {"tokens": padded, "style": style, "speed": np.array([speed], np.float32)}
        samples = self._session.run(None, inputs)[0].reshape(-1)
        return librosa.resample(np.clip(samples, -1, 1), orig_sr=_KOKORO_RATE, target_sr=_SAMPLE_RATE)


def fit_kokoro(ipa: str) -> str:
    """Rewrite espeak-ng's IPA as Kokoro's: affricates as one letter, no tone numbers."""
    ipa = re.sub(r"\(.*?\)|[0-9\-]", "", ipa).replace("s.h", "sʰ")
    for old, new in _KOKORO_LETTERS:
        ipa = ipa.replace(old, new)
    return ipa


def _run_espeak(*arguments: str) -> bytes:
    program = shutil.which("espeak-ng")
    if program is None:
        raise DataError("espeak-ng is not installed; install it (apt-get install espeak-ng) to make training speech")
    done = subprocess.run([program, *arguments], capture_output=True, check=False)
    if done.returncode:
        raise DataError(f"espeak-ng refused {arguments}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
