"""Dub the bundled portrait (NASA, public domain) with the bundled voice; needs `pip install "g4g[demo]"`."""

import argparse
from pathlib import Path

import skimage.data
from PIL import Image

import g4g

VOICE = Path(__file__).with_name("voice.wav")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="g4g-small", help="name or file (default: %(default)s)")
    parser.add_argument("--audio", type=Path, default=VOICE, help="what it says (default: the bundled voice)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder (default: %(default)s)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    portrait = options.out / "portrait.png"
    Image.fromarray(skimage.data.astronaut()).save(portrait)
    dubber = g4g.Dubber.from_pretrained(options.weights)
    report = dubber.dub(
        portrait, options.audio, options.out / "portrait_dubbed.mp4", overwrite=True,
        sheet=options.out / "contact_sheet.png",
    )  # fmt: skip
    print(f"video:         {report.output.resolve()}")
    print(f"contact sheet: {report.sheet.resolve()}")


if __name__ == "__main__":
    main()
