"""The exceptions of g4g: every message says what was expected, what was found and what to do."""


class G4GError(Exception):
    """Base of all errors that g4g raises on purpose; the command line prints them as one line."""


class MediaError(G4GError):
    """A file cannot be read or written as video, picture or sound."""


class FaceError(G4GError):
    """No usable face, or a face backend that cannot be set up."""


class CheckpointError(G4GError):
    """Weights are unknown, missing, damaged or made for another network."""


class ResourceError(G4GError):
    """The machine has too little memory for the work."""


class DataError(G4GError):
    """Training data is missing, empty or damaged."""


class ConfigError(G4GError, ValueError):
    """A combination of settings that cannot work."""


class ShapeError(G4GError, ValueError):
    """An array of another shape than the function works on."""
