"""The page of `g4g serve`: dubbing in a browser; needs the extra serve, which is loaded when the page is built."""

from g4g.serve.studio import Stopped, Studio

__all__ = ["Stopped", "Studio"]
