"""What can be told to be wrong with a dub before a network is loaded: its settings, its files, its output."""

from __future__ import annotations

import os
from pathlib import Path

from g4g.errors import ConfigError
from g4g.media.decode import check_input, find_video, open_media
from g4g.media.encode import Encoding, choose_encoding
from g4g.media.folder import list_pictures
from g4g.media.sheet import check_sheet
from g4g.media.sound import check_sound
from g4g.media.write import check_output
from g4g.options import DubOptions
from g4g.settings import as_path

_ZIP = b"PK\x03\x04"
"""With this begins what `g4g avatar` writes."""


def check_dub(
    video: str | os.PathLike, audio: str | os.PathLike | None, out: str | os.PathLike, settings: DubOptions
) -> tuple[dict[int | None, str | os.PathLike], Encoding]:
    """Check all of a dub that can be checked in the blink of an eye.

    Args:
        video, audio, out: as for `Dubber.dub`.
        settings: its other arguments.
    Returns:
        The sounds as `list_sounds` gives them, and how the picture will be stored.
    Raises:
        ConfigError: arguments of a wrong kind, or that do not fit each other or the output's container.
        MediaError: a file that is not there, or holds no picture or no sound; an output that cannot be written.
    """
    encoding = choose_encoding(as_path(out, "out"), settings.codec, settings.crf)
    sounds = list_sounds(audio, settings)
    inputs = [file for file in (video, audio, *sounds.values()) if file is not None]
    check_output(Path(out), settings.overwrite, inputs)
    if settings.sheet is not None:
        check_sheet(Path(settings.sheet), inputs)
    check_video(video)
    for sound in dict.fromkeys(inputs[1:]):
        check_sound(sound)
    return sounds, encoding


def list_sounds(audio: str | os.PathLike | None, options: DubOptions) -> dict[int | None, str | os.PathLike]:
    """Give the sound that drives each face by its number; None stands for whom `options.face` chooses.

    Raises:
        ConfigError: there is no sound, or it is no path.
    """
    if options.speakers:
        return {number: sound for number, sound in options.speakers.items()}
    if audio is None:
        raise ConfigError("no sound given: name an `audio`, or one of the `speakers` for each face")
    return {None: options.voice or as_path(audio, "audio")}


def check_video(video: str | os.PathLike) -> None:
    """Check that a file, or a folder, has pictures to show. Raises MediaError where it has none."""
    path = as_path(video, "video")
    if path.is_dir():
        list_pictures(path)
        return
    with check_input(path).open("rb") as file:
        if file.read(len(_ZIP)) == _ZIP:
            return
    with open_media(path) as container:
        find_video(container, path)
