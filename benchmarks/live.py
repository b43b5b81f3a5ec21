"""Measure a live stream: how late a sound is seen, frames skipped, drift, memory, interruptions, likeness to a dub.

python benchmarks/live.py AVATAR --weights FILE [--audio SOUND] [--minutes 1] [--chunk-ms 20] [--load 0.5]
    [--interrupts 6] [--no-dub] [--out DIR]

The sound is pushed as fast as it is spoken, over and over. Delays are counted from when a sample is spoken to when the
frame that shows it is given; with --load another process takes this share of a core. Afterwards a stream of its own is
interrupted in the middle of sentences that were pushed whole. AVATAR is a file of `g4g avatar`, or a video.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from clips import DATA
from interrupts import describe_interrupts, measure_interrupts
from streams import RATE_HZ, push_sentence

import g4g
from g4g.config import CropConfig
from g4g.faces import crop_face, refine_crop, to_landmarks, transform_points
from g4g.faces.landmarks import MOUTH
from g4g.live import LiveFrame, SegmentEnd
from g4g.media import read_waveform
from g4g.media.ping_pong import ping_pong_numbers
from g4g.metrics.picture import cut_box, mean_squared_error, mouth_box, mse_to_psnr

MOST_MEDIAN_S, MOST_99_S, MOST_AHEAD_S, MOST_SKIPPED, LEAST_PSNR = 0.4, 0.5, 0.2, 0.01, 35.0
"""Our goals."""
_FINE = 2
"""Likeness is measured in crops of so many times 128 px."""


@dataclass(frozen=True)
class LiveFigures:
    """One run: `delays_s` of each frame's first sample; `apart_s`: the most that picture and sound were apart."""

    delays_s: np.ndarray
    skipped: int
    starved: int
    apart_s: float
    shift_s: float
    cpu_cores: float
    grown_mb: float
    look_ahead_s: float


def speak(stream, sound: np.ndarray, seconds: float, chunk: int, spoken: list[float]) -> None:
    """Push a sound again and again, each chunk when its last sample was spoken; note when it began."""
    began_s, at = time.monotonic(), 0
    spoken.append(began_s)
    while at < seconds * RATE_HZ:
        piece = np.take(sound, np.arange(at, at + chunk), mode="wrap")
        at += chunk
        time.sleep(max(began_s + at / RATE_HZ - time.monotonic(), 0))
        stream.push_audio(piece, RATE_HZ)
    stream.end_segment()


def measure_stream(dubber, avatar: Path, sound: np.ndarray, seconds: float, chunk: int) -> LiveFigures:
    """Run a stream beside the wall clock for so long."""
    given_s, numbers, heard, spoken, apart, memory = [], [], [], [], [0.0], []
    with dubber.stream(avatar, sample_rate=RATE_HZ) as stream:
        for _ in islice(stream, 10):
            pass
        cpu_s = time.process_time()
        threading.Thread(target=speak, args=(stream, sound, seconds, chunk, spoken), daemon=True).start()
        samples = 10 * RATE_HZ // 25
        for item in stream:
            if isinstance(item, SegmentEnd):
                break
            given_s.append(time.monotonic())
            numbers.append(item.number)
            heard.append(item.sound)
            samples += len(item.sound)
            apart.append(abs(samples / RATE_HZ - (item.number + 1) / 25))
            memory.append(read_memory_mb()) if item.number % 25 == 0 else None
        cores = (time.process_time() - cpu_s) / (time.monotonic() - spoken[0])
        stats, ahead_s = stream.stats, stream.look_ahead_s
    joined = np.concatenate(heard)
    first_s = numbers[0] / 25
    lag = find_lag(joined, sound)
    last = (len(joined) - lag) // len(sound) * len(sound)
    shift = find_lag(joined[lag + last - len(sound) - 800 :], sound) - 800 if last >= 2 * len(sound) else 0
    shown = np.array(numbers) / 25 - first_s - lag / RATE_HZ  # which second of the sound each frame begins with
    speaks = (shown >= 0) & (shown < seconds - 0.1)
    delays = np.array(given_s)[speaks] - (spoken[0] + shown[speaks])
    grown = memory[-1] - memory[len(memory) // 4]
    return LiveFigures(delays, stats.skipped, stats.starved, max(apart), shift / RATE_HZ, cores, grown, ahead_s)


def find_lag(joined: np.ndarray, sound: np.ndarray) -> int:
    """Find where a sound first lies in what was heard, to the sample, by pieces of a quarter of a second."""
    loud = np.flatnonzero(np.abs(sound) > 100)
    for start in loud[:: len(loud) // 20]:
        probe = sound[start : start + 4_000]
        for at in np.flatnonzero(joined[:-4_000] == probe[0]):
            if np.array_equal(joined[at : at + 4_000], probe):
                return int(at - start)
    raise SystemExit("the sound that came out is not the one that went in")


def read_memory_mb() -> float:
    """Resident memory of this process without pages of files."""
    fields = Path("/proc/self/status").read_text().split("RssAnon:")[1].split()
    return int(fields[0]) / 1024


def compare_with_dub(dubber, avatar: Path, audio: Path) -> np.ndarray:
    """Compare a stream with a dub of the same sound: PSNR in the mouth's box of each frame, in dB."""
    sound, values = read_waveform(audio), []
    known = dubber._open(avatar, False, None)
    fps = known.info.fps
    head = max((person.head for person in known.persons.values()), key=lambda head: len(head.frames))
    with dubber.stream(avatar, fps=fps, paced=False) as stream:
        push_sentence(stream, sound)
        numbers = ping_pong_numbers(len(known.tracks), len(sound))
        for made, item, number in zip(dubber.generate_frames(avatar, audio), stream, numbers, strict=False):
            if not isinstance(item, LiveFrame):
                break
            if made.faces:
                (row,) = head.find_rows([number])
                matrix = refine_crop(head.frame_to_crop[row], _FINE)
                points = transform_points(matrix, to_landmarks(head.mesh[row])[MOUTH])
                box = mouth_box(points, _FINE * CropConfig().size)
                ours, theirs = (crop_face(x.frame, matrix, _FINE * CropConfig().size) for x in (item, made))
                values.append(mse_to_psnr(mean_squared_error(cut_box(ours, box), cut_box(theirs, box))))
    return np.array(values)


def burn(share: float) -> None:
    """Take a share of a core for ever."""
    while True:
        began_s = time.monotonic()
        while time.monotonic() - began_s < 0.02 * share:
            pass
        time.sleep(0.02 * (1 - share))


def describe(figures: LiveFigures) -> list[tuple[str, str, bool | None]]:
    """List rows of the table: name, figure, whether our goal is reached (None: there is none)."""
    delays, frames = figures.delays_s, len(figures.delays_s) + figures.skipped
    middle, late, skipped = np.median(delays), np.quantile(delays, 0.99), figures.skipped / frames
    return [
        ("look-ahead", f"{1000 * figures.look_ahead_s:.0f} ms", figures.look_ahead_s <= MOST_AHEAD_S),
        ("delay, median", f"{1000 * middle:.0f} ms", middle <= MOST_MEDIAN_S),
        ("delay, 99 %", f"{1000 * late:.0f} ms", late <= MOST_99_S),
        ("delay, most", f"{1000 * delays.max():.0f} ms", None),
        ("frames skipped", f"{figures.skipped} of {frames} ({skipped:.2%})", skipped <= MOST_SKIPPED),
        ("sound that came too late", f"{figures.starved} times", figures.starved == 0),
        ("picture and sound apart, most", f"{1000 * figures.apart_s:.1f} ms", figures.apart_s <= 0.04),
        ("sound of the last round moved by", f"{1000 * figures.shift_s:.1f} ms", abs(figures.shift_s) <= 0.04),
        ("processor", f"{figures.cpu_cores:.2f} cores", None),
        ("memory grown after the first quarter", f"{figures.grown_mb:.1f} MB", figures.grown_mb < 20),
    ]


def draw_histogram(delays_s: np.ndarray, width: int = 60, step_ms: int = 20) -> str:
    """Draw delays as lines of text."""
    steps = (1000 * delays_s / step_ms).astype(int)
    counts = np.bincount(steps)
    rows = [
        f"{step * step_ms:5d} ms {count:6d} {'#' * int(np.ceil(width * count / counts.max()))}"
        for step, count in enumerate(counts) if count
    ]  # fmt: skip
    return "\n".join(rows)


def main() -> int:
    """Parse, measure, print; the status is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--audio", type=Path, default=Path(DATA) / "speech" / "jfk_public_domain.flac")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--chunk-ms", type=int, default=20)
    parser.add_argument("--load", type=float, default=0.0, help="share of a core that another process takes")
    parser.add_argument("--interrupts", type=int, default=6, help="sentences that are interrupted (%(default)s)")
    parser.add_argument("--no-dub", action="store_true", help="do not compare with a dub")
    parser.add_argument("--out", type=Path, help="folder for live.json")
    arguments = parser.parse_args()
    dubber = g4g.Dubber.from_pretrained(arguments.weights)
    sound = np.round(np.asarray(read_waveform(arguments.audio)) * 32_767).astype(np.int16)
    others = [multiprocessing.Process(target=burn, args=(arguments.load,), daemon=True)] * bool(arguments.load)
    for other in others:
        other.start()
    chunk = arguments.chunk_ms * RATE_HZ // 1000
    figures = measure_stream(dubber, arguments.avatar, sound, 60 * arguments.minutes, chunk)
    breaks = measure_interrupts(dubber, arguments.avatar, sound, arguments.interrupts) if arguments.interrupts else None
    for other in others:
        other.kill()
    rows = describe(figures) + (describe_interrupts(breaks) if breaks else [])
    if not arguments.no_dub:
        alike = compare_with_dub(dubber, arguments.avatar, arguments.audio)
        rows += [
            ("likeness to a dub, median", f"{np.median(alike):.1f} dB", bool(np.median(alike) >= LEAST_PSNR)),
            ("likeness to a dub, worst tenth", f"{np.quantile(alike, 0.1):.1f} dB", None),
        ]
    print(f"{arguments.avatar.name}, {arguments.minutes:g} minutes, {os.cpu_count()} cores, load {arguments.load:g}")
    for name, figure, reached in rows:
        print(f"{name:<44}{figure:>24}  {'' if reached is None else 'reached' if reached else 'MISSED'}")
    print(draw_histogram(figures.delays_s))
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        told = asdict(figures) | {"delays_s": np.round(figures.delays_s, 4).tolist()}
        told |= {name: values.tolist() for name, values in vars(breaks).items()} if breaks else {}
        (arguments.out / "live.json").write_text(json.dumps(told))
    return int(any(reached is False for _, _, reached in rows))


if __name__ == "__main__":
    sys.exit(main())
