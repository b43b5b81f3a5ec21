"""Weights that can stream: a causal encoder in the place of Whisper's, and a motion network that waits for nothing

python -m g4g.training.live_weights STUDENT -o live.safetensors [--weights g4g-small]
g4g train motion DATA -o live.safetensors

The second command fits the motion network to the student's features; before it, mouths move at random.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from g4g.audio.causal import load_speech_encoder
from g4g.errors import ConfigError
from g4g.motion import Motion
from g4g.options import DEFAULT_WEIGHTS
from g4g.zoo import Models, load, save_models

LIVE_TAPS = (-14, -12, -10, -8, -6, -4, -2, 0)
"""As many rows as usual, none after a frame's own: the encoder has looked ahead already."""


def make_live_weights(student: str | Path, out: str | Path, weights: str | Path = DEFAULT_WEIGHTS) -> Models:
    """Write weights that can stream.

    Args:
        student: file of a causal encoder, as `save_speech_encoder` writes it.
        out: weight file to write.
        weights: whose other networks are taken.
    Returns:
        What was written; its motion network is fresh.
    Raises:
        CheckpointError: a file is damaged or of another kind. ConfigError: the encoder gives rows of another width than
        the other networks take.
    """
    base, encoder = load(weights), load_speech_encoder(student)
    if encoder.config.size != base.motion.config.speech:
        raise ConfigError(
            f"the rows of {student} have {encoder.config.size} values, {weights} takes {base.motion.config.speech}; "
            "train the encoder with that size"
        )
    motion = Motion(replace(base.motion.config, taps=LIVE_TAPS))
    motion.components.copy_(base.motion.components)
    models = replace(base, name=Path(out).stem, speech=encoder, motion=motion.eval().requires_grad_(False))
    save_models(out, models)
    return models


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student")
    parser.add_argument("-o", "--out", required=True)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    options = parser.parse_args()
    make_live_weights(options.student, options.out, options.weights)
    print(f"{options.out}: now fit its motion network, g4g train motion DATA -o {options.out}")


if __name__ == "__main__":
    main()
