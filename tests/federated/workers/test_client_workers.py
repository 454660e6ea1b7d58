"""Processes that share out items: their order, what stops them, what becomes of failures."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import numpy as np
import pytest
import torch
from federations import Linear, threads_left

from medfl.errors import FileError, MedflError
from medfl.federated.workers import Workers, WorkerTask, in_worker, pool
from medfl.models.flat import FlatModel


class Files(WorkerTask):
    """Notes in a folder which items have begun; each waits until a file lets it go."""

    def __init__(self, folder):
        self.folder, self.told = folder, "nothing"

    def words(self, item):
        return f"item {item}"

    def brief(self):
        return "what all must know"

    def take_up(self, brief):
        self.told = brief

    def do(self, item, model):
        (self.folder / f"{time.monotonic_ns()} begun {item}").touch()
        until = time.monotonic() + 20
        while not (self.folder / f"go {item}").exists() and time.monotonic() < until:
            time.sleep(0.001)
        return item.upper()

    def size(self, back):
        return 10

    def let_go(self, items):
        for item in items:
            (self.folder / f"go {item}").touch()

    def begun(self, count):
        """The items that have begun, in this order, once there are so many."""
        until = time.monotonic() + 20
        while len(found := sorted(self.folder.glob("* begun *"))) < count:
            assert time.monotonic() < until
            time.sleep(0.001)
        time.sleep(0.05)  # one too many would come now
        found = sorted(self.folder.glob("* begun *"))
        return [path.name.split()[-1] for path in found]


class Calls(WorkerTask):
    """Calls a function of the item."""

    def __init__(self, function):
        self.function = function

    def words(self, item):
        return f"item {item}"

    def brief(self):
        return None

    def take_up(self, brief):
        pass

    def do(self, item, model):
        return self.function(item)


def of_two(task, number=2, model=None):
    workers = Workers(FlatModel(model or Linear()), number)
    workers.add(task)
    return workers


@pytest.fixture
def pair():
    made = []

    def make(task, *args):
        made.append(of_two(task, *args))
        return made[-1]

    yield make
    for workers in made:
        workers.end()
    assert threads_left() == 0


def taken(iterator, found):
    """A thread that takes all results, as the main thread does."""
    thread = threading.Thread(target=lambda: found.extend(iterator))
    thread.start()
    return thread


def test_the_longest_begin_first_and_results_keep_their_order(pair, tmp_path):
    files, found = Files(tmp_path), []
    main = taken(pair(files).spread(files, "abcd", [1, 7, 5, 7]), found)
    assert sorted(files.begun(2)) == ["b", "d"]
    files.let_go("d")
    assert files.begun(3)[2] == "c"
    files.let_go("abcd")
    main.join()
    assert found == ["A", "B", "C", "D"]
    assert files.begun(4)[3] == "a"


def test_nothing_begins_whose_result_would_have_no_room(pair, tmp_path, monkeypatch):
    """Room for 5 results: items 0 to 4, until the first is taken. The longest come last."""
    monkeypatch.setattr(pool, "WAITING_BYTES", 50)
    files, found = Files(tmp_path), []
    main = taken(pair(files).spread(files, "abcdefgh", range(8), 10), found)
    assert sorted(files.begun(2)) == ["d", "e"]
    files.let_go("bcde")
    assert sorted(files.begun(5)) == list("abcde"), "nothing else, as long as a is not taken"
    files.let_go("abcdefgh")
    main.join()
    assert found == list("ABCDEFGH")


def test_two_results_a_worker_always_have_room(pair):
    workers = pair(Calls(str))
    assert workers.room(10**12) == 4
    assert workers.room(2**20) == 512
    assert workers.room(0) == pool.WAITING_BYTES


def test_an_error_comes_when_it_is_its_turn(pair, tmp_path):
    def work(item):
        (tmp_path / str(item)).touch()
        if item >= 3:
            raise FileError("x.png", f"fails as number {item}")
        return item

    task = Calls(work)
    results = pair(task).spread(task, range(50), [1] * 50)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(FileError, match=r"x\.png fails as number 3\."):
        next(results)
    assert threads_left() == 0
    assert max(int(path.name) for path in tmp_path.iterdir()) < 20, "no item is begun after it"


def test_workers_stay_from_one_spread_to_the_next_and_know_what_they_are_told(pair, tmp_path):
    files = Files(tmp_path)
    files.do = lambda item, model: (os.getpid(), in_worker(), torch.get_num_threads(), files.told)
    workers = pair(files)
    found = [list(workers.spread(files, "abcdefgh", [1] * 8)) for _ in range(3)]
    processes = {one[0] for turn in found for one in turn}
    assert 1 <= len(processes) <= 2
    assert os.getpid() not in processes
    assert {one[1:] for turn in found for one in turn} == {(True, 1, "what all must know")}
    assert not in_worker()
    assert files.told == "nothing"
    workers.end()
    assert list(workers.spread(files, "a", [1])) == [(os.getpid(), False, 1, "nothing")]


def test_a_persons_objects_are_those_of_the_moment(pair):
    """Workers are forked anew where something is watched, since anything may have changed on it."""

    class Own:
        word = "first"

    own = Own()
    task = Calls(lambda item: own.word)
    workers = pair(task)
    workers.watched = lambda: [own]
    assert list(workers.spread(task, "ab", [1, 1])) == ["first"] * 2
    own.word = "second"
    assert list(workers.spread(task, "ab", [1, 1])) == ["second"] * 2
    task.function = lambda item: setattr(own, "word", item)
    with pytest.raises(MedflError, match=r"`Own\.word` changes"):
        list(workers.spread(task, "ab", [1, 1]))


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "a worker was killed by signal 9"),
        (lambda: os._exit(3), "a worker ended with code 3"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: [0] * 10**17, "MemoryError"),
        (lambda: threading.Lock(), "cannot pickle '_thread.lock'"),
    ],
)
def test_what_a_worker_fails_at_is_done_again_in_the_run(pair, caplog, way, said):
    """The third item ends each worker that tries it; the run does it, and goes on."""
    run = os.getpid()

    def work(item):
        if item == 2 and os.getpid() != run:
            return way()
        return item * 10

    task = Calls(work)
    workers = pair(task)
    for _ in range(2):
        assert list(workers.spread(task, range(6), [1] * 6)) == [0, 10, 20, 30, 40, 50]
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings[0].startswith("item 2 is done again: ")
    assert said in warnings[0]
    if "worker" in said:
        assert warnings[1] == "the run goes on with fewer workers: one client after the other"


def test_the_run_goes_on_alone_where_all_workers_die(pair, caplog):
    run = os.getpid()
    task = Calls(lambda item: item if os.getpid() == run else os._exit(1))
    workers = pair(task)
    assert list(workers.spread(task, range(6), [1] * 6)) == [0, 1, 2, 3, 4, 5]
    caplog.clear()
    assert list(workers.spread(task, range(6), [1] * 6)) == [0, 1, 2, 3, 4, 5]
    assert not caplog.records, "they are not forked again"


def test_an_error_of_the_task_itself_is_that_of_the_run(pair):
    """With the traceback of the person's code, which does not cross processes."""
    task = Calls(lambda item: {}[item])
    with pytest.raises(KeyError, match="0") as error:
        list(pair(task).spread(task, range(3), [1] * 3))
    assert error.traceback[-1].name == "<lambda>"


def test_what_is_left_ends_at_once(pair, tmp_path):
    files = Files(tmp_path)
    workers = pair(files)
    results = workers.spread(files, "ab", [1, 1])
    files.let_go("a")
    assert next(results) == "A"
    files.begun(2)
    assert workers.at_work
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 5
    assert not workers.at_work
    files.let_go("ab")
    assert list(workers.spread(files, "ab", [1, 1])) == ["A", "B"]


@pytest.mark.parametrize(
    ("draw", "whose"),
    [
        (lambda item: torch.rand(1), "PyTorch's"),
        (lambda item: np.random.rand(), "NumPy's"),  # noqa: NPY002
        (lambda item: random.random(), "Python's"),
    ],
)
def test_draws_from_the_process_are_noticed(pair, draw, whose):
    task = Calls(draw)
    match = rf"draws from {whose} own random generator .*training\.workers: 1"
    with pytest.raises(MedflError, match=match):
        list(pair(task).spread(task, range(2), [1, 1]))


def test_draws_from_a_generator_of_ones_own_are_fine(pair):
    task = Calls(lambda seed: torch.rand(1, generator=torch.Generator().manual_seed(seed)).item())
    found = list(pair(task).spread(task, range(4), [1] * 4))
    assert found == [torch.rand(1, generator=torch.manual_seed(seed)).item() for seed in range(4)]


def test_a_process_that_cannot_be_started_says_so(pair, monkeypatch):
    def full():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    task = Calls(str)
    workers = pair(task)
    monkeypatch.setattr(os, "fork", full)
    match = r"could not be started \(Resource temporarily unavailable\).*training\.workers: 1"
    with pytest.raises(MedflError, match=match):
        list(workers.spread(task, range(2), [1, 1]))


def test_workers_end_with_the_run(tmp_path):
    """Even where it is killed: here a process that has workers of its own."""
    run = os.fork()
    if run == 0:
        files = Files(tmp_path)
        for _ in of_two(files).spread(files, "ab", [1, 1]):
            pass
        os._exit(0)
    Files(tmp_path).begun(2)
    children = _children(run)
    assert len(children) == 2
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    until = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{child}/exe") for child in children):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_worker_keeps_no_pipe_of_the_run_open(pair):
    """Who reads from it would wait for its end for ever."""
    reading, writing = os.pipe()
    task = Calls(lambda item: item)
    workers = pair(task)
    assert list(workers.spread(task, range(2), [1, 1])) == [0, 1]
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_signals_of_a_terminal_leave_workers_to_the_run(pair):
    task = Calls(lambda item: [os.kill(os.getpid(), n) for n in (2, 15, 1, 10, 12)] and item)
    assert list(pair(task).spread(task, range(4), [1] * 4)) == [0, 1, 2, 3]


def _children(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return file.read().split()
