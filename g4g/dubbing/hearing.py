"""The new sounds, heard by a thread of its own while faces are followed: nobody waits for their features."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

from g4g.audio import encode_speech
from g4g.config import AudioConfig
from g4g.dubbing.voices import Heard, Voice
from g4g.memory import drop_pages, join_blocks
from g4g.networks import rest
from g4g.options import DubOptions
from g4g.zoo import Models

_SILENCE = AudioConfig().sample_rate // 2
"""At least so many samples of silence follow a sound."""


class Hearing:
    """Works out the speech features of a dub's sounds, one after the other; at the end of its block it stops."""

    def __init__(self, models: Models, heard: Heard, options: DubOptions) -> None:
        self._models, self._thread, self._is_over = models, ThreadPoolExecutor(1), threading.Event()
        self._sounds: list[Future[np.ndarray] | None] = []
        ends_with_sound = options.length == "audio" and options.start_s is None and options.end_s is None
        for waveform in heard.waveforms.values():
            is_whole = ends_with_sound and len(waveform) >= heard.sound_s * AudioConfig().sample_rate
            # Otherwise only the plan tells how much silence follows.
            self._sounds.append(self._begin(waveform, _SILENCE) if is_whole else None)

    def __enter__(self) -> Hearing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is not None:
            self._is_over.set()
        self._thread.shutdown(cancel_futures=kind is not None)

    def follow(self, voices: list[Voice]) -> list[Future[np.ndarray]]:
        """Hear what the plan of each voice asks for: its features (S, D) come, in the order of the sounds."""
        for number, voice in enumerate(voices):
            silence = count_silence(voice)
            if self._sounds[number] is None or silence > _SILENCE:
                self._sounds[number] = self._begin(voice.waveform, silence)
        return list(self._sounds)

    def rest(self) -> None:
        """Let the speech encoder rest when all is heard."""
        self._thread.submit(rest, self._models.speech)

    def _begin(self, waveform: np.ndarray, silence: int) -> Future[np.ndarray]:
        return self._thread.submit(hear_sound, self._models, waveform, silence, self._is_over)


def hear_voice(models: Models, voice: Voice) -> np.ndarray:
    """Work out the speech features (S, D) of a voice's sound and of the silence that follows it."""
    return hear_sound(models, voice.waveform, count_silence(voice))


def hear_sound(
    models: Models, waveform: np.ndarray, silence: int, is_over: threading.Event | None = None
) -> np.ndarray:  # fmt: skip
    """Work out the speech features (S, D) of a sound (N,) and of so many samples of silence.

    Raises:
        CancelledError: `is_over` was set meanwhile.
    """
    count = len(waveform) + silence
    sound = join_blocks(lambda: (waveform, np.zeros(silence, np.float32)), (count,), np.float32)
    drop_pages(waveform)

    def look_up() -> None:
        drop_pages(sound)
        if is_over is not None and is_over.is_set():
            raise CancelledError

    return encode_speech(models.speech, sound, look_up)


def count_silence(voice: Voice) -> int:
    """Count the samples of silence behind a voice until its dub ends, and some more."""
    last_s = voice.plan.times_s[-1] - voice.plan.span_s[0]
    return max(round(last_s * AudioConfig().sample_rate) + _SILENCE - len(voice.waveform), _SILENCE)
