"""Measure how long `g4g evaluate` takes per clip, and whether its memory grows with their number.

python benchmarks/evaluation.py VIDEO [--clips 12]
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import time
from pathlib import Path

from g4g.media import probe
from g4g.metrics import load_judge
from g4g.metrics.clip import measure_clip

_WANTED_S_PER_S = 2.0
"""A clip of 3 s in 6 s."""
_WARM = 3
"""After so many clips everything is loaded and every buffer made."""


def main() -> None:
    """Measure one clip against itself, over and over; print seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--clips", type=int, default=12, help="times it is measured (default: %(default)s)")
    arguments = parser.parse_args()
    judge, length_s = load_judge(), probe(arguments.video).duration_s
    seconds, peaks = [], []
    for _ in range(max(arguments.clips, _WARM + 1)):
        started = time.perf_counter()
        measure_clip(arguments.video, arguments.video, judge)
        seconds.append(time.perf_counter() - started)
        gc.collect()  # what waits for the collector is not growth
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    rate = statistics.median(seconds[1:]) / length_s
    verdict = "reached" if rate <= _WANTED_S_PER_S else "MISSED"
    print(f"first clip {seconds[0]:.1f} s, then {rate * length_s:.1f} s per clip of {length_s:.1f} s ({verdict})")
    print(f"peak memory after {_WARM} clips {peaks[_WARM - 1]:.0f} MB, after {len(peaks)} clips {peaks[-1]:.0f} MB")


if __name__ == "__main__":
    main()
