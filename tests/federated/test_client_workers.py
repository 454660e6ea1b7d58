"""Threads that share out items: in what order they begin and end, what stops them, what is kept."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from federations import Linear, Normed, threads_left

from medfl.errors import MedflError
from medfl.federated import workers as workers_module
from medfl.federated.workers import Workers, in_worker, leave_if_asked
from medfl.models.flat import FlatModel


@pytest.fixture
def pair():
    return Workers(FlatModel(Linear()), 2)


class Begun:
    """An item's function that waits until it is let go; it knows which items have begun."""

    def __init__(self, items):
        self.order, self.let_go = [], {item: threading.Event() for item in items}

    def __call__(self, item, model):
        self.order.append(item)
        assert self.let_go[item].wait(10)
        return item.upper()

    def wait_for(self, count):
        until = time.monotonic() + 10
        while len(self.order) < count and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.02)  # one too many would come now
        return self.order[:]


def taken(iterator, found):
    """A thread that takes all results, as the main thread does."""
    thread = threading.Thread(target=lambda: found.extend(iterator))
    thread.start()
    return thread


def test_the_longest_begin_first_and_results_keep_their_order(pair):
    begun, found = Begun("abcd"), []
    main = taken(pair.spread(begun, "abcd", [1, 7, 5, 7]), found)
    assert sorted(begun.wait_for(2)) == ["b", "d"]
    begun.let_go["d"].set()
    assert begun.wait_for(3)[2] == "c"
    for event in begun.let_go.values():
        event.set()
    main.join()
    assert found == ["A", "B", "C", "D"]
    assert begun.order[3] == "a"


def test_nothing_begins_whose_result_would_have_no_room(pair, monkeypatch):
    """Room for 5 results: items 0 to 4, until the first is taken. The longest come last."""
    monkeypatch.setattr(workers_module, "WAITING_BYTES", 50)
    items = "abcdefgh"
    begun, found = Begun(items), []
    main = taken(pair.spread(begun, items, range(8), lambda result: 10, 10), found)
    assert sorted(begun.wait_for(2)) == ["d", "e"]
    for item in "bcde":
        begun.let_go[item].set()
    assert sorted(begun.wait_for(5)) == list("abcde"), "nothing else, as long as a is not taken"
    for event in begun.let_go.values():
        event.set()
    main.join()
    assert found == list("ABCDEFGH")


def test_two_results_a_worker_always_have_room(pair):
    assert pair.room(10**12) == 4
    assert pair.room(2**20) == 512
    assert pair.room(0) == workers_module.WAITING_BYTES


def test_an_error_comes_when_it_is_its_turn_and_ends_the_threads(pair):
    done = []

    def work(item, model):
        done.append(item)
        if item >= 3:
            raise ValueError(item)
        return item

    results = pair.spread(work, range(50), [1] * 50)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert threads_left() == 0
    assert max(done) < 20, "items after the one that failed are not begun"


def test_each_thread_has_a_network_of_its_own_and_the_main_thread_the_first(pair):
    used, gate = {}, threading.Barrier(2, timeout=10)

    def work(item, model):
        gate.wait()
        assert in_worker()
        assert torch.get_num_threads() == 1
        used[threading.get_ident()] = model
        return item

    assert list(pair.spread(work, range(4), [1] * 4)) == [0, 1, 2, 3]
    assert len(used) == len(set(used.values())) == 2
    assert set(used.values()) == set(pair.models)
    assert not in_worker()
    alone = Workers(pair.models[0])
    assert list(alone.spread(lambda item, model: model, range(2), [1, 1])) == [pair.models[0]] * 2


def test_copies_lie_in_memory_of_their_own():
    first, second = Workers(FlatModel(Normed()), 2).models
    assert torch.equal(first.vector, second.vector)
    second.vector.add_(1)
    assert not torch.equal(first.vector, second.vector)
    assert first.holds(first.module.body[0].weight)
    assert first.holds(first.buffers)
    assert not second.holds(first.vector)
    assert not first.holds(first.vector.clone())
    assert first.holds(first.twin("global").vector)


def test_what_is_left_ends_at_the_next_batch(pair):
    """The thread of a client that nobody waits for takes no further batch."""
    going, batches = threading.Event(), []

    def work(item, model):
        if item == 0:
            return going.wait(10)
        for _ in range(10_000):
            batches.append(item)
            going.set()
            time.sleep(0.001)
            leave_if_asked()

    results = pair.spread(work, range(2), [1, 1])
    assert next(results)
    assert pair.at_work
    results.close()
    assert not pair.at_work
    assert threads_left() == 0
    assert len(batches) < 5_000


def test_draws_from_the_generator_that_threads_share_are_noticed(pair):
    with pytest.raises(MedflError, match=r"draws from PyTorch's own .*training\.workers: 1"):
        list(pair.spread(lambda item, model: torch.rand(1), range(2), [1, 1]))
    own = [torch.Generator().manual_seed(k) for k in range(2)]
    assert len(list(pair.spread(lambda one, model: torch.rand(1, generator=one), own, [1, 1]))) == 2


def test_a_network_that_cannot_be_copied_says_so():
    network = Linear()
    network.lock = threading.Lock()
    with pytest.raises(MedflError, match=r"cannot be copied .*training\.workers: 1"):
        list(Workers(FlatModel(network), 2).spread(lambda item, model: 0, range(2), [1, 1]))


def test_threads_that_cannot_be_started_say_so(pair, monkeypatch):
    def full(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    with pytest.raises(MedflError, match=r"could not be started .*training\.workers: 1"):
        list(pair.spread(lambda item, model: 0, range(2), [1, 1]))
