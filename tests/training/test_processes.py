"""Several processes: the same as one with the same batches, clips shared out, killed and resumed."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from g4g.errors import ConfigError, DataError, ResourceError
from g4g.training.loop import Plan, Stage, train
from g4g.training.processes import Batch, launch, number_clips

CLIPS, STEPS = 7, 20
CHANCES, NUMBERS = np.full(CLIPS, 1 / CLIPS), np.arange(CLIPS)


class TinyStage(Stage):
    """A network with normalisation and dropout learns a planted function of each clip, against a critic."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
        self.judge, self._folder, self._made = nn.Linear(2, 1), folder, None

    def trained(self) -> nn.Module:
        return self.net

    def critic(self) -> nn.Module:
        return self.judge

    def step(self, rng, done):
        torch.manual_seed(int(rng.integers(2**31)))
        clips = rng.choice(CLIPS, size=6, p=self.batch.keep_chances(CHANCES, NUMBERS))
        x = torch.from_numpy(rng.normal(clips[:, None], 1, (6, 4)).astype(np.float32))
        self._made = self.net(x)
        terms = {"error": (self._made - x[:, :2].sin()).square().mean(), "judged": 0.1 * self.judge(self._made).mean()}
        if rng.integers(2):  # not every batch has every loss
            terms["size"] = 0.01 * self._made.abs().mean()
        note = {"batch": self.batch.index, "clips": sorted(set(clips.tolist())), "loss": sum(terms.values()).item()}
        with (self._folder / f"process-{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(note) + "\n")
        return terms

    def critic_step(self):
        return self.judge(self._made.detach()).square().mean()

    def validate(self, network, sheet):
        numbers = torch.cat([tensor.flatten().double() for tensor in network.state_dict().values()])
        return {"sum": float(numbers.sum()), "squares": float(numbers.square().sum())}


def train_tiny(folder: Path, resume: bool, plan: Plan) -> dict:
    """Train in this process, or as one of several."""
    torch.manual_seed(1)
    return train(TinyStage(folder), folder / "out", plan, lambda network, figures: None, resume)


def train_slowly(folder: Path, plan: Plan) -> dict:
    """Write the process's number, then train for longer than any test waits."""
    (folder / f"rank-{plan.fabric.global_rank}").write_text(str(os.getpid()))
    return train_tiny(folder, False, plan)


def fail_in_one(plan: Plan) -> None:
    """Fail where a file is missing, in the second process only."""
    if plan.fabric.global_rank == 1:
        raise DataError("shots.json does not exist; prepare the videos first")
    plan.fabric.barrier()


def make_plan(**more) -> Plan:
    settings = {"minutes": 100, "steps": STEPS, "learning_rate": 1e-2, "device": "cpu", "log": lambda line: None}
    return Plan(**{**settings, **more})


def run(folder: Path, resume: bool = False, **more) -> tuple[dict, list[list[dict]]]:
    """Train; return the figures, and per process its notes in order."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("process-*"):
        old.unlink()
    plan = make_plan(**more)
    figures = launch(train_tiny, plan, folder, resume) if plan.starts_others else train_tiny(folder, resume, plan)
    notes = [[json.loads(line) for line in file.read_text().splitlines()] for file in folder.glob("process-*")]
    return figures, sorted(notes, key=lambda rows: rows[0]["batch"])


def test_two_processes_learn_what_one_learns_from_the_same_batches_and_a_run_goes_on_with_another_number(tmp_path):
    alone, (notes,) = run(tmp_path / "one", batches=2)
    both, shared = run(tmp_path / "two", devices=2)
    assert len(shared) == 2 and [len(rows) for rows in shared] == [STEPS, STEPS] and len(notes) == 2 * STEPS
    for index, rows in enumerate(shared):
        expected = [row["loss"] for row in notes if row["batch"] == index]
        np.testing.assert_allclose([row["loss"] for row in rows], expected, atol=1e-4)
    assert both["sum"] == pytest.approx(alone["sum"], rel=1e-3)
    assert both["squares"] == pytest.approx(alone["squares"], rel=1e-3)
    seen = [{clip for row in rows for clip in row["clips"]} for rows in shared]
    assert seen[0] & seen[1] == set() and seen[0] | seen[1] == set(range(CLIPS))
    on, (rows,) = run(tmp_path / "two", resume=True, steps=STEPS + 4)
    straight, _ = run(tmp_path / "one", resume=True, steps=STEPS + 4)
    assert [row["batch"] for row in rows] == [0, 1] * 4, "one process does the work of two"
    assert on["squares"] == pytest.approx(straight["squares"], rel=1e-3) and on["steps"] == STEPS + 4


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_a_sentence(tmp_path):
    killed_s = []

    def kill():
        deadline = time.monotonic() + 300
        while not (tmp_path / "out.state").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(int((tmp_path / "rank-1").read_text()), signal.SIGKILL)
        killed_s.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ResourceError, match="process 2 of 2 was ended by SIGKILL.*--resume goes on"):
        launch(train_slowly, make_plan(devices=2, steps=10**9, look_every_s=0.2), tmp_path)
    killer.join()
    assert time.monotonic() - killed_s[0] < 60, "the other process does not wait for the lost one"
    figures, _ = run(tmp_path, resume=True, steps=1)
    assert figures["steps"] >= 1, "goes on, or finds that all is done"


@pytest.mark.slow
def test_an_error_of_ours_in_one_process_is_that_error(tmp_path):
    with pytest.raises(DataError, match="^shots.json does not exist; prepare the videos first$"):
        launch(fail_in_one, make_plan(devices=2))


def test_a_batch_draws_from_clips_of_its_own():
    numbers = number_clips(["b", "a", "b", "c"])
    assert numbers.tolist() == [1, 0, 1, 2]
    chances = np.array([0.1, 0.2, 0.3, 0.4])
    assert Batch().keep_chances(chances, numbers) is chances
    np.testing.assert_allclose(Batch(0, 2).keep_chances(chances, numbers), [0, 1 / 3, 0, 2 / 3])
    np.testing.assert_allclose(Batch(1, 2).keep_chances(chances, numbers), [1 / 4, 0, 3 / 4, 0])
    with pytest.raises(ConfigError, match="4 batches need as many clips, not 3"):
        Batch(3, 4).keep_chances(chances, numbers)
    assert Batch().make_rng(3, 5).random() == np.random.default_rng([3, 5]).random()
    assert Batch(0, 2).make_rng(3, 5).random() != Batch(1, 2).make_rng(3, 5).random()


def test_several_machines_must_be_told_where_they_are(monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ConfigError, match="MASTER_ADDR, MASTER_PORT, NODE_RANK in the environment.*MASTER_ADDR"):
        launch(train_tiny, make_plan(nodes=2), Path())


def test_more_processes_than_batches_are_refused(tmp_path):
    fabric = type("Fabric", (), {"world_size": 4, "global_rank": 0, "device": torch.device("cpu")})()
    with pytest.raises(ConfigError, match="4 processes need as many batches, got 2"):
        train_tiny(tmp_path, False, replace(make_plan(batches=2), fabric=fabric))
