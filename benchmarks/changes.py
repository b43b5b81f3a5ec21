"""Sounds put through what voices, rooms and lines do to them; but for speed, every moment stays where it was."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import librosa
import numpy as np
import scipy.interpolate
import scipy.io.wavfile
import scipy.signal

from g4g.config import AudioConfig
from g4g.media import read_waveform
from g4g.media.ffmpeg import input_arguments, run_ffmpeg, to_url

SAMPLE_RATE = AudioConfig().sample_rate
SPEEDS = {"faster by a quarter": 1.25, "slower by a fifth": 0.8}
"""Changes that move every moment: what was said at t seconds is then said at t / speed."""

_N_FFT, _LIFTER = 1024, 30
"""The spectrum's envelope is what its first cepstral coefficients tell: formants, not the voice's harmonics."""
_REVERBERATION_S = 0.6
_SNR_DB = 5.0
_BABBLE = 5

Change = Callable[[np.ndarray, Sequence[np.ndarray], np.random.Generator], np.ndarray]
"""Takes a waveform, other people's waveforms and a generator of chances; returns the changed waveform."""


def change_loudness(waveform: np.ndarray, decibels: float) -> np.ndarray:
    """Make a waveform louder or quieter; what no longer fits is clipped."""
    return np.clip(waveform * 10 ** (decibels / 20), -1, 1)


def shift_pitch(waveform: np.ndarray, semitones: float) -> np.ndarray:
    """Shift pitch and formants together, as in a smaller or larger head; timing stays."""
    return librosa.effects.pitch_shift(waveform, sr=SAMPLE_RATE, n_steps=semitones)


def shift_formants(waveform: np.ndarray, factor: float) -> np.ndarray:
    """Move the formants alone: the spectrum's envelope is stretched, harmonics and phases stay."""
    spectrum = librosa.stft(waveform, n_fft=_N_FFT)
    envelope = _smooth_spectrum(np.log(np.abs(spectrum) + 1e-6))
    bins = np.arange(len(envelope))
    moved = scipy.interpolate.interp1d(bins, envelope, axis=0)(np.minimum(bins / factor, bins[-1]))
    return librosa.istft(spectrum * np.exp(moved - envelope), length=len(waveform))


def change_speed(waveform: np.ndarray, speed: float) -> np.ndarray:
    """Speak faster or slower at the same pitch."""
    return librosa.effects.time_stretch(waveform, rate=speed)


def add_room(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Speak in a hall: the direct sound, then as much energy in echoes that fade by 60 dB in 0.6 s."""
    times_s = np.arange(int(_REVERBERATION_S * SAMPLE_RATE)) / SAMPLE_RATE
    echoes = rng.normal(size=len(times_s)) * 10 ** (-3 * times_s / _REVERBERATION_S)
    echoes /= np.sqrt((echoes**2).sum())
    echoes[0] = 1
    return scipy.signal.fftconvolve(waveform, echoes)[: len(waveform)]


def add_noise(waveform: np.ndarray, noise: np.ndarray, snr_db: float = _SNR_DB) -> np.ndarray:
    """Add noise so that speech has `snr_db` more energy over the whole clip."""
    noise = np.resize(noise, len(waveform))
    gain = np.sqrt((waveform**2).mean() / (noise**2).mean() / 10 ** (snr_db / 10))
    return waveform + gain * noise


def mix_babble(others: Sequence[np.ndarray], rng: np.random.Generator, length: int) -> np.ndarray:
    """Mix a few other people's speech, each equally loud and begun anywhere."""
    chosen = rng.permutation(len(others))[:_BABBLE]
    voices = [np.roll(np.resize(others[i], length), rng.integers(length)) for i in chosen]
    return np.sum([voice / np.sqrt((voice**2).mean()) for voice in voices], axis=0)


def send_through(waveform: np.ndarray, suffix: str, *arguments: str) -> np.ndarray:
    """Encode by ffmpeg and decode; the codec's delay is measured and taken back."""
    with tempfile.TemporaryDirectory() as folder:
        plain = write_sound(Path(folder) / "plain.wav", waveform)
        coded = Path(folder) / f"coded{suffix}"
        run_ffmpeg([*input_arguments(plain), *arguments, to_url(coded)], f"encode {suffix}")
        return align_sound(np.array(read_waveform(coded)), waveform)


def align_sound(late: np.ndarray, waveform: np.ndarray) -> np.ndarray:
    """Shift a sound so that it fits a waveform best, and give it the same length."""
    correlation = scipy.signal.correlate(late, waveform)
    delay = int(np.abs(correlation).argmax()) - (len(waveform) - 1)
    shifted = late[delay:] if delay > 0 else np.pad(late, (-delay, 0))
    return np.pad(shifted, (0, max(len(waveform) - len(shifted), 0)))[: len(waveform)]


def write_sound(path: Path, waveform: np.ndarray) -> Path:
    """Write a waveform as a wav file of floats: nothing is rounded or clipped."""
    scipy.io.wavfile.write(path, SAMPLE_RATE, np.asarray(waveform, np.float32))
    return path


CHANGES: dict[str, Change] = {
    "clean": lambda w, others, rng: w,
    "20 dB quieter": lambda w, others, rng: change_loudness(w, -20),
    "10 dB louder": lambda w, others, rng: change_loudness(w, 10),
    "a child's pitch (7 semitones up)": lambda w, others, rng: shift_pitch(w, 7),
    "a giant's pitch (5 semitones down)": lambda w, others, rng: shift_pitch(w, -5),
    "formants up by a fifth": lambda w, others, rng: shift_formants(w, 1.2),
    "formants down by a sixth": lambda w, others, rng: shift_formants(w, 1 / 1.2),
    **{name: lambda w, others, rng, speed=speed: change_speed(w, speed) for name, speed in SPEEDS.items()},
    "room": lambda w, others, rng: add_room(w, rng),
    "white noise": lambda w, others, rng: add_noise(w, rng.normal(size=len(w))),
    "babble": lambda w, others, rng: add_noise(w, mix_babble(others, rng, len(w))),
    "MP3 at 32 kbit/s": lambda w, others, rng: send_through(w, ".mp3", "-c:a", "libmp3lame", "-b:a", "32k"),
    "Opus at 12 kbit/s": lambda w, others, rng: send_through(w, ".ogg", "-c:a", "libopus", "-b:a", "12k"),
    "telephone": lambda w, others, rng: send_through(w, ".wav", "-ar", "8000", "-c:a", "pcm_mulaw"),
}
"""Each at its strongest; names as the table shows them."""


def _smooth_spectrum(log_spectrum: np.ndarray) -> np.ndarray:
    """Keep the envelope of log magnitudes (bins, T)."""
    cepstrum = np.fft.irfft(log_spectrum, axis=0)
    cepstrum[_LIFTER:-_LIFTER] = 0
    return np.fft.rfft(cepstrum, axis=0).real
