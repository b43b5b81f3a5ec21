"""Measure batches: 200 jobs, ten of them broken in ten ways, both engines, one and two workers; kills on the way.

python benchmarks/batch.py [--clips 20] [--sounds 10] [--seconds 2] [--weights g4g-small] [--out batch-benchmark]

Each worker is held to one core. Networks are converted before, faces are looked for in every run. Beside the throughput
it checks that all runs wrote the same bytes, that these are the bytes of single dubs, and that a batch whose worker or
driver is killed in the middle ends the same. All is dubbed without provenance, for no two signatures are alike. The
same command again goes on with the first run that is missing.
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
from g4g.engine import CACHE_VARIABLE
from g4g.jobs.batch import BatchResult
from g4g.jobs.record import LOG_NAME, hash_content
from g4g.jobs.settings import list_cores
from g4g.media.ffmpeg import run_ffmpeg

DATA = Path(os.environ.get("G4G_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
WANTED_RATIO = 1.7
_SINGLE = 3
"""So many outputs are compared with single dubs."""
FAULTS = (
    {"video": "text.mp4"}, {"emphasis": "9"}, {"video": "black.mp4"}, {"audio": "text.mp4"}, {"video": "absent.mp4"},
    {"face": "sideways"}, {"video": "empty.mp4"}, {"crf": "99"}, {"video": "cut.mp4"}, {"start_s": "900"},
)  # fmt: skip
"""What breaks a job: inputs that are none, and options that no dub takes."""


def make_jobs(folder: Path, clips: int, sounds: int, seconds: float, broken: int = len(FAULTS)) -> Path:
    """Cut clips and sounds, break a few jobs, and write the list."""
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
    make_faults(folder)
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
    for row, fault in zip(random.Random(1).sample(rows, broken), FAULTS, strict=False):
        row |= fault
    return write_jobs(folder / "jobs.jsonl", rows)


def write_jobs(path: Path, rows: list[dict]) -> Path:
    """Write a list of jobs."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(jobs: Path) -> list[dict]:
    """Read a list of jobs."""
    return [json.loads(line) for line in jobs.read_text().splitlines()]


def make_faults(folder: Path) -> None:
    """Make the files of FAULTS."""
    (folder / "text.mp4").write_text("not a video")
    (folder / "empty.mp4").write_bytes(b"")
    whole = (folder / "clip0.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    black = ["-f", "lavfi", "-i", "color=black:size=320x240:rate=25", "-t", "0.4", "-y", str(folder / "black.mp4")]
    run_ffmpeg(black, "make a video without a face")


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


def run_dub(video: Path, audio: Path, out: Path, weights: str) -> None:
    """Run `g4g dub` on one core."""
    command = [sys.executable, "-m", "g4g", "dub", str(video), "--audio", str(audio), "-o", str(out)]
    command += ["--weights", weights, "--force", "--no-provenance"]
    one = {"OMP_NUM_THREADS": "1", "G4G_THREADS": "1"}
    hold = lambda: os.sched_setaffinity(0, list_cores()[:1])  # noqa: E731
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **one}, preexec_fn=hold)


def compare_single(jobs: Path, out: Path, weights: str) -> list[int]:
    """Count how many of a few outputs are, to the bit, what `g4g dub` on one core writes: [same, compared]."""
    good = [row for row in read_rows(jobs) if (out / row["out"]).is_file()]
    chosen, same = random.Random(2).sample(good, min(_SINGLE, len(good))), 0
    for row in chosen:
        single = out.parent / "single.mp4"
        run_dub(jobs.parent / row["video"], jobs.parent / row["audio"], single, weights)
        same += single.read_bytes() == (out / row["out"]).read_bytes()
    return [same, len(chosen)]


class Measurement:
    """The figures of all runs, each kept in a file as soon as it is there."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options, self._folder = options, Path(options.out)
        self._file = self._folder / "batch.json"
        about = {name: getattr(options, name) for name in ("clips", "sounds", "seconds", "broken", "weights")}
        self.figures = json.loads(self._file.read_text()) if self._file.is_file() else {"about": about}
        if self.figures["about"] != about:
            raise SystemExit(f"{self._file} is of other jobs ({self.figures['about']}); give another --out")
        self._jobs = make_jobs(self._folder / "in", options.clips, options.sounds, options.seconds, options.broken)
        killed = read_rows(self._jobs)[: options.killed_clips * options.sounds]
        self._killed_jobs = write_jobs(self._folder / "in" / "killed.jsonl", killed)

    def run(self) -> dict:
        """Run everything that is missing; return the figures."""
        os.environ[CACHE_VARIABLE] = str(self._folder / "cache")
        if not (self._folder / "cache").exists():  # networks are converted once on a machine, not once in a batch
            files = (self._folder / "in" / name for name in ("clip0.mp4", "sound0.wav"))
            run_dub(*files, self._folder / "first.mp4", self._options.weights)
        for engine in self._options.engines:
            for workers in (1, 2):
                self._keep(f"{engine}, {workers} workers", lambda e=engine, w=workers: self._measure_run(e, w))
        self._keep("killed worker", self._kill_worker)
        self._keep("killed driver", self._kill_driver)
        out = self._folder / f"{self._options.engines[0]}-2"
        self._keep("same as single dubs", lambda: compare_single(self._jobs, out, self._options.weights))
        return self.figures

    def _keep(self, name: str, measure) -> None:
        """Measure once, and write the file."""
        if name not in self.figures:
            say(name)
            self.figures[name] = measure()
            self._file.write_text(json.dumps(self.figures, indent=2))

    def _measure_run(self, engine: str, workers: int) -> dict:
        out = self._folder / f"{engine}-{workers}"
        shutil.rmtree(self._folder / "cache" / "tracks", ignore_errors=True)  # every run looks for the faces itself
        result = run_batch(self._jobs, out, {"engine": engine, "workers": workers, "weights": self._options.weights})
        state = result.state
        return {
            "engine": engine, "workers": workers, "seconds": round(state.seconds, 1), "frames": state.frames,
            "frames_per_s": round(state.frames_per_s, 2), "jobs_per_min": round(60 * state.done / state.seconds, 1),
            "done": state.done, "failed": state.failed, "peak_mb": result.peak_mb, "hashes": hash_outputs(out),
            "sentences": [outcome.sentence for _, outcome in result.rows if outcome.state == "failed"],
        }  # fmt: skip

    def _kill_worker(self) -> dict:
        out, settings = self._folder / "killed-worker", self._settings()
        result = run_batch(self._killed_jobs, out, settings, kill_after=len(read_rows(self._killed_jobs)) // 3)
        again = [outcome.faults for _, outcome in result.rows if outcome.faults]
        return {"done": result.state.done, "tried again": again, "hashes": hash_outputs(out)}

    def _kill_driver(self) -> dict:
        out, settings = self._folder / "killed-driver", self._settings()
        left = kill_driver(self._killed_jobs, out, self._options.weights, 0.3, len(read_rows(self._killed_jobs)))
        state = g4g.batch(self._killed_jobs, out, pin=True, threads=1, **settings).state
        return {"left": left, "done": state.done, "skipped": state.skipped, "hashes": hash_outputs(out)}

    def _settings(self) -> dict:
        return {"engine": "local", "workers": 2, "weights": self._options.weights}


def find_other_bytes(figures: dict) -> list[str]:
    """List the outputs that differ from the first run's, or are missing; runs that were killed had fewer jobs."""
    runs = {name: figure["hashes"] for name, figure in figures.items() if "hashes" in figure}
    first = next(iter(runs.values()))
    whole = [name for name in runs if not name.startswith("killed")]
    missing = [f"{name}: {file} is missing" for name in whole for file in first if file not in runs[name]]
    return missing + [
        f"{name}: {file} differs" for name, run in runs.items() for file in run if run[file] != first.get(file)
    ]


def format_figures(figures: dict) -> str:
    """Lay the figures out as Markdown."""
    runs = [figure for figure in figures.values() if "frames_per_s" in figure]
    lines = ["| engine | workers | jobs done, failed | seconds | frames/s | over one worker | MB a worker |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    alone = {run["engine"]: run["frames_per_s"] for run in runs if run["workers"] == 1}
    for run in runs:
        ratio = run["frames_per_s"] / alone[run["engine"]]
        mark = " !" if run["workers"] == 2 and ratio < WANTED_RATIO else ""
        lines.append(
            f"| {run['engine']} | {run['workers']} | {run['done']}, {run['failed']} | {run['seconds']} | "
            f"{run['frames_per_s']} | {ratio:.2f}{mark} | {run['peak_mb']} |"
        )
    lines.append(f"outputs that are not the same bytes in all runs: {find_other_bytes(figures) or 'none'}")
    for name, figure in figures.items():
        if figure not in runs:
            is_table = isinstance(figure, dict)
            told = {key: value for key, value in figure.items() if key != "hashes"} if is_table else figure
            lines.append(f"{name}: {told}")
    return "\n".join([*lines, "failed:", *(f"- {sentence}" for sentence in runs[-1]["sentences"])])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--sounds", type=int, default=10)
    parser.add_argument("--broken", type=int, default=len(FAULTS), help="jobs that can not be dubbed (%(default)s)")
    parser.add_argument("--killed-clips", type=int, default=5, help="clips in the killed runs (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of clips and sounds (%(default)s)")
    parser.add_argument("--weights", default="g4g-small", help="name or file (%(default)s)")
    parser.add_argument("--engines", nargs="+", default=["local", "ray"], choices=("local", "ray"))
    parser.add_argument("--out", default="batch-benchmark", help="folder for all files (%(default)s)")
    print(format_figures(Measurement(parser.parse_args()).run()))


if __name__ == "__main__":
    main()
