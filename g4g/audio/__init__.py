"""Sound to log-mel and to features of speech, and the one place where seconds become mel steps."""

from g4g.audio.mel import count_mel_steps, log_mel, mel_windows, shared_windows, window_starts
from g4g.audio.speech import SPEECH_RATE, SpeechConfig, SpeechEncoder, encode_speech, features_at

__all__ = [
    "SPEECH_RATE", "SpeechConfig", "SpeechEncoder", "count_mel_steps", "encode_speech", "features_at", "log_mel",
    "mel_windows", "shared_windows", "window_starts",
]  # fmt: skip
