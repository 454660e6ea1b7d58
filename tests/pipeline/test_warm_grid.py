"""A grid with the real `medfl`, whose jobs start warm: the same files, and nothing is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_stores import write_small_phantom
from workflows import Workflow, copy_workflow

from medfl.warm import OFF, VARIABLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone"),
]
OWN = """
import os, time
from pathlib import Path
from medfl.algorithms.fedavg import FedAvg

class Watched(FedAvg):
    def step(self, total):
        print("begun by", os.getppid(), flush=True)
        super().step(total)

class Dying(FedAvg):
    def step(self, total):
        os.abort()

class Endless(FedAvg):
    def step(self, total):
        super().step(total)
        Path("one-round.txt").touch()
    def train(self, client, model):
        if Path("one-round.txt").exists():
            Path("endless.txt").touch()
            time.sleep(600)
        return super().train(client, model)
"""
SETTINGS = {
    "arms_file": None,
    "arm_settings": {
        "watched": {"algorithm": "own:Watched"},
        "scaffold": {"algorithm": "scaffold"},
        "dying": {"algorithm": "own:Dying"},
        "endless": {"algorithm": "own:Endless"},
    },
    "arms": ["watched", "scaffold"],
    "partitions": ["iid", "dirichlet-5"],
    "seeds": [0],
    "num_clients": 2,
    "run": {
        "federated_learning": {"rounds": 2, "local_steps": 2},
        "training": {"batch_size": 8, "device": "cpu"},
        "model": {"name": "logistic"},
    },
}


def project(folder: Path, **changes: object) -> Workflow:
    """A copy of the workflow with a small store, and classes of one's own."""
    pytest.importorskip("snakemake")
    copy_workflow(folder)
    write_small_phantom(folder)
    (folder / "own.py").write_text(OWN)
    made = Workflow(folder, fake=False)
    made.environment["PYTHONPATH"] = str(folder)
    made.write_grid(**{**SETTINGS, **changes})
    return made


def found(one: Workflow) -> dict[str, bytes]:
    """The runs' weights and predictions, the tables and the splits."""
    kept = ("*.safetensors", "*.npz", "comparison.*", "seed?.csv")
    paths = [path for name in kept for path in one.folder.rglob(name)]
    return {str(path.relative_to(one.folder)): path.read_bytes() for path in paths}


def parents(one: Workflow) -> set[str]:
    """The processes that began the watched runs."""
    logs = one.folder.joinpath("results/logs/train").rglob("watched/*.log")
    return {number for log in logs for number in re.findall(r"begun by (\d+)", log.read_text())}


def at_work(one: Workflow) -> list[str]:
    """The commands of all processes that are in the folder."""
    inside = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(one.folder):
                inside.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended, or is another user's
            continue
    return inside


def wait(true, seconds=60.0):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_warm_grid_is_that_of_processes_of_their_own(tmp_path):
    warm, cold = project(tmp_path / "warm"), project(tmp_path / "cold")
    cold.environment[VARIABLE] = OFF
    for one in (warm, cold):
        one.snakemake("--cores", "2")
    assert len(found(warm)) >= 2 * 4 + 2
    assert found(warm) == found(cold)
    assert (len(parents(warm)), len(parents(cold))) == (1, 2)
    wait(lambda: not at_work(warm), seconds=5)


def test_a_run_that_crashes_costs_itself_alone(tmp_path):
    one = project(tmp_path / "one", arms=["dying", "watched"], partitions=["iid"], seeds=[0, 1])
    done = one.snakemake("--cores", "1", check=False)
    assert done.returncode == 1
    finished = sorted(str(path.parent) for path in one.folder.rglob("predictions.npz"))
    assert [path.rsplit("/", 2)[-2:] for path in finished] == [
        ["watched", "seed0"],
        ["watched", "seed1"],
    ]
    assert len(parents(one)) == 1
    wait(lambda: not at_work(one), seconds=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_start_that_ends_leaves_nothing(tmp_path, number):
    """A press of Ctrl-C reaches the group of the start; so does the kill of a terminal's jobs."""
    one = project(tmp_path / "one", arms=["endless"], partitions=["iid"])
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1"],
        cwd=one.folder,
        env=one.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait((one.folder / "endless.txt").exists)
    os.killpg(process.pid, number)
    process.wait(timeout=60)
    wait(lambda: not at_work(one), seconds=15)
    stopped = one.folder / "results/runs/phantom/iid/endless/seed0/checkpoint.pt"
    assert stopped.exists() == (number == signal.SIGINT)
