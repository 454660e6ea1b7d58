"""A run and a split that start warm give what they give in a process of their own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from toy_stores import write_small_phantom

from medfl.cli import THREADS
from medfl.commands import call, ready
from medfl.files import read_yaml
from medfl.results import paths
from medfl.warm import OFF, VARIABLE, offer

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone")
GRID = {
    "arms_file": None,
    "arm_settings": {
        "fedavg": {"algorithm": "fedavg"},
        "scaffold": {"algorithm": "scaffold", "model": {"name": "logistic"}},
        "pair": {"algorithm": "fednova", "training": {"workers": 2}},
    },
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg", "scaffold", "pair"],
    "seeds": [0],
    "num_clients": 2,
    "run": {
        "federated_learning": {"rounds": 2, "local_steps": 2},
        "training": {"device": "cpu"},
        "augmentation": {"preset": "xray"},
    },
}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


@pytest.mark.parametrize("content", ["a: [", "[1]", "datasets: 3", "datasets: [x]\nwork_root: 7"])
def test_reading_ahead_leaves_what_is_wrong_to_the_jobs(tmp_path, content):
    (tmp_path / "grid.yaml").write_text(content)
    for path in (str(tmp_path / "grid.yaml"), str(tmp_path / "none.yaml"), None):
        left = ready._stores(path)
        ready._read(left)
        assert not any(path.is_file() for path in left)


def test_what_was_read_ahead_is_parsed_no_more(tmp_path, monkeypatch):
    write_small_phantom(tmp_path)
    store = next(tmp_path.rglob("phantom/dataset.yaml"))
    (tmp_path / "grid.yaml").write_text(
        yaml.safe_dump({"datasets": ["phantom"], "work_root": str(store.parents[2])})
    )
    store.rename(tmp_path / "not yet")
    left = ready._stores(str(tmp_path / "grid.yaml"))
    ready._read(left)
    assert left == [store]
    (tmp_path / "not yet").rename(store)  # it is made while others wait
    ready._read(left)
    assert left == []
    monkeypatch.setattr(yaml, "load", None)
    assert read_yaml(tmp_path / "grid.yaml")["datasets"] == ["phantom"]
    assert read_yaml(store)["name"] == "phantom"


def test_a_parser_that_was_made_ahead_serves_one_command(monkeypatch, capsys):
    monkeypatch.setattr(call, "_made", [])
    call.parse_ahead("run", "split")
    made = call._made[0]
    assert made.commands["run"].fill is None
    assert made.commands["report"].fill is not None
    monkeypatch.setattr(call, "parser", None)  # no other is made
    assert call.call(["run", "--output-dir", "out"]) == 2
    assert "give --config RUN.yaml" in capsys.readouterr().err
    assert call._made == []


@pytest.fixture
def place(tmp_path):
    """A folder with a small store and a grid of three runs."""
    write_small_phantom(tmp_path)
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    return tmp_path


@pytest.fixture
def offered():
    """An offer that ends with the test."""
    process = subprocess.Popen(["sleep", "600"])
    yield offer(process.pid)
    process.kill()
    process.wait()


def medfl(place: Path, offered: dict[str, str], *words: str) -> str:
    """Call the command; the modules that its own process has imported, one a line."""
    command = [sys.executable, "-X", "importtime", "-m", "medfl", *words]
    environment = {**os.environ, **ONE_THREAD, **offered}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def make(
    place: Path, offered: dict[str, str], folder: str, arm: str, split: str, *more: str
) -> str:
    """Deal the split, and train one run of the grid."""
    options = ["--partition", "iid", "--seed", "0", "--num-clients", "2", "--output", split]
    said = medfl(place, offered, "split", "phantom", *options)
    cell = ["--dataset", "phantom", "--partition", "iid", "--arm", arm, "--seed", "0"]
    output = ["--split", split, "--output-dir", folder]
    return said + medfl(place, offered, "run", "--grid", "grid.yaml", *cell, *output, *more)


def results(folder: Path) -> dict[str, object]:
    """What a run has found; how long it took and where is not part of it."""
    kept = [name for name in paths.run_files(predictions=True) if not name.endswith("csv")]
    found: dict[str, object] = {name: (folder / name).read_bytes() for name in kept}
    for name in (paths.ROUNDS, paths.CLIENTS):
        with (folder / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        found[name] = [{k: v for k, v in row.items() if "seconds" not in k} for row in rows]
    record = json.loads((folder / paths.RECORD).read_text())
    del record["timing"], record["files"], record["record_sha256"]
    del record["provenance"]["started"], record["provenance"]["stretches"]
    return found | {paths.RECORD: record}


def test_warm_runs_and_splits_are_those_of_a_process_of_their_own(place, offered):
    cold = make(place, {VARIABLE: OFF}, "cold", "fedavg", "cold.csv")
    assert "torch" in cold
    warm = make(place, offered, "first", "fedavg", "warm.csv")
    warm += make(place, offered, "other", "scaffold", "other.csv")
    warm += make(place, offered, "again", "fedavg", "again.csv")
    assert "torch" not in warm, "these were no forks"
    assert "numpy" not in warm
    assert (place / "warm.csv").read_bytes() == (place / "cold.csv").read_bytes()
    expected = results(place / "cold")
    assert expected[paths.MODEL] != results(place / "other")[paths.MODEL]
    for folder in ("first", "again"):
        assert results(place / folder) == expected


def test_workers_of_a_warm_run_keep_to_its_cores(place, offered):
    """Their threads begin in the fork; the process that it came from has none."""
    warm = make(place, offered, "two", "pair", "split.csv", "--cores", "2")
    warm += make(place, offered, "one", "pair", "split.csv", "--cores", "1")
    assert "torch" not in warm, "these were no forks"
    cold = make(place, {VARIABLE: OFF}, "cold", "pair", "split.csv", "--cores", "2")
    assert "torch" in cold
    logs = [(place / name / paths.LOG).read_text() for name in ("two", "one", "cold")]
    assert ["up to 2 clients train side by side" in log for log in logs] == [True, False, True]
    assert "1 of 2 workers: there are 1 cores" in logs[1]
    models = [(place / name / paths.MODEL).read_bytes() for name in ("two", "one", "cold")]
    assert models[0] == models[1] == models[2]


def test_who_is_called_first_leaves_the_process_for_all_jobs(place, offered):
    """As the Snakefile calls it, and as it does where nothing is offered."""
    medfl(place, {VARIABLE: OFF}, "warm")
    assert servers(place) == []
    assert "torch" not in medfl(place, offered, "warm")
    assert len(servers(place)) == 1
    assert "torch" not in make(place, offered, "first", "fedavg", "warm.csv")
    assert (place / "first" / paths.RECORD).exists()
    assert len(servers(place)) == 1


def test_a_report_of_several_threads_needs_no_other_server(place, offered):
    """Snakemake sets these variables to the cores of a job."""
    for threads, command in (("1", "run"), ("2", "report"), ("3", "report")):
        medfl(place, offered | dict.fromkeys(THREADS, threads), command, "--help")
    assert len(servers(place)) == 1


def servers(place: Path) -> list[str]:
    """The processes from which jobs of a folder are forked."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == place:
                found.append((process / "cmdline").read_text())
        except OSError:  # it has ended, or is another user's
            continue
    return [line for line in found if line.startswith("medfl: jobs")]


def test_who_gets_ready_begins_nothing_and_misses_nothing(place):
    """No thread, no CUDA, no draw; and a run imports no library afterwards."""
    medfl(place, {VARIABLE: OFF}, "split", "phantom", "--partition", "iid", "--seed", "0",
          "--num-clients", "2", "--output", "split.csv")  # fmt: skip
    code = """
import os, sys, torch
def refuse(*_): raise SystemExit("a fork cannot use CUDA where its parent has asked for it")
kept = torch.cuda.is_available, torch.cuda.device_count
torch.cuda.is_available = torch.cuda.device_count = torch.cuda._lazy_init = refuse
from medfl.commands.ready import get_ready
look, begin = get_ready()
torch.cuda.is_available, torch.cuda.device_count = kept
import numpy
def drawn(): return torch.get_rng_state().tolist(), numpy.random.get_state()[1].tolist()
before = drawn()
look()
print(len(os.listdir("/proc/self/task")), torch.cuda.is_initialized(), torch.get_num_threads())
begin()
print([one == other for one, other in zip(before, drawn())])
there = set(sys.modules)
from medfl.commands.call import call
call(sys.argv[1:])
print(*{name.split(".")[0] for name in set(sys.modules) - there} - {"medfl", "encodings"})
"""
    cell = "--dataset phantom --partition iid --arm fedavg --seed 0 --split split.csv"
    words = f"run --grid grid.yaml {cell} --output-dir out".split()
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=place,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, *_, last = done.stdout.splitlines()
    assert (first, second, last) == ("1 False 1", "[False, False]", "")
