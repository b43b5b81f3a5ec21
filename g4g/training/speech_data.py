"""Training data of the speech encoder: a folder of sounds, and what the teacher says of each.

`sounds/NAME.npy` int16 (N,) 16 kHz; `targets/NAME.npy` float16 (S, D), row i for time i / 50 s.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from g4g.audio.features import Encoder, encode_speech
from g4g.checkpoints.atomic import write_whole
from g4g.engine import limit_threads
from g4g.errors import DataError
from g4g.training.data import read_split
from g4g.training.sentences import LANGUAGES, make_sentence
from g4g.training.teacher import make_teacher_encoder
from g4g.training.voices import (
    ESPEAK_ACCENTS,
    ESPEAK_VARIANTS,
    ESPEAK_VOICES,
    KOKORO_LANGUAGES,
    Kokoro,
    phonemes,
    speak_espeak,
)

HELD_VOICES = ("af_bella", "bm_george", "hf_alpha", "if_sara", "zm_yunyang", "+f5", "+m7", "+klatt4", "tr")
"""Never trained on: Kokoro's voices, espeak-ng's variants and one of its languages."""

_SAMPLE_RATE = 16_000
_SENTENCES = 3
"""Sentences of one recording; about ten seconds."""
_LONGEST_PAUSE_S = 0.8
_ACCENT, _FOREIGN, _MIXED = 0.3, 0.25, 0.5
"""Shares of espeak-ng's recordings with another language's voice, and of Kokoro's in another language than the voice's,
or with two voices mixed."""
_ESPEAK_PER_KOKORO = 1
_ONLY_TESTED = ("wild", "speech")
"""Folders whose clips are never trained on."""
_KEPT = 0.8
"""Of speakers that the fixed split does not name, so many of the clips are for training."""


class SpeechFolder:
    """Writes and lists recordings of one folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        for name in ("sounds", "targets"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def add(self, name: str, waveform: np.ndarray, target: np.ndarray) -> None:
        """Write one recording; the target last, so that a listed one is whole."""
        _write_array(self.folder / "sounds" / f"{name}.npy", (np.clip(waveform, -1, 1) * 32767).astype(np.int16))
        _write_array(self.folder / "targets" / f"{name}.npy", target.astype(np.float16))

    def names(self) -> list[str]:
        """Names of all recordings, sorted."""
        return sorted(file.stem for file in (self.folder / "targets").glob("*.npy"))

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Read one recording: sound (N,) float32 in [-1, 1], target (S, D) float32. Raises DataError."""
        try:
            sound = np.load(self.folder / "sounds" / f"{name}.npy")
            target = np.load(self.folder / "targets" / f"{name}.npy")
        except (OSError, ValueError) as error:
            raise DataError(f"recording {name!r} in {self.folder} cannot be read ({error}); make it again") from error
        return sound.astype(np.float32) / 32767, target.astype(np.float32)


def split_names(names: list[str]) -> tuple[list[str], list[str]]:
    """Split recordings: (to train on, held out).

    Held out are the held voices, the clips that the fixed split holds out, the speech and the wild clips, and of
    speakers that the split does not name the last fifth of the clips.
    Example:
        >>> split_names(["kokoro_en_af_bella_0007", "kokoro_en_af_sky_0008", "wild_glasses"])
        (['kokoro_en_af_sky_0008'], ['kokoro_en_af_bella_0007', 'wild_glasses'])
    """
    split = read_split()
    known = {name: part == "train" for part, members in split.items() for name in members}
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(name.split("_")[0], []).append(name)
    train = []
    for kind, members in groups.items():
        if is_synthetic(members[0]):
            train += [name for name in members if not _has_held_voice(name)]
        elif kind not in _ONLY_TESTED:
            unknown = [name for name in members if name not in known]
            train += [name for name in members if known.get(name)] + unknown[: int(len(unknown) * _KEPT)]
    kept = set(train)
    return sorted(train), sorted(name for name in names if name not in kept)


def is_synthetic(name: str) -> bool:
    """Tell whether a recording is a synthetic voice's."""
    return name.startswith(("kokoro", "espeak"))


def _has_held_voice(name: str) -> bool:
    return any(f"_{voice}_" in f"_{name}_".replace("+", "_+") for voice in HELD_VOICES)


def make_espeak(rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """Let a random espeak-ng voice read: (language and voice, sound)."""
    language = str(rng.choice(LANGUAGES))
    voice = str(rng.choice(ESPEAK_VOICES[language]))
    if language not in ("hi", "ja", "zh") and rng.random() < _ACCENT:
        voice = str(rng.choice(ESPEAK_ACCENTS))
    variant = str(rng.choice(ESPEAK_VARIANTS))
    rate, pitch = int(rng.integers(110, 220)), int(rng.integers(20, 80))
    sounds = [speak_espeak(make_sentence(language, rng), voice + variant, rate, pitch) for _ in range(_SENTENCES)]
    return f"{language}_{voice}{variant}", _join(sounds, rng)


def make_kokoro(kokoro: Kokoro, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """Let a random voice of Kokoro's read: (language and voices, sound)."""
    voice = str(rng.choice(kokoro.voices))
    language = KOKORO_LANGUAGES[voice[0]]
    if rng.random() < _FOREIGN:
        language = str(rng.choice(LANGUAGES))
    other, share = (str(rng.choice(kokoro.voices)), rng.uniform(0.2, 0.5)) if rng.random() < _MIXED else (None, 0.0)
    speed = rng.uniform(0.8, 1.25)
    reader = str(rng.choice(ESPEAK_VOICES[language]))
    texts = [phonemes(make_sentence(language, rng), reader) for _ in range(_SENTENCES)]
    sounds = [kokoro.speak(ipa, voice, other, share, speed) for ipa in texts]
    return "_".join([language, voice] + [other] * (other is not None)), _join(sounds, rng)


def make_speech(
    out: str | Path, teacher: Encoder, kokoro: Kokoro, *, minutes: float, seed: int = 1,
    log: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Write synthetic recordings of both programs into a folder for so many minutes; a seed repeats them."""
    folder, start, number = SpeechFolder(out), time.monotonic(), 0
    done_s = {"espeak": 0.0, "kokoro": 0.0}
    have = {name.rsplit("_", 1)[1] for name in folder.names()}
    while time.monotonic() - start < minutes * 60:
        rng = np.random.default_rng([seed, number])
        program = "kokoro" if number % (1 + _ESPEAK_PER_KOKORO) == 0 else "espeak"
        label = f"{seed}-{number:05d}"
        if label not in have:
            said, sound = make_kokoro(kokoro, rng) if program == "kokoro" else make_espeak(rng)
            folder.add(f"{program}_{said}_{label}", sound, encode_speech(teacher, sound))
            done_s[program] += len(sound) / _SAMPLE_RATE
        number += 1
        if number % 30 == 0:
            log(f"{number} recordings, {(time.monotonic() - start) / 60:.1f} min: {done_s}")


def _join(sounds: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Put pauses around sounds, and set the loudest sample somewhere between 0.2 and 0.9."""
    pause = lambda: np.zeros(int(rng.uniform(0.05, _LONGEST_PAUSE_S) * _SAMPLE_RATE), np.float32)  # noqa: E731
    joined = np.concatenate([part for sound in sounds for part in (pause(), sound)] + [pause()])
    return joined * np.float32(rng.uniform(0.2, 0.9) / max(float(np.abs(joined).max()), 1e-3))


def _write_array(path: Path, array: np.ndarray) -> None:
    file = io.BytesIO()
    np.save(file, array)
    write_whole(path, file.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make training speech of synthetic voices.")
    for option in ("--out", "--whisper", "--projection", "--kokoro"):
        parser.add_argument(option, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    limit_threads(1)
    make_speech(
        given.out, make_teacher_encoder(given.whisper, given.projection), Kokoro(given.kokoro),
        minutes=given.minutes, seed=given.seed,
    )  # fmt: skip
