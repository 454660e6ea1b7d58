"""A piece of work beside a block: once, whole, and with its own errors."""

from __future__ import annotations

import os
import time

import pytest

from medfl.errors import MedflError
from medfl.files import beside as module
from medfl.files.beside import done_beside

elsewhere = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(module, "cpu_count", lambda: 2)


@elsewhere
def test_it_is_done_in_another_process_and_waited_for(tmp_path):
    path = tmp_path / "who"
    with done_beside(lambda: (time.sleep(0.2), path.write_text(str(os.getpid())))):
        assert not path.exists(), "the block does not wait"
    assert int(path.read_text()) != os.getpid()


@pytest.mark.parametrize("cores", [1, 2])
def test_where_it_cannot_be_it_is_done_here(tmp_path, monkeypatch, cores):
    monkeypatch.setattr(module, "cpu_count", lambda: cores)
    monkeypatch.setattr(module, "can_fork", lambda: False)
    path = tmp_path / "who"
    with done_beside(lambda: path.write_text(str(os.getpid()))):
        pass
    assert int(path.read_text()) == os.getpid()


def test_its_errors_are_raised_here_after_the_block(tmp_path):
    done = []

    def fail():
        raise MedflError("rounds.csv: is damaged.")

    with pytest.raises(MedflError, match=r"rounds\.csv: is damaged"), done_beside(fail):
        done.append("the block")
    assert done == ["the block"]


@elsewhere
def test_a_process_that_is_killed_is_made_up_for(tmp_path):
    path, here = tmp_path / "who", os.getpid()

    def work():
        if os.getpid() != here:
            os.kill(os.getpid(), 9)
        path.write_text("whole")

    with done_beside(work):
        pass
    assert path.read_text() == "whole"


@elsewhere
def test_a_block_that_fails_ends_it(tmp_path):
    path = tmp_path / "late"
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError), done_beside(lambda: (time.sleep(30), path.touch())):
        1 / 0  # noqa: B018
    assert time.monotonic() - began < 20
    assert not path.exists()
