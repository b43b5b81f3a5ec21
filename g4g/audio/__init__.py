"""Sound to log-mel, and the one place where seconds become mel steps."""

from g4g.audio.mel import count_mel_steps, log_mel, mel_windows, shared_windows, window_starts

__all__ = ["count_mel_steps", "log_mel", "mel_windows", "shared_windows", "window_starts"]
