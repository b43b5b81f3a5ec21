"""Is the mark in the picture recognised after a video was halved and encoded at crf 28, and never where there is none?

python benchmarks/watermark.py [--limit 200]

Videos and portraits stand for dubs: the mark lies in the whole frame, whatever the lips do.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from command import say

from g4g.media import FrameFormat, VideoWriter, read_frames
from g4g.media.ffmpeg import run_ffmpeg
from g4g.provenance.watermark import LEAST_SCORE, add_watermark, score_watermark

DATA = Path(os.environ.get("G4G_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
WANTED = 0.99
FRAMES = 25
_WIDEST_PX = 1280
"""Wider portraits are made smaller, to save time."""


def list_clips(limit: int) -> list[Path]:
    """List videos and pictures of many people: half of them pictures, which do not move and so hide the mark best."""
    videos = [*sorted(DATA.glob("wild/*.mp4")), *sorted(DATA.glob("cremad/*.mp4"))]
    for folder, wanted in (("grid/*/*.mp4", limit // 2), ("portraits/*.jpg", limit)):
        found = sorted(DATA.glob(folder))
        rest = max(wanted - len(videos), 1)
        videos += found[:: max(len(found) // rest, 1)][:rest]
    return videos[:limit]


def read_some(clip: Path) -> list[np.ndarray]:
    """Read the first frames of a video, or a picture as often."""
    frames = [item.frame for item in islice(read_frames(clip), FRAMES)]
    if len(frames) == 1:
        share = min(_WIDEST_PX / frames[0].shape[1], 1.0)
        small = cv2.resize(frames[0], None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        height, width = (side // 2 * 2 for side in small.shape[:2])
        frames = [small[:height, :width]] * FRAMES
    return frames


def write_once_more(frames: list[np.ndarray], out: Path, is_marked: bool) -> float:
    """Write frames as a dub is written, with or without the mark; return the mark's PSNR in dB."""
    height, width = frames[0].shape[:2]
    with VideoWriter(out, FrameFormat(width, height, 25.0)) as writer:
        for frame in frames:
            writer.write(add_watermark(frame) if is_marked else frame)
    return float(-10 * np.log10(np.mean((add_watermark(frames[0]).astype(float) - frames[0]) ** 2) / 255**2))


def score_after(file: Path, small: Path) -> float:
    """Halve a video, encode it at crf 28, and score it."""
    shrink = ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", "-c:v", "libx264", "-crf", "28", "-y", str(small)]
    run_ffmpeg(["-i", str(file), *shrink], "make a video smaller")
    return score_watermark(item.frame for item in read_frames(small))


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=200, help="clips (%(default)s)")
    clips = list_clips(parser.parse_args().limit)
    scores: dict[bool, list[float]] = {True: [], False: []}
    psnr = []
    with tempfile.TemporaryDirectory() as folder:
        out, small = Path(folder) / "dub.mp4", Path(folder) / "small.mp4"
        for number, clip in enumerate(clips, 1):
            frames = read_some(clip)
            for is_marked in (True, False):
                psnr.append(write_once_more(frames, out, is_marked))
                scores[is_marked].append(score_after(out, small))
                out.unlink()
            say(f"{number} of {len(clips)}")
    marked, plain = np.array(scores[True]), np.array(scores[False])
    share = np.mean(marked >= LEAST_SCORE)
    print(f"recognised: {share:.1%} of {len(marked)} with the mark (scores {marked.min():.1f} to {marked.max():.1f})")
    print(f"wrongly: {np.sum(plain >= LEAST_SCORE)} of {len(plain)} without ({plain.min():.1f} to {plain.max():.1f})")
    print(f"PSNR of the marked frames: {np.mean(psnr):.1f} dB")
    print("good enough" if share >= WANTED and not np.any(plain >= LEAST_SCORE) else "not good enough")


if __name__ == "__main__":
    main()
