"""Batches with real workers and tiny networks: killed workers, killed batches, and the same again."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import g4g
from g4g.cli import main
from g4g.jobs.local import _tell
from g4g.jobs.read import read_jobs
from g4g.jobs.record import (
    check_replaceable,
    describe_input,
    hash_content,
    is_same,
    is_unchanged,
    list_settings,
    read_report,
    report_path,
)
from g4g.jobs.worker import may_pass

SETTINGS = {"weights": "g4g-tiny", "wait_s": 0.1, "threads": 1}


@pytest.fixture(scope="module")
def jobs(ffmpeg, grid_clip, voice_file, tmp_path_factory) -> Path:
    """A list of a good video with two sounds, a broken one with two, a job without a sound, one that is misspelt."""
    folder = tmp_path_factory.mktemp("in")
    ffmpeg("-t", 0.4, "-i", grid_clip, folder / "talk.mp4")
    for name, start_s, length_s in (("de", 1, 0.4), ("fr", 2, 2)):  # the second takes long enough to be killed
        ffmpeg("-ss", start_s, "-t", length_s, "-i", voice_file, folder / f"{name}.wav")
    (folder / "broken.mp4").write_bytes(b"no video")
    rows = [
        ("talk.mp4", "de.wav", "de/talk.mp4", "", ""), ("talk.mp4", "fr.wav", "fr/talk.mp4", "1.5", "no"),
        ("broken.mp4", "de.wav", "broken-de.mp4", "", ""), ("broken.mp4", "fr.wav", "broken-fr.mp4", "", ""),
        ("talk.mp4", "absent.wav", "absent.mp4", "", ""), ("talk.mp4", "de.wav", "loud.mp4", "loud", ""),
    ]  # fmt: skip
    with (folder / "jobs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("video", "audio", "out", "emphasis", "provenance"), *rows])
    return folder / "jobs.csv"


def list_files(folder: Path) -> list[str]:
    """List a batch's files but for the hidden folder's locks and avatars."""
    kept = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in kept if path.suffix not in (".lock", ".avatar") and path.name != "lock")


def wait_for_encoder(out: Path, seconds: float = 300, after: Path | None = None) -> bool:
    """Wait until some worker of a batch encodes, after a file has come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (after is None or after.exists()) and list(out.glob(".batch/work/*/job/.g4g-*/picture")):
            return True
        time.sleep(0.005)
    return False


WHOLE = ["batch.jsonl", "de/talk.mp4", "de/talk.mp4.json", "fr/talk.mp4", "fr/talk.mp4.json"]


@pytest.mark.slow
def test_a_killed_worker_costs_one_more_try_and_all_else_ends_as_it_should(jobs, tmp_path):
    out, killed = tmp_path / "out", []
    out.mkdir()
    (out / "absent.mp4").write_bytes(b"mine")

    def kill_once():
        if wait_for_encoder(out):
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.pid)

    killer = threading.Thread(target=kill_once)
    killer.start()
    result = g4g.batch(jobs, out, workers=1, **SETTINGS)
    killer.join()
    assert killed and (result.state.done, result.state.failed, result.state.skipped) == (2, 4, 0)
    said = {str(job.out): outcome for job, outcome in result.rows}
    first = said["de/talk.mp4"]
    assert first.tries == 2 and "killed by SIGKILL" in first.faults[0]
    assert "cannot be read as video" in said["broken-de.mp4"].sentence == said["broken-fr.mp4"].sentence
    assert "no such file" in said["absent.mp4"].sentence and "emphasis can not be 'loud'" in said["loud.mp4"].sentence
    assert (out / "absent.mp4").read_bytes() == b"mine"
    assert list_files(out) == ["absent.mp4", *WHOLE] and not (out / ".batch" / "work").exists()
    lines = [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]
    assert sorted(line["row"] for line in lines) == [1, 2, 3, 4, 5, 6]
    assert len(list((out / ".batch" / "avatars").glob("*.avatar"))) == 1
    _is_the_single_dub(jobs.parent, out, tmp_path)
    again = g4g.batch(_read_good(jobs), out, workers=1, **SETTINGS)
    assert again.state.skipped == 2 and again.share is None, "no worker is needed to see what is done"


def _is_the_single_dub(folder: Path, out: Path, tmp_path: Path) -> None:
    """What a batch made over a shared avatar is what one dub of the video makes, to the bit (a signature never is)."""
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    dubber.dub(folder / "talk.mp4", folder / "fr.wav", tmp_path / "single.mp4", emphasis=1.5, provenance=False)
    assert (tmp_path / "single.mp4").read_bytes() == (out / "fr" / "talk.mp4").read_bytes()
    report = json.loads((out / "fr" / "talk.mp4.json").read_text())
    assert report["output"] == str(out / "fr/talk.mp4") and report["frames_dubbed"] == 50
    assert read_report(out / "fr/talk.mp4")["output"]["sha256"] == hash_content(tmp_path / "single.mp4")


def _read_good(jobs: Path) -> list[dict]:
    rows = list(csv.DictReader(jobs.read_text().splitlines()))[:2]
    return [{**row, **{name: str(jobs.parent / row[name]) for name in ("video", "audio")}} for row in rows]


@pytest.mark.slow
def test_a_killed_batch_leaves_nothing_half_done_and_goes_on(jobs, tmp_path, repo_root, capsys):
    out = tmp_path / "out"
    command = ["batch", jobs, "-o", out, "--weights", "g4g-tiny", "--workers", "1", "--threads", "1", "--wait-s", "0.1"]
    command = [*map(str, command)]
    run = [sys.executable, "-c", "from g4g.cli import main; main()", *command]
    environment = {**os.environ, "PYTHONPATH": str(repo_root)}
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    assert wait_for_encoder(out, after=out / "de" / "talk.mp4")
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 120
    while list(out.glob(".batch/work/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list_files(out) == WHOLE[:3] and not list(out.glob(".batch/work/*"))
    lines = len((out / "batch.jsonl").read_text().splitlines())
    with (out / "batch.jsonl").open("a") as log:
        log.write('{"half a li')
    os.utime(jobs.parent / "de.wav")  # touched, not changed: a worker looks at its content
    with pytest.raises(SystemExit, match="1"):
        main(command)
    said = capsys.readouterr().out
    assert "1 done, 4 failed, 1 skipped of 6" in said and "job 5 (absent.mp4): no such file" in said
    assert list_files(out) == WHOLE
    added = (out / "batch.jsonl").read_text().splitlines()[lines + 1 :]
    assert {json.loads(line)["out"]: json.loads(line)["state"] for line in added}["de/talk.mp4"] == "skipped"
    assert len(added) == 6


def test_an_output_is_made_anew_when_anything_it_was_made_of_changed(tmp_path):
    """Replaced is only what a batch wrote and nobody touched."""
    video, sound, out = (tmp_path / name for name in ("v.mp4", "a.wav", "o.mp4"))
    for file in (video, sound, out):
        file.write_bytes(file.name.encode())
    row, base = {"video": str(video), "audio": str(sound), "out": "o.mp4"}, {"weights": "1"}
    (job,) = read_jobs([row])
    inputs = {name: describe_input(file) for name, file in job.inputs().items()}
    note = {"settings": list_settings(job, base), "inputs": inputs, "output": describe_input(out)}
    report_path(out).write_text(json.dumps({"batch": note}))
    same = lambda: is_same(read_report(out), note["settings"], inputs, out)  # noqa: E731
    assert is_unchanged(job, out, base) and same()
    (louder,) = read_jobs([{**row, "emphasis": 1.5}])
    assert not is_unchanged(louder, out, base) and not is_unchanged(job, out, {"weights": "2"})
    check_replaceable(read_report(out), out)
    sound.write_bytes(b"another")
    assert not is_unchanged(job, out, base)
    assert not is_same(note, note["settings"], {**inputs, "audio": describe_input(sound)}, out)
    out.write_bytes(b"edited")
    assert not same()
    with pytest.raises(g4g.MediaError, match="exists and no batch wrote it"):
        check_replaceable(read_report(out), out)
    report_path(out).write_text("{}")
    assert read_report(out) is None


def test_a_worker_gets_its_share_of_threads_cores_and_memory_and_no_more(tmp_path, repo_root):
    code = f"""
import os, tempfile, threading
from pathlib import Path
from g4g.jobs.settings import WorkerSettings
from g4g.jobs.worker import _take_over
from g4g.options import BatchOptions
out = Path({str(tmp_path)!r})
core = sorted(os.sched_getaffinity(0))[-1]
waits = threading.Event()
other = threading.Thread(target=waits.wait, daemon=True)
other.start()
_take_over(WorkerSettings(0, out, out / "work", out, BatchOptions(), {{}}, 3, 2**28, (core,)))
threads = os.environ["G4G_THREADS"], os.environ["OMP_NUM_THREADS"]
held = [os.sched_getaffinity(thread) == {{core}} for thread in (0, other.native_id)]
print(*threads, *held, tempfile.gettempdir())
small = bytearray(2**26)
try:
    bytearray(2**29)
except MemoryError:
    print("refused")
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["3", "3", "True", "True", str(tmp_path / "work" / "tmp"), "refused"]


def test_two_batches_never_write_into_one_folder(tmp_path):
    from filelock import FileLock

    (tmp_path / ".batch").mkdir()
    with FileLock(tmp_path / ".batch" / "lock"), pytest.raises(g4g.ResourceError, match="another batch writes into"):
        g4g.batch([{"video": "v.mp4", "audio": "a.wav", "out": "o.mp4"}], tmp_path, **SETTINGS)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_log_that_the_disk_refuses_ends_the_batch_with_a_sentence(tmp_path):
    (tmp_path / "batch.jsonl").symlink_to("/dev/full")
    with pytest.raises(g4g.MediaError, match="batch.jsonl: No space left on device; make room"):
        g4g.batch([{"video": "v.mp4", "out": "o.mp4"}], tmp_path, **SETTINGS)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 40 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, left: int) -> Path:
    """Write one file that leaves so many bytes free."""
    place = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(place.f_bavail * place.f_bsize - left))
    return disk / "filler"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
def test_a_full_disk_costs_the_jobs_that_it_cannot_hold_and_nothing_else(jobs, small_disk):
    first, second = _read_good(jobs)
    out = small_disk / "out"
    assert g4g.batch([first], out, workers=1, **SETTINGS).state.done == 1
    before = list_files(out)
    filler = fill(small_disk, left=64 * 1024)
    result = g4g.batch([first, second], out, workers=1, retries=1, **SETTINGS)
    assert [outcome.state for _, outcome in result.rows] == ["skipped", "failed"]
    refused = result.rows[1][1]
    assert "No space left on device" in refused.sentence and refused.tries == 2
    assert list_files(out) == before and not list(out.glob(".batch/work/*"))
    filler.unlink()
    state = g4g.batch([first, second], out, workers=1, **SETTINGS).state
    assert (state.skipped, state.done) == (1, 1) and list_files(out) == WHOLE


def test_faults_of_the_machine_may_pass_and_those_of_files_do_not():
    def caused(error, cause):
        error.__cause__ = cause
        return error

    full = OSError(28, "No space left on device")
    assert may_pass(MemoryError()) and may_pass(g4g.ResourceError("short")) and may_pass(full)
    assert may_pass(caused(g4g.MediaError("cannot write"), full))
    assert may_pass(g4g.MediaError("cannot encode o.mp4: ffmpeg ended with status 228: No space left on device"))
    assert may_pass(RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"))
    assert may_pass(RuntimeError("std::bad_alloc")) and not may_pass(RuntimeError("sizes do not match"))
    assert not may_pass(g4g.MediaError("no such file")) and not may_pass(PermissionError(13, "Permission denied"))


def test_a_worker_that_is_ready_when_the_batch_has_ended_says_nothing():
    ours, theirs = multiprocessing.Pipe()
    assert _tell(theirs, "ready", None) and ours.recv() == ("ready", None)
    ours.close()
    assert not _tell(theirs, "ready", None)
