"""Dub one video with one sound file: python examples/dub_video.py talk.mp4 german.wav talk_german.mp4"""

import argparse
import sys
from pathlib import Path

import g4g


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="g4g-small", help="name or file (default: %(default)s)")
    options = parser.parse_args()
    try:
        dubber = g4g.Dubber.from_pretrained(options.weights)
        report = dubber.dub(options.video, options.audio, options.out)
    except g4g.G4GError as error:
        print(f"not dubbed: {error}", file=sys.stderr)
        return 1
    print(f"{report.output}: {report.frames_dubbed} of {report.frames} frames dubbed, {report.duration_s:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
