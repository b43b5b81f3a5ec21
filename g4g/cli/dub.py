"""g4g dub."""

from __future__ import annotations

import argparse
from pathlib import Path

from g4g.cli.flags import add_debug, add_settings, name_flags, read_settings
from g4g.cli.progress import show_progress
from g4g.errors import ConfigError
from g4g.options import DubOptions, LoadOptions


def add(commands) -> None:
    """Describe the command."""
    parser = commands.add_parser("dub", help="dub one video", description="Dub a video, or make a still picture speak.")
    parser.set_defaults(run=run)
    parser.add_argument(
        "video", help="video, still picture or folder of pictures of a person, or what g4g avatar wrote"
    )
    parser.add_argument("--audio", help="the new sound: a sound file, or a video with sound")
    parser.add_argument(
        "-o", "--out", required=True, help="video to write, .mp4 .m4v .mov .mkv or .webm; appears whole or not at all"
    )
    add_settings(parser, LoadOptions)
    add_settings(parser, DubOptions)
    parser.add_argument("--json", metavar="FILE", help="write the report")
    add_debug(parser)


def run(options: argparse.Namespace) -> None:
    """Dub one video and print what was done."""
    from g4g.checkpoints import check_weights
    from g4g.checkpoints.atomic import write_whole
    from g4g.media.check import check_dub
    from g4g.media.write import check_output
    from g4g.provenance import choose_signer

    settings = read_settings(options, DubOptions) | {"speakers": _parse_speakers(options.speakers)}
    loading = LoadOptions(**read_settings(options, LoadOptions))
    check_weights(loading.weights)
    asked = DubOptions(**settings)
    check_dub(options.video, options.audio, options.out, asked)
    if asked.provenance and not asked.dry_run:
        choose_signer(asked.sign)
    if options.json:
        check_output(Path(options.json), True, inputs=filter(None, (options.video, options.audio, options.voice)))
    from g4g.adapting import Dubber  # torch: what is wrong so far was told in half a second

    with show_progress() as report:
        report("load", 0, 1)
        dubber = Dubber.from_pretrained(**read_settings(options, LoadOptions))
        report("load", 1, 1)
        result = dubber.dub(options.video, options.audio, options.out, progress=report, **settings)
    if options.json:
        write_whole(Path(options.json), (result.to_json() + "\n").encode())
    print(name_flags(str(result)))


def _parse_speakers(given: list[str]) -> dict[int, str]:
    """Read 0=a.wav, 1=b.wav."""
    speakers = {}
    for words in given:
        number, is_pair, sound = words.partition("=")
        if not is_pair or not number.isdecimal() or not sound or int(number) in speakers:
            raise ConfigError(f"--speaker takes N=SOUND, once for each face, such as 0=anna.wav; got {words!r}")
        speakers[int(number)] = sound
    return speakers
