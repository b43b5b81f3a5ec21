"""Measure how fast g4g dubs, stage by stage, and how fast it starts.

python benchmarks/speed.py VIDEO --audio AUDIO [--weights g4g-small] [--runs 3] [--prepared] [--device cuda]
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from g4g.dubbing import Dubber, DubReport
from g4g.engine import CACHE_VARIABLE, count_threads
from g4g.media import MediaInfo, probe
from g4g.options import DEFAULT_WEIGHTS

_WANTED_START_S, _WANTED_FIRST_FRAME_S, _WANTED_GB, _WANTED_PREPARED_FPS = 0.5, 3.0, 1.2, 40.0
_WANTED_FPS = {
    (360, 288): {3: 60.0, 30: 75.0}, (1280, 720): {10: 25.0, 60: 30.0}, (1920, 1080): {10: 12.0, 60: 15.0},
}  # fmt: skip
"""Frames/s by the video's size and its length in seconds, on two cores."""


@dataclass(frozen=True)
class Run:
    """One dub: how long it took, and when its first frame was written, both in seconds."""

    seconds: float
    first_frame_s: float
    report: DubReport


def choose_goal(width: int, height: int, length_s: float) -> float | None:
    """Find the goal for a video, in frames/s: of its size, turned or not, and of the length that is nearest."""
    goals = _WANTED_FPS.get((max(width, height), min(width, height)))
    return goals and goals[min(goals, key=lambda length: abs(math.log(length_s / length)))]


def grade(measured: float, goal: float, is_most: bool = False) -> str:
    """Say whether a goal, the least or the most that is wanted, is reached."""
    reached = measured <= goal if is_most else measured >= goal
    return f"(goal {'<=' if is_most else '>='} {goal:g}: {'reached' if reached else 'MISSED'})"


def measure_peak_gb() -> float:
    """Tell the most memory that this process has held so far, in GB (10^9 bytes)."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / 1e9


class OwnPeak:
    """Watches, from a thread, the most memory in GB that this process holds in no file: `gb`; 0 where only Linux tells.

    Of mapped files, mostly libraries, the system keeps one copy for all processes, and drops what it needs.
    """

    _EVERY_S = 0.01

    def __init__(self) -> None:
        self.gb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> OwnPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        pages = Path("/proc/self/statm")
        while pages.exists() and not self._done.wait(self._EVERY_S):
            held, in_files = map(int, pages.read_text().split()[1:3])
            self.gb = max(self.gb, (held - in_files) * os.sysconf("SC_PAGESIZE") / 1e9)


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


def time_dubs(dubber: Dubber, video: Path, audio: Path, runs: int) -> list[Run]:
    """Dub several times, after a dub that does not count: there networks are converted and code is compiled."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        dubber.dub(video, audio, Path(folder) / "first.mp4")
        for run in range(runs):
            first: list[float] = []

            def note(stage: str, done: int, total: int, first: list[float] = first) -> None:
                if stage == "dub" and not first:
                    first.append(time.perf_counter())

            started = time.perf_counter()
            report = dubber.dub(video, audio, Path(folder) / f"{run}.mp4", progress=note)
            results.append(Run(time.perf_counter() - started, first[0] - started, report))
    return results


def print_runs(runs: list[Run], goal: float | None) -> None:
    """Print the stages of the fastest run, and the medians of all beside their goals."""
    fastest = min(runs, key=lambda run: run.seconds)
    frames = fastest.report.frames
    print(f"\nstage of the fastest of {len(runs)} runs, {frames} frames   ms/frame   frames/s")
    for stage, spent in fastest.report.seconds.items():  # stages run side by side: they add up to more than all
        print(f"  {stage:<40}{1000 * spent / frames:11.2f}{frames / max(spent, 1e-9):11.0f}")
    print(f"  {'all':<40}{1000 * fastest.seconds / frames:11.2f}{frames / fastest.seconds:11.1f}")
    middle = statistics.median(frames / run.seconds for run in runs)
    first_s = statistics.median(run.first_frame_s for run in runs)
    verdict = "(no goal for this size)" if goal is None else grade(middle, goal)
    print(f"end to end, median of the runs: {middle:.1f} frames/s {verdict}")
    print(f"first frame written after {first_s:.2f} s {grade(first_s, _WANTED_FIRST_FRAME_S, is_most=True)}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--audio", type=Path, help="default: the video's own sound")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prepared", action="store_true", help="make an avatar first, and dub that")
    parser.add_argument("--device", default="cpu", help="torch device: cpu, cuda, mps, auto (default: %(default)s)")
    parser.add_argument("--engine", default="auto", help="torch, openvino, onnx or auto (default: %(default)s)")
    return parser.parse_args()


def measure_dubs(arguments: argparse.Namespace, info: MediaInfo) -> None:
    """Load, dub and print, stage by stage."""
    started = time.perf_counter()
    os.environ[CACHE_VARIABLE] = ""  # every run looks for the faces itself
    dubber = Dubber.from_pretrained(arguments.weights, device=arguments.device, engine=arguments.engine)
    print(f"{'load ' + arguments.weights:<24}{time.perf_counter() - started:8.2f} s")

    audio, goal = arguments.audio or arguments.video, choose_goal(info.width, info.height, info.duration_s)
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video
        if arguments.prepared:
            video = Path(folder) / "prepared.avatar"
            dubber.make_avatar(arguments.video, video)
            goal = _WANTED_PREPARED_FPS if goal == choose_goal(1280, 720, info.duration_s) else None
        print_runs(time_dubs(dubber, video, audio, arguments.runs), goal)


def main() -> None:
    """Parse, measure, print."""
    arguments = parse_arguments()
    info = probe(arguments.video)
    print(
        f"{arguments.video.name}: {info.width}x{info.height}, {info.fps:.4g} fps, {count_threads()} threads, "
        f"device {arguments.device}, engine {arguments.engine}"
    )
    with OwnPeak() as own:
        measure_dubs(arguments, info)
    peak_gb = measure_peak_gb()
    print(f"peak memory, libraries included: {peak_gb:.2f} GB {grade(peak_gb, _WANTED_GB, is_most=True)}")
    if own.gb:
        print(f"peak memory without mapped files: {own.gb:.2f} GB")

    # What the console script `g4g` runs; it need not be installed.
    command = [sys.executable, "-c", "from g4g.cli import main; main()", "--help"]
    starts = {"import g4g": time_import(arguments.runs), "g4g --help": time_command(command, arguments.runs)}
    for name, spent in starts.items():
        print(f"{name}: {spent:.3f} s {grade(spent, _WANTED_START_S, is_most=True)}")


if __name__ == "__main__":
    main()
