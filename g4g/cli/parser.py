"""The parser of the command line: every command of g4g and where its options stand."""

from __future__ import annotations

import argparse

from g4g import __version__
from g4g.cli import avatar, batch, dub, evaluate, export, faces, finetune, inspect, prepare, serve, train

COMMANDS = (dub, batch, avatar, faces, inspect, serve, prepare, evaluate, finetune, train, export)
"""Modules with `add(commands)`, in the order of `g4g --help`."""

_EXAMPLE = """examples:
  g4g dub talk.mp4 --audio german.wav -o talk-german.mp4
  g4g faces panel.mp4 -o faces.png && g4g dub panel.mp4 --audio german.wav --face 1 -o panel-german.mp4
  g4g avatar ann.mp4 -o ann.avatar && g4g dub ann.avatar --audio german.wav -o ann-german.mp4
  g4g dub portrait.png --audio voice.wav -o portrait.mp4 --sheet portrait.png
  g4g batch jobs.csv -o dubs/
  g4g inspect talk-german.mp4
  g4g evaluate talk-german.mp4 --reference talk.mp4 --audio german.wav
  g4g finetune clips-of-ann/ -o ann.safetensors && g4g dub new.mp4 --audio new.wav --weights ann.safetensors -o out.mp4
  g4g prepare clips/ -o data/ && g4g train generator data/ -o my.safetensors --weights g4g-small"""


def make_parser() -> argparse.ArgumentParser:
    """Describe every command; importing a command loads nothing heavy, so that `g4g --help` is quick."""
    parser = argparse.ArgumentParser(
        "g4g", description="A video of a person and a new sound in; the same video with lips that say it out.",
        epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"g4g {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
