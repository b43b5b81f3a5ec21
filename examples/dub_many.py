"""Dub every *.mp4 of a folder with the *.wav of the same name beside it; the networks are loaded once."""

import argparse
import sys
from pathlib import Path

import g4g


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds name.mp4 and name.wav, as many pairs as you like")
    parser.add_argument("out", type=Path, help="folder for the dubbed videos")
    parser.add_argument("--weights", default="g4g-small", help="name or file (default: %(default)s)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    dubber = g4g.Dubber.from_pretrained(options.weights)
    failures = 0
    videos = sorted(options.folder.glob("*.mp4"))
    for video in videos:
        try:
            report = dubber.dub(video, video.with_suffix(".wav"), options.out / video.name)
            print(f"{report.output}: {report.frames_dubbed} of {report.frames} frames dubbed")
        except g4g.G4GError as error:
            failures += 1
            print(f"{video}: not dubbed: {error}", file=sys.stderr)
    print(f"{len(videos) - failures} of {len(videos)} videos dubbed")
    return 1 if failures or not videos else 0


if __name__ == "__main__":
    sys.exit(main())
