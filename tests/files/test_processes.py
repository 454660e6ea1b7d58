"""Items in processes: the same results in the same order, and a crash costs one of them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tqdm import tqdm

from medfl.files import is_locked, processes, take_lock
from medfl.files.memory import MemoryEndedError
from medfl.files.processes import AHEAD, KILLED, lost_file, map_isolated

SLOW = 0.05  # s: messages of one item, and all processes that there may be


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Whatever threads other tests have left: a crash must not be that of all tests."""
    monkeypatch.setattr(processes, "can_fork", lambda: True)


def lost(item, why):
    return f"{item} {why}"


def spread(function, items, workers=2):
    return map_isolated(function, items, "working", lost, workers)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


def until(condition, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order_from_other_processes(workers):
    def square(k):
        time.sleep(SLOW if k % 7 == 0 else 0)
        return k * k, os.getpid()

    found = list(spread(square, range(90), workers))
    assert [square for square, _ in found] == [k * k for k in range(90)]
    pids = {pid for _, pid in found}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= workers
    assert multiprocessing.active_children() == []


def test_work_that_takes_long_is_shared_out():
    def slow(k):
        time.sleep(2 * SLOW)
        return os.getpid()

    assert len(set(spread(slow, range(20), 2))) == 2


def test_a_few_quick_items_do_not_pay_for_several_processes():
    assert len(set(spread(lambda k: os.getpid(), range(50), 8))) == 1
    assert list(spread(int, [])) == []


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("crash", "why"),
    [
        (lambda: ctypes.string_at(0), "makes its reader crash (SIGSEGV): get this file again"),
        (os.abort, "makes its reader crash (SIGABRT): get this file again"),
        (lambda: os._exit(3), "makes its reader crash (status 3): get this file again"),
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            "cannot be read: who read it was killed, perhaps for want of memory",
        ),
    ],
)
def test_a_crash_costs_its_item_alone(crash, why, workers, capfd):
    def work(k):
        if k in (0, 40, 41, 99):
            crash()
        return k

    found = list(spread(work, range(100), workers))
    assert found == [f"{k} {why}" if k in (0, 40, 41, 99) else k for k in range(100)]
    said = capfd.readouterr()
    assert said.out == ""
    assert "ault" not in said.err  # neither the C library nor Python's faulthandler
    assert "bort" not in said.err


def test_an_item_that_is_killed_once_is_not_lost(tmp_path):
    """As by want of memory, because another one took it at the same time."""

    def work(k):
        with (tmp_path / "begun").open("a") as file:
            file.write(f"{k}\n")
        if k == 30 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return k

    assert list(spread(work, range(60))) == list(range(60))
    assert (tmp_path / "begun").read_text().split().count("30") == 2


def test_an_item_that_lacks_memory_is_tried_again_as_if_its_process_were_killed(tmp_path):
    def work(k):
        if k == 50 or (k == 30 and not (tmp_path / "lacked").exists()):
            (tmp_path / "lacked").touch()
            raise MemoryError
        return k

    found = list(spread(work, range(60)))
    assert found == [f"{k} {KILLED}" if k == 50 else k for k in range(60)]


def test_a_crash_without_memory_is_not_the_files_fault(monkeypatch):
    """Decoders written in C abort where memory ends."""

    def work(k):
        if k == 3:
            os.abort()
        return k

    monkeypatch.setattr(processes, "free_memory", lambda: 2**29)
    assert list(spread(work, range(5))) == [0, 1, 2, f"3 {KILLED}", 4]
    with pytest.raises(MemoryEndedError, match=r"memory has ended while x\.png was read"):
        lost_file(Path("x.png"), KILLED)
    assert lost_file(Path("x.png"), "makes").reason == "makes"


def test_what_is_tried_again_is_alone(tmp_path):
    (tmp_path / "at work").mkdir()

    def work(k):
        mine = tmp_path / "at work" / f"{os.getpid()}"
        mine.touch()
        time.sleep(SLOW)
        beside = len(list(mine.parent.iterdir())) - 1
        mine.unlink()
        if k == 11 and beside:
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return k

    assert list(spread(work, range(20), 3)) == list(range(20))
    assert (tmp_path / "killed").exists()


def test_the_first_error_ends_it_when_it_is_its_turn():
    results = spread(int, ["1", "2", "x", "4", "y"])
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="'x'"):
        next(results)
    assert multiprocessing.active_children() == []


def test_who_ends_early_ends_the_processes():
    results = spread(lambda k: time.sleep(SLOW), range(1000))
    next(results)
    assert multiprocessing.active_children() != []
    results.close()
    assert multiprocessing.active_children() == []


def test_results_do_not_heap_up(tmp_path):
    def work(k):
        (tmp_path / str(k)).touch()
        time.sleep(SLOW)

    results = spread(work, range(1000), 2)
    for _ in range(20):
        next(results)
    time.sleep(40 * SLOW)
    assert len(list(tmp_path.iterdir())) <= 19 + AHEAD * 2
    results.close()


def test_a_process_with_threads_works_in_threads(monkeypatch):
    monkeypatch.undo()
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert set(spread(lambda k: os.getpid(), range(9))) == {os.getpid()}
    finally:
        end.set()
        thread.join()


def test_a_bar_of_the_programs_own_is_no_hindrance(monkeypatch):
    monkeypatch.undo()
    main = threading.current_thread()
    with tqdm(range(3)) as bar:
        assert bar.monitor is not None
        watching = [main, bar.monitor]
        monkeypatch.setattr(threading, "enumerate", lambda: watching)
        assert processes.can_fork()
        monkeypatch.setattr(threading, "enumerate", lambda: [*watching, threading.Timer(9, print)])
        assert not processes.can_fork()


def test_a_lock_is_not_passed_on(tmp_path):
    lock = take_lock(tmp_path / "lock")

    def held(k):
        locks = [Path(f"/proc/self/fdinfo/{fd}") for fd in os.listdir("/proc/self/fd")]
        return [one.name for one in locks if one.exists() and "FLOCK" in one.read_text()]

    assert list(spread(held, range(3))) == [[], [], []]
    assert is_locked(tmp_path / "lock")
    os.close(lock)


CHILDREN = """
import os, sys, time
from pathlib import Path
from medfl.files.processes import map_isolated
from medfl.stopping import stoppable

def work(k):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(0.1 if k < 20 else 60)

with stoppable():
    for _ in map_isolated(work, range(100), "working", print, 2):
        pass
"""


@pytest.mark.parametrize(
    ("number", "to_all"),
    [
        (signal.SIGKILL, False),
        (signal.SIGINT, True),  # as a terminal's Ctrl-C
        (signal.SIGINT, False),
        (signal.SIGTERM, True),  # as a cluster's
    ],
)
def test_processes_end_with_the_one_that_started_them(tmp_path, number, to_all):
    program = subprocess.Popen(
        [sys.executable, "-c", CHILDREN, str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert until(lambda: len(list(tmp_path.iterdir())) == 2)
    pids = [int(one.name) for one in tmp_path.iterdir()]
    assert not any(map(gone, pids))
    (os.killpg if to_all else os.kill)(program.pid, number)
    said = program.communicate(timeout=20)[1]
    assert program.returncode != 0
    assert until(lambda: all(map(gone, pids)))
    assert said.count("Traceback") <= 1  # the program's own, and none of its processes
