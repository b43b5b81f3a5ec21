"""Who does what next, with an engine that is played by the test."""

from collections import deque
from pathlib import Path, PurePosixPath

import pytest

from g4g.errors import ConfigError, ResourceError
from g4g.jobs.read import Job
from g4g.jobs.record import DONE, FAILED, Outcome
from g4g.jobs.schedule import Event, Scheduler
from g4g.jobs.settings import Cluster, Share, WorkerSettings, choose_cluster_share, choose_share, share_cores
from g4g.options import BatchOptions

GB = 1024**3


class PlayedEngine:
    """Answers each job by `play(job, try)`, in the order in which jobs were given; "lost" takes the worker away."""

    def __init__(self, play, starts=("ready",)):
        self.play, self.starts, self.given, self.tries = play, deque(starts), [], {}
        self.news, self.started, self.closed = deque(), [], None

    def start(self, settings):
        self.started.append(settings.number)
        kind = self.starts.popleft() if len(self.starts) > 1 else self.starts[0]
        self.news.append(Event(settings.number, kind, "killed by SIGKILL"))

    def give(self, number, job, shares_video):
        self.given.append((number, job.row, shares_video))
        tries = self.tries[job.row] = self.tries.get(job.row, 0) + 1
        answer = self.play(job, tries)
        kind = "ended" if isinstance(answer, Outcome) else "lost"
        self.news.append(Event(number, kind, answer))

    def wait(self, timeout_s):
        return [self.news.popleft()] if self.news else []

    def close(self, kill):
        self.closed = kill


def run(play, jobs, tmp_path, workers=1, retries=2, **more):
    engine, told = PlayedEngine(play, **more), []
    settings = [
        WorkerSettings(n, tmp_path, tmp_path / "work" / str(n), tmp_path, BatchOptions(), {}, 1, GB)
        for n in range(workers)
    ]
    for one in settings:
        one.work.mkdir(parents=True)
    Scheduler(engine, settings, retries, 0.01, lambda job, outcome: told.append((job.row, outcome))).run(jobs)
    return engine, told


def make_jobs(*videos: str) -> list[Job]:
    return [Job(i, PurePosixPath(f"{i}.mp4"), Path(video), Path("a.wav")) for i, video in enumerate(videos, 1)]


def done(job, tries):
    return Outcome(DONE)


def test_what_may_pass_is_tried_again_and_what_can_not_is_told_at_once(tmp_path):
    def play(job, tries):
        if job.row == 1:
            return Outcome(FAILED, "no space", may_pass=True) if tries < 3 else Outcome(DONE)
        return Outcome(FAILED, "always", may_pass=True) if job.row == 2 else Outcome(FAILED, "broken")

    engine, told = run(play, make_jobs("a", "b", "c"), tmp_path)
    found = {row: (o.state, o.sentence, o.tries, o.faults) for row, o in told}
    assert found == {
        1: (DONE, "", 3, ["no space", "no space"]),
        2: (FAILED, "always", 3, ["always", "always"]),
        3: (FAILED, "broken", 1, []),
    }
    assert [row for row, _ in told][0] == 3 and engine.closed is False


def test_a_lost_worker_is_replaced_and_its_job_done_by_another(tmp_path):
    engine, told = run(lambda job, tries: "killed by SIGKILL" if job.row == 1 and tries == 1 else Outcome(DONE),
                       make_jobs("a", "b"), tmp_path)  # fmt: skip
    assert sorted(row for row, _ in told) == [1, 2] and all(outcome.state == DONE for _, outcome in told)
    assert engine.started == [0, 0] and dict(told)[1].faults == [
        "its worker was lost (killed by SIGKILL), perhaps for want of memory"
    ]
    assert not (tmp_path / "work" / "0").exists()


def test_a_job_that_kills_every_worker_fails_and_the_rest_goes_on(tmp_path):
    _, told = run(
        lambda job, tries: "killed by SIGKILL" if job.row == 1 else Outcome(DONE), make_jobs("a", "b"), tmp_path
    )
    assert {row: outcome.state for row, outcome in told} == {1: FAILED, 2: DONE}
    assert dict(told)[1].tries == 3


def test_workers_that_never_start_end_the_batch_with_a_sentence(tmp_path):
    with pytest.raises(ResourceError, match="3 workers in a row died.*SIGKILL.*fewer workers"):
        run(done, make_jobs("a"), tmp_path, starts=("lost",))
    with pytest.raises(ConfigError, match="no worker can start"):
        run(done, make_jobs("a"), tmp_path, starts=("refused",))


def test_a_second_worker_takes_another_video_while_an_avatar_is_made(tmp_path):
    engine, _ = run(done, make_jobs("a", "a", "b", "a"), tmp_path, workers=2)
    assert engine.given[:2] == [(0, 1, True), (1, 3, False)]


def test_a_video_that_cannot_be_dubbed_is_tried_with_one_sound_only(tmp_path):
    def play(job, tries):
        return Outcome(FAILED, "no face", about_video=True) if job.source == Path("a") else Outcome(DONE)

    engine, told = run(play, make_jobs("a", "a", "b", "a"), tmp_path)
    assert [row for _, row, _ in engine.given] == [1, 3]
    assert {row: (o.state, o.sentence) for row, o in told} == {
        1: (FAILED, "no face"), 2: (FAILED, "no face"), 3: (DONE, ""), 4: (FAILED, "no face"),
    }  # fmt: skip


def test_workers_are_as_many_as_cores_and_memory_allow():
    share = lambda jobs=99, cores=8, free=80 * GB, **more: choose_share(BatchOptions(**more), jobs, cores, free)  # noqa: E731
    assert share() == Share(8, 1, int(80 * GB * 0.9) // 8)
    assert share(jobs=2).workers == 2 and share(jobs=2).threads == 4
    assert share(free=11 * GB).workers == 3
    assert share(threads=2).workers == 4 and share(workers=3).threads == 2
    assert share(memory_mb=4096) == Share(8, 1, 4 * GB)
    assert share(device="cuda").workers == 1
    with pytest.raises(ConfigError, match="3 workers need 12288 MB of memory, 9216 MB are free; take fewer"):
        share(workers=3, free=10 * GB, memory_mb=4096)


def test_workers_of_a_cluster_are_as_many_as_all_its_machines_hold():
    share = lambda cores=64, memory=640 * GB, gpus=0, jobs=99, **more: choose_cluster_share(  # noqa: E731
        BatchOptions(engine="ray", **more), jobs, Cluster(cores, memory, gpus)
    )
    assert share() == Share(64, 1, 3 * GB) and share(jobs=5).workers == 5
    assert share(memory=30 * GB).workers == 10 and share(threads=4) == Share(16, 4, 3 * GB)
    assert share(workers=7, memory_mb=2048) == Share(7, 1, 2 * GB)
    assert share(device="cuda", gpus=3).workers == 3
    with pytest.raises(ConfigError, match="70 workers of 1 threads and 3072 MB on cpu .* 64 cores, .* which hold 64"):
        share(workers=70)
    with pytest.raises(ConfigError, match="0 GPUs free, which hold 0"):
        share(device="cuda")


def test_pinned_workers_have_cores_of_their_own():
    assert [share_cores(n, Share(2, 2, GB), [4, 5, 6, 7]) for n in range(2)] == [(4, 5), (6, 7)]
    assert [share_cores(n, Share(3, 1, GB), [0, 1]) for n in range(3)] == [(0,), (1,), (0,)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"engine": "slurm"}, "local, ray"),
        ({"address": "auto"}, "belong to the engine ray"),
        ({"workers": 0}, "at least 1"),
        ({"retries": -1}, "at least 0"),
        ({"memory_mb": 10}, "at least 1536"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(wrong, words):
    with pytest.raises(ConfigError, match=words):
        BatchOptions(**wrong)


def test_workers_share_the_threads_that_the_batch_was_given(monkeypatch):
    monkeypatch.setenv("G4G_THREADS", "6")
    assert choose_share(BatchOptions(workers=2), 99, free_bytes=80 * GB) == Share(2, 3, 36 * GB)
