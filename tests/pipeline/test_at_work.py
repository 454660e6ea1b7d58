"""Who is let in where another grid is at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medfl.errors import MedflError
from medfl.files import is_locked, take_lock
from medfl.pipeline.at_work import ALONE, BESIDE_OTHERS, LOCK, NOTES, WITHOUT_LOCKS, Start, start

STORE, SPLIT = "data/prepared/own/dataset.yaml", "data/splits/own/iid/clients2/seed0.csv"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDFL_STARTED", raising=False)
    return tmp_path


def test_two_grids_do_not_write_to_the_same_results(folder):
    first = start(Path("results"), [], [], [])
    for place in (Path("results"), folder / "results", Path("other/../results")):
        Path("other").mkdir(exist_ok=True)
        with pytest.raises(MedflError, match=r"another grid is at work in .*choose another folder"):
            start(place, [], [], [])
    assert start(Path("elsewhere"), [], [], []).how == BESIDE_OTHERS
    first.leave()
    start(Path("results"), [], [], [])


def test_from_another_folder_too(folder, monkeypatch):
    _first = start(Path("results"), [], [], [])
    (folder / "away").mkdir()
    monkeypatch.chdir(folder / "away")
    with pytest.raises(MedflError, match=r"another grid is at work in .*results"):
        start(folder / "results", [], [], [])


@pytest.mark.parametrize(
    ("makes", "uses", "others", "refused"),
    [
        ([STORE, SPLIT], [STORE, SPLIT], ([], [STORE]), True),  # it would read what is being made
        ([STORE], [STORE], ([STORE], [STORE]), True),  # both would make it
        ([], [STORE], ([STORE], [STORE]), True),  # it would make what is being read
        ([], [STORE], ([], [STORE]), False),  # both read
        ([SPLIT], [STORE, SPLIT], (["b"], [STORE, "b"]), False),  # each makes its own split
    ],
)
def test_what_is_being_made_is_not_shared(folder, makes, uses, others, refused):
    first = start(Path("first"), makes, uses, [])
    if not refused:
        start(Path("second"), *others, [])
        return
    with pytest.raises(MedflError, match=r"another grid is at work in .*first .*both need data/"):
        start(Path("second"), *others, [])
    assert not Path("second").exists(), "nothing is touched by who is refused"
    assert len(list(NOTES.glob("*.json"))) == 1
    first.leave()
    assert start(Path("second"), *others, []).how == ALONE


def test_a_run_that_is_still_being_trained_is_left_alone(folder):
    run = folder / "results/runs/own/iid/fedavg/seed0"
    run.mkdir(parents=True)
    lock = take_lock(run)
    with pytest.raises(MedflError, match="seed0 is being trained by another process"):
        start(Path("results"), [], [], [run])
    assert not Path("results", LOCK).exists()
    os.close(lock)
    start(Path("results"), [], [], [run])


def test_a_killed_grid_leaves_no_lock(folder):
    code = "from medfl.pipeline.at_work import *; start(Path('r'), ['a'], ['a'], [])"
    command = [sys.executable, "-c", f"{code}; print(1, flush=True); import time; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        with pytest.raises(MedflError, match=f"process {process.pid} on "):
            start(Path("r"), [], [], [])
        process.send_signal(signal.SIGKILL)
    assert start(Path("r"), ["a"], ["a"], []).how == ALONE
    assert len(list(NOTES.glob("*.json"))) == 1


def test_the_locks_are_those_of_the_process_that_gets_them(folder):
    first = start(Path("results"), [], [], [])
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=first.locks) as process:
        first.leave()
        assert is_locked(Path("results", LOCK))
        process.communicate(b"\n")
    assert not is_locked(Path("results", LOCK))


def test_who_was_let_in_by_medfl_benchmark_asks_no_more(folder, monkeypatch):
    first = start(Path("results"), [], [], [])
    for name, value in first.environment.items():
        monkeypatch.setenv(name, value)
    inner = start(Path("results"), [], [], [])
    assert inner.how == ALONE
    assert inner.locks == ()


@pytest.mark.parametrize(
    ("how", "left"), [(ALONE, "abc"), (BESIDE_OTHERS, "ab"), (WITHOUT_LOCKS, "")]
)
def test_locks_in_ones_own_results_are_left_by_a_start_that_was_killed(folder, how, left):
    locks = folder / "locks"
    locks.mkdir()
    for name, files in {
        "a": ["data/splits/s.csv", "results/runs/r/metrics.json"],
        "b": ["results/summary.csv"],
        "c": ["data/splits/s.csv", "results-2/summary.csv"],  # of the other grid
    }.items():
        (locks / f"{name}.lock").write_text("\n".join(files) + "\n")
    found = Start(how).left_locks(locks, Path("results"))
    assert sorted(path.stem for path in found) == list(left)
    assert list(Start(how).left_locks(folder / "none", Path("results"))) == []
