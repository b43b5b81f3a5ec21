"""Measure how fast g4g dubs, stage by stage, and how fast it starts.

python benchmarks/speed.py VIDEO --audio AUDIO [--weights g4g-small] [--runs 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from g4g.dubbing import Dubber, DubReport
from g4g.engine import CACHE_VARIABLE
from g4g.media import probe
from g4g.options import DEFAULT_WEIGHTS

_WANTED_FPS = 12.0
_WANTED_START_S = 0.5


def time_command(arguments: list[str], runs: int) -> float:
    """Run a command several times; return the fastest wall time in seconds (the rest is the machine's other work)."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def time_import(runs: int) -> float:
    """Time `import g4g` inside a fresh Python, without Python's own start; the fastest of `runs`, in seconds."""
    code = "import time; t = time.perf_counter(); import g4g; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(runs))


def time_dubs(dubber: Dubber, video: Path, audio: Path, runs: int) -> list[tuple[float, DubReport]]:
    """Dub several times; return wall seconds and report of each."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            started = time.perf_counter()
            report = dubber.dub(video, audio, Path(folder) / f"{run}.mp4")
            results.append((time.perf_counter() - started, report))
    return results


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--audio", type=Path, help="default: the video's own sound")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    info = probe(arguments.video)
    print(f"{arguments.video.name}: {info.width}x{info.height}, {info.fps:.4g} fps, {os.cpu_count()} cores")

    started = time.perf_counter()
    os.environ[CACHE_VARIABLE] = ""  # every run looks for the faces itself
    dubber = Dubber.from_pretrained(arguments.weights)
    print(f"{'load ' + arguments.weights:<24}{time.perf_counter() - started:8.2f} s")

    results = time_dubs(dubber, arguments.video, arguments.audio or arguments.video, arguments.runs)
    frames = results[0][1].frames
    rates = [frames / seconds for seconds, _ in results]
    seconds, report = results[rates.index(max(rates))]
    print(f"\nstage of the fastest of {arguments.runs} runs, {frames} frames   ms/frame   frames/s")
    for stage, spent in report.seconds.items():  # stages run side by side: they add up to more than all
        print(f"  {stage:<40}{1000 * spent / frames:11.2f}{frames / max(spent, 1e-9):11.0f}")
    print(f"  {'all':<40}{1000 * seconds / frames:11.2f}{max(rates):11.1f}")
    middle = statistics.median(rates)
    verdict = "reached" if middle >= _WANTED_FPS else "MISSED"
    print(f"end to end, median of the runs: {middle:.1f} frames/s (>= {_WANTED_FPS:g}: {verdict})")

    # What the console script `g4g` runs; it need not be installed.
    command = [sys.executable, "-c", "from g4g.cli import main; main()", "--help"]
    starts = {"import g4g": time_import(arguments.runs), "g4g --help": time_command(command, arguments.runs)}
    for name, spent in starts.items():
        print(f"{name}: {spent:.3f} s (<= {_WANTED_START_S}: {'reached' if spent <= _WANTED_START_S else 'MISSED'})")


if __name__ == "__main__":
    main()
