"""The engine ray on this machine: same dubs, a killed actor, no port beyond the loopback."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import g4g
from g4g.jobs.ray_engine import RayEngine
from g4g.jobs.settings import Share
from g4g.options import BatchOptions

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra ray: pip install g4g[ray]"
)
_LISTENS, _LOOPBACKS = "0A", ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")


def list_open_ports() -> set[str]:
    """List the sockets of this machine that listen to more than the machine itself."""
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == _LISTENS and row[1].split(":")[0] not in _LOOPBACKS}


def find_actors() -> list[int]:
    """List the processes of our actors."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::_Actor" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/net"), reason="looks at processes and ports in /proc")
def test_ray_makes_the_same_dubs_and_a_killed_actor_costs_one_try(ffmpeg, grid_clip, voice_file, tmp_path):
    ffmpeg("-t", 0.4, "-i", grid_clip, tmp_path / "talk.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for name, start_s in (("de", 1), ("fr", 2)):
        ffmpeg("-ss", start_s, "-t", 0.4, "-i", voice_file, tmp_path / f"{name}.wav")
    video = str(tmp_path / "talk.mp4")
    jobs = [
        {"video": video, "audio": str(tmp_path / f"{name}.wav"), "out": f"{name}.mp4", "provenance": False}
        for name in ("de", "fr")
    ]
    jobs.append({"video": str(tmp_path / "broken.mp4"), "audio": str(tmp_path / "de.wav"), "out": "broken.mp4"})
    out, killed, opened, before = tmp_path / "out", [], set(), list_open_ports()

    def kill_once():
        deadline = time.monotonic() + 300
        while not killed and time.monotonic() < deadline:
            if list(out.glob(".batch/work/*/job/.g4g-*/picture")):
                opened.update(list_open_ports() - before)
                killed.extend(find_actors())
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.005)

    killer = threading.Thread(target=kill_once)
    killer.start()
    result = g4g.batch(jobs, out, engine="ray", workers=1, threads=1, weights="g4g-tiny", wait_s=0.1)
    killer.join()
    assert len(killed) == 1 and opened == set()
    assert (result.state.done, result.state.failed) == (2, 1), result
    assert sum(outcome.tries for _, outcome in result.rows) == 4
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    dubber.dub(tmp_path / "talk.mp4", tmp_path / "fr.wav", tmp_path / "single.mp4", provenance=False)
    assert (tmp_path / "single.mp4").read_bytes() == (out / "fr.mp4").read_bytes()
    assert not (out / ".batch" / "work").exists()


_HEAD = """
import ray
ray.init(num_cpus=3, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
print("cluster", ray.get_runtime_context().gcs_address, flush=True)
input()
"""


@pytest.fixture
def cluster():
    """The address of a cluster of one machine that another process holds."""
    own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    own["PYTHONPATH"] = os.pathsep.join([str(Path(g4g.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    head = subprocess.Popen(
        [sys.executable, "-c", _HEAD], env={**os.environ, **own}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    told = next((line.split() for line in head.stdout if line.startswith("cluster ")), None)
    assert told is not None, "Ray did not start"
    yield told[1]
    head.communicate("\n", timeout=60)


@needs_ray
@pytest.mark.slow
def test_a_cluster_is_joined_by_its_address_and_left_as_it_was(
    cluster, ffmpeg, portrait_file, voice_file, tmp_path, monkeypatch
):
    ffmpeg("-ss", 1, "-t", 0.2, "-i", voice_file, tmp_path / "de.wav")
    jobs = [{"video": str(portrait_file), "audio": str(tmp_path / "de.wav"), "out": "de.mp4"}]
    options = {"engine": "ray", "weights": "g4g-tiny", "memory_mb": 2048, "address": cluster}
    with pytest.raises(g4g.ConfigError, match="leave `pin` out on a cluster"):
        RayEngine(BatchOptions(**options, pin=True))
    with pytest.raises(g4g.ConfigError, match="the cluster has 3 cores, .* which hold 3; take fewer"):
        g4g.batch(jobs, tmp_path / "out", **options, workers=4)
    assert g4g.batch(jobs, tmp_path / "out", **options).state.done == 1
    (tmp_path / "out" / "de.mp4").unlink()
    monkeypatch.setenv("RAY_ADDRESS", options.pop("address"))  # the same cluster: the first batch did not end it
    result = g4g.batch(jobs, tmp_path / "out", **options)
    assert result.state.done == 1 and result.share == Share(1, 1, 2**31), result
    assert g4g.inspect(tmp_path / "out" / "de.mp4").state == "intact"


@needs_ray
def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch):
    import ray

    def refuse(**more):
        raise ConnectionError("no answer")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(g4g.ConfigError, match="cannot be started or joined: no answer"):
        RayEngine(BatchOptions(engine="ray", address="10.0.0.1:6379"))


def test_without_the_package_the_sentence_tells_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(g4g.ConfigError, match=r"pip install g4g\[ray\]"):
        RayEngine(BatchOptions(engine="ray"))
