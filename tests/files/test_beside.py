"""Work beside a block: once, whole, and with its own errors."""

from __future__ import annotations

import os
import time
from functools import partial

import pytest

from medfl.errors import MedflError
from medfl.files import beside as module
from medfl.files.beside import begun_beside, done_beside

elsewhere = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(module, "cpu_count", lambda: 2)


def note_who(path):
    """Work that gathers which process does it, and writes that down."""
    return os.getpid, lambda found: path.write_text(str(found))


@elsewhere
def test_it_is_done_in_another_process_and_waited_for(tmp_path):
    path = tmp_path / "who"
    with done_beside(lambda: (time.sleep(0.2), os.getpid())[1], note_who(path)[1]):
        assert not path.exists(), "the block does not wait"
    assert int(path.read_text()) != os.getpid()


@elsewhere
def test_it_writes_when_the_block_allows_it_and_not_before(tmp_path):
    path, gathered = tmp_path / "who", tmp_path / "gathered"
    with done_beside(gathered.touch, lambda _: path.touch()) as allow:
        wait_for(gathered)
        time.sleep(0.2)  # in which it would write, were it free to
        assert not path.exists()
        allow()
        wait_for(path)


def wait_for(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} was not made"
        time.sleep(0.01)


@pytest.mark.parametrize("cores", [1, 2])
def test_where_it_cannot_be_it_is_done_here(tmp_path, monkeypatch, cores):
    monkeypatch.setattr(module, "cpu_count", lambda: cores)
    monkeypatch.setattr(module, "can_fork", lambda: False)
    path = tmp_path / "who"
    with done_beside(*note_who(path)) as allow:
        allow()
    assert int(path.read_text()) == os.getpid()


@pytest.mark.parametrize("early", [True, False])
def test_its_errors_are_raised_here_after_the_block(early):
    done = []

    def fail():
        raise MedflError("rounds.csv: is damaged.")

    def block():
        with done_beside(fail, print) as allow:
            if early:
                time.sleep(0.2)  # it is gone when it is told to write
                allow()
            done.append("the block")

    with pytest.raises(MedflError, match=r"rounds\.csv: is damaged"):
        block()
    assert done == ["the block"]


@elsewhere
def test_a_process_that_is_killed_is_made_up_for(tmp_path):
    path, here = tmp_path / "who", os.getpid()

    def gather():
        if os.getpid() != here:
            os.kill(os.getpid(), 9)
        return "whole"

    with done_beside(gather, path.write_text):
        pass
    assert path.read_text() == "whole"


@elsewhere
@pytest.mark.parametrize("seconds", [0, 30])
def test_a_block_that_fails_ends_it_and_nothing_is_written(tmp_path, seconds):
    path = tmp_path / "late"

    def block():
        with done_beside(lambda: time.sleep(seconds), lambda _: path.touch()):
            time.sleep(0.2)
            raise ZeroDivisionError

    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        block()
    assert time.monotonic() - began < 20
    assert not path.exists()


def square_and_who(number, pause=0.002):
    time.sleep(pause)  # so that neither takes all of them
    return number**2, os.getpid()


@elsewhere
@pytest.mark.parametrize("count", [50, 700, 2500])
def test_two_processes_share_the_items(count):
    items = range(count)
    with begun_beside(partial(square_and_who, pause=1 / count), items) as ask:
        found = [ask(item) for item in items]
        assert [square for square, _ in found] == [item**2 for item in items]
        assert len({who for _, who in found}) == 2
        assert os.getpid() in {who for _, who in found}
        assert ask(7) is found[7], "it is remembered"
        assert ask(-3)[0] == 9, "others may be asked for"


@elsewhere
def test_it_has_begun_before_anything_is_asked_for():
    with begun_beside(square_and_who, range(60)) as ask:
        time.sleep(0.5)
        assert ask(0)[1] != os.getpid()


@pytest.mark.parametrize(("count", "forks"), [(49, True), (60, False)])
def test_few_items_or_no_fork_are_worked_on_here_when_they_are_asked_for(count, forks, monkeypatch):
    if not forks:
        monkeypatch.setattr(module, "can_fork", lambda: False)
    done = []
    with begun_beside(lambda item: done.append(item) or os.getpid(), range(count)) as ask:
        assert ask(5) == os.getpid()
        assert ask(5) == os.getpid()
    assert done == [5]


@elsewhere
def test_an_error_is_raised_when_its_item_is_asked_for():
    def fail(item):
        if item in (3, 40):
            raise MedflError(f"item {item} is damaged")
        return item

    with begun_beside(fail, range(60)) as ask:
        assert ask(39) == 39
        with pytest.raises(MedflError, match="item 40 "):
            ask(40)
        with pytest.raises(MedflError, match="item 3 "):
            ask(3)


@elsewhere
def test_what_a_killed_process_had_is_worked_on_here():
    here = os.getpid()

    def work(item):
        if os.getpid() != here:
            os.kill(os.getpid(), 9)
        return item

    with begun_beside(work, range(60)) as ask:
        time.sleep(0.2)
        assert [ask(item) for item in range(60)] == list(range(60))


@elsewhere
@pytest.mark.parametrize("asked", [True, False])
def test_its_process_is_gone_after_the_block(asked):
    with begun_beside(square_and_who, range(60)) as ask:
        child = ask.__self__._process
        if asked:
            ask(1)
    assert not child.is_alive()
