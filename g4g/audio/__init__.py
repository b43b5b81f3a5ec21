"""Sound to log-mel and to features of speech, and the one place where seconds become mel steps."""

from g4g.audio.causal import SpeechConfig, SpeechEncoder
from g4g.audio.features import SPEECH_RATE, Encoder, count_speech_rows, encode_speech, features_at
from g4g.audio.mel import count_mel_steps, log_mel, window_starts
from g4g.audio.streaming import SpeechStream
from g4g.audio.whisper import WhisperConfig, WhisperEncoder

__all__ = [
    "SPEECH_RATE", "Encoder", "SpeechConfig", "SpeechEncoder", "SpeechStream", "WhisperConfig", "WhisperEncoder",
    "count_mel_steps", "count_speech_rows", "encode_speech", "features_at", "log_mel", "window_starts",
]  # fmt: skip
