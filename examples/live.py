"""A sound, pushed as if it were being spoken: python examples/live.py ann.avatar voice.wav [out.mp4] --weights FILE"""

import argparse
import itertools
import sys
import threading
import time

import av
import cv2

import g4g
from g4g.live import LiveFrame
from g4g.media import read_waveform


def speak(stream, waveform, rate_hz=16_000, chunk_s=0.04):
    for first in range(0, len(waveform), size := round(chunk_s * rate_hz)):
        time.sleep(chunk_s)
        stream.push_audio(waveform[first : first + size], rate_hz)
    stream.end_segment()


def show(frames):
    for item in frames:
        cv2.imshow("g4g", item.frame[..., ::-1])
        cv2.waitKey(1)


def write(frames, out, size):
    with av.open(out, "w") as file:
        picture, sound = file.add_stream("h264", 25, options={"preset": "ultrafast"}), file.add_stream("aac", 48_000)
        picture.height, picture.width = size
        for item in frames:
            frame, heard = av.VideoFrame.from_ndarray(item.frame), av.AudioFrame.from_ndarray(item.sound[None], "s16")
            frame.pts, heard.sample_rate = item.number, item.sample_rate
            file.mux([*picture.encode(frame), *sound.encode(heard)])
        file.mux([*picture.encode(), *sound.encode()])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("avatar", help="file of `g4g avatar --weights ...`, or a video")
    parser.add_argument("audio")
    parser.add_argument("out", nargs="?", help="video to write; without it a window shows the frames, unheard")
    parser.add_argument("--weights", required=True, help="g4g-live, or others that can stream (docs/live.md)")
    options = parser.parse_args()
    try:
        waveform = read_waveform(options.audio)
        with g4g.Dubber.from_pretrained(options.weights).stream(options.avatar) as stream:
            threading.Thread(target=speak, args=(stream, waveform), daemon=True).start()
            frames = itertools.takewhile(lambda item: isinstance(item, LiveFrame), stream)  # until the segment's end
            write(frames, options.out, stream.size) if options.out else show(frames)
            print(stream.stats)
    except g4g.G4GError as error:
        print(f"not shown: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
