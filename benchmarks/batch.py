"""Measure batches: 200 jobs, ten of them broken in ten ways, both engines, one and two workers; kills on the way.

python benchmarks/batch.py [--clips 20] [--sounds 10] [--seconds 1] [--weights g4g-small] [--out batch-benchmark]

Each worker is held to one core. Beside the throughput it checks that all runs wrote the same bytes, that these are the
bytes of single dubs, and that a batch whose worker or driver is killed in the middle ends the same. All is dubbed
without provenance, for no two signatures are alike.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from command import say

import g4g
from g4g.jobs.batch import BatchResult
from g4g.jobs.record import LOG_NAME, hash_content
from g4g.jobs.settings import list_cores
from g4g.media.ffmpeg import run_ffmpeg

DATA = Path(os.environ.get("G4G_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
WANTED_RATIO = 1.7
_SINGLE = 3
"""So many outputs are compared with single dubs."""
_ALSO = ({"face": "sideways"}, {"emphasis": "9"}, {"crf": "99"}, {"start_s": "900"})
"""Options that no dub takes."""


def make_jobs(folder: Path, clips: int, sounds: int, seconds: float) -> tuple[Path, int]:
    """Cut clips and sounds, break ten jobs, and write the list; return it and the number of broken jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted((DATA / "grid").glob("s*/*.mp4"))
    files = files[:: max(len(files) // (clips + sounds), 1)][: clips + sounds]
    if len(files) < clips + sounds:
        raise SystemExit(f"{DATA / 'grid'} holds {len(files)} clips; {clips + sounds} are needed")
    cut = ["-t", str(seconds), "-y"]
    for number, file in enumerate(files[:clips]):
        run_ffmpeg(["-i", str(file), *cut, str(folder / f"clip{number}.mp4")], "cut a clip")
    for number, file in enumerate(files[clips:]):
        run_ffmpeg(["-i", str(file), *cut, "-vn", str(folder / f"sound{number}.wav")], "cut a sound")
    rows = [
        {
            "video": f"clip{clip}.mp4",
            "audio": f"sound{sound}.wav",
            "out": f"clip{clip}/sound{sound}.mp4",
            "provenance": False,
        }
        for clip in range(clips)
        for sound in range(sounds)
    ]
    broken = list_faults(folder)
    for row, fault in zip(random.Random(1).sample(rows, len(broken)), broken, strict=True):
        row |= fault
    jobs = folder / "jobs.jsonl"
    jobs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return jobs, len(broken)


def list_faults(folder: Path) -> list[dict[str, str]]:
    """Make ten inputs or options that can not be dubbed."""
    (folder / "text.mp4").write_text("not a video")
    (folder / "empty.mp4").write_bytes(b"")
    whole = (folder / "clip0.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    black = ["-f", "lavfi", "-i", "color=black:size=320x240:rate=25", "-t", "0.4", "-y", str(folder / "black.mp4")]
    run_ffmpeg(black, "make a video without a face")
    videos = [{"video": name} for name in ("text.mp4", "empty.mp4", "cut.mp4", "black.mp4", "absent.mp4")]
    return [*videos, {"audio": "text.mp4"}, *_ALSO]


def run_batch(jobs: Path, out: Path, settings: dict, kill_after: int | None = None) -> BatchResult:
    """Run a batch; `kill_after`: after so many done jobs a worker is killed while it works."""
    shutil.rmtree(out, ignore_errors=True)
    ended, killers = threading.Event(), []

    def watch(state) -> None:
        if kill_after is not None and not killers and state.done >= kill_after:
            killers.append(threading.Thread(target=_kill_a_worker, args=(out, ended)))
            killers[0].start()

    result = g4g.batch(jobs, out, progress=watch, pin=True, threads=1, wait_s=0.5, **settings)
    ended.set()
    return result


def _kill_a_worker(out: Path, ended: threading.Event) -> None:
    """Kill a worker of this process as soon as one encodes."""
    _wait_for(lambda: ended.is_set() or list(out.glob(".batch/work/*/job/.g4g-*/picture")))
    for folder in out.glob(".batch/work/*/job/.g4g-*"):
        number = int(folder.parts[-3])
        worker = sorted(multiprocessing.active_children(), key=lambda process: process.pid)[number]
        say(f"killing worker {worker.pid}")
        os.kill(worker.pid, signal.SIGKILL)
        return


def kill_driver(jobs: Path, out: Path, weights: str, share: float, count: int) -> list[str]:
    """Kill `g4g batch` after a share of its jobs; return what it left that is neither whole nor hidden."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "g4g", "batch", str(jobs), "-o", str(out), "--weights", weights]
    command += ["--pin", "--workers", "2", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = out / LOG_NAME
    _wait_for(lambda: log.is_file() and len(log.read_text().splitlines()) >= share * count, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _wait_for(lambda: not list(out.glob(".batch/work/*")))
    ours = [path for path in out.rglob("*") if path.is_file() and ".batch" not in path.parts and path.name != LOG_NAME]
    videos = {path for path in ours if path.suffix == ".mp4"}
    reports = {path.with_suffix("") for path in ours if path.suffix == ".json"}
    return [str(path) for path in videos - reports] + [
        str(path) for path in ours if path.suffix not in (".mp4", ".json")
    ]


def _wait_for(is_there, process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + 600
    while not is_there() and time.monotonic() < deadline and (process is None or process.poll() is None):
        time.sleep(0.01)


def hash_outputs(out: Path) -> dict[str, str]:
    """Name each output's content."""
    return {str(path.relative_to(out)): hash_content(path) for path in sorted(out.glob("clip*/*.mp4"))}


def compare_single(jobs: Path, out: Path, weights: str) -> int:
    """Count how many of a few outputs are, to the bit, what `g4g dub` on one core writes."""
    rows = [json.loads(line) for line in jobs.read_text().splitlines()]
    good = [row for row in rows if (out / row["out"]).is_file()]
    same = 0
    for row in random.Random(2).sample(good, min(_SINGLE, len(good))):
        single = out.parent / "single.mp4"
        command = [sys.executable, "-m", "g4g", "dub", str(jobs.parent / row["video"]), "--weights", weights]
        command += ["--audio", str(jobs.parent / row["audio"]), "-o", str(single), "--force", "--no-provenance"]
        one = {"OMP_NUM_THREADS": "1", "G4G_THREADS": "1", "G4G_CACHE": ""}
        hold = lambda: os.sched_setaffinity(0, list_cores()[:1])  # noqa: E731
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **one}, preexec_fn=hold)
        same += single.read_bytes() == (out / row["out"]).read_bytes()
    return same


def measure(options: argparse.Namespace) -> dict:
    """Run everything; return the figures."""
    folder = Path(options.out)
    jobs, broken = make_jobs(folder / "in", options.clips, options.sounds, options.seconds)
    count, figures, hashes = options.clips * options.sounds, {"runs": [], "broken": broken}, []
    os.environ["G4G_CACHE"] = ""  # every run looks for the faces itself
    for engine in options.engines:
        for workers in (1, 2):
            say(f"{engine}, {workers} workers")
            out = folder / f"{engine}-{workers}"
            result = run_batch(jobs, out, {"engine": engine, "workers": workers, "weights": options.weights})
            state = result.state
            figures["runs"].append({
                "engine": engine, "workers": workers, "seconds": round(state.seconds, 1), "frames": state.frames,
                "frames_per_s": round(state.frames_per_s, 2), "jobs_per_min": round(60 * state.done / state.seconds, 1),
                "done": state.done, "failed": state.failed, "peak_mb": result.peak_mb,
            })  # fmt: skip
            hashes.append(hash_outputs(out))
    figures["sentences"] = [outcome.sentence for _, outcome in result.rows if outcome.state == "failed"]
    say("killed worker")
    settings = {"engine": "local", "workers": 2, "weights": options.weights}
    result = run_batch(jobs, folder / "killed-worker", settings, kill_after=(count - broken) // 3)
    hashes.append(hash_outputs(folder / "killed-worker"))
    again = [outcome.faults for _, outcome in result.rows if outcome.faults]
    figures["killed_worker"] = {"done": result.state.done, "tried again": again}
    say("killed driver")
    figures["killed_driver"] = {"left": kill_driver(jobs, folder / "killed-driver", options.weights, 0.3, count)}
    result = g4g.batch(jobs, folder / "killed-driver", pin=True, threads=1, **settings)
    figures["killed_driver"] |= {"done": result.state.done, "skipped": result.state.skipped}
    hashes.append(hash_outputs(folder / "killed-driver"))
    figures["same_bytes_in_all_runs"] = all(found == hashes[0] for found in hashes)
    say("single dubs")
    figures["same_as_single"] = [compare_single(jobs, folder / f"{options.engines[0]}-2", options.weights), _SINGLE]
    return figures


def format_figures(figures: dict) -> str:
    """Lay the figures out as Markdown."""
    lines = ["| engine | workers | jobs done, failed | seconds | frames/s | over one worker | MB a worker |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    alone = {run["engine"]: run["frames_per_s"] for run in figures["runs"] if run["workers"] == 1}
    for run in figures["runs"]:
        ratio = run["frames_per_s"] / alone[run["engine"]]
        mark = " !" if run["workers"] == 2 and ratio < WANTED_RATIO else ""
        lines.append(
            f"| {run['engine']} | {run['workers']} | {run['done']}, {run['failed']} | {run['seconds']} | "
            f"{run['frames_per_s']} | {ratio:.2f}{mark} | {run['peak_mb']} |"
        )
    lines += [f"{name}: {figures[name]}" for name in figures if name not in ("runs", "sentences")]
    return "\n".join([*lines, "failed:", *(f"- {sentence}" for sentence in figures["sentences"])])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--sounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of clips and sounds (%(default)s)")
    parser.add_argument("--weights", default="g4g-small", help="name or file (%(default)s)")
    parser.add_argument("--engines", nargs="+", default=["local", "ray"], choices=("local", "ray"))
    parser.add_argument("--out", default="batch-benchmark", help="folder for all files (%(default)s)")
    options = parser.parse_args()
    figures = measure(options)
    (Path(options.out) / "batch.json").write_text(json.dumps(figures, indent=2))
    print(format_figures(figures))


if __name__ == "__main__":
    main()
