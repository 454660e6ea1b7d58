"""Signals end a process in order: the first one politely, a second Ctrl-C at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from medfl import stopping
from medfl.stopping import SIGNALS, Stopped, held, raise_if_stopped, stoppable


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_stops_once(number):
    before = signal.getsignal(number)
    with stoppable():
        with pytest.raises(Stopped) as stop:
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)  # a workflow that ends its jobs twice
        signal.raise_signal(signal.SIGINT)  # the same press of the keys
        with pytest.raises(Stopped):
            raise_if_stopped()
    assert stop.value.number == number
    assert signal.getsignal(number) == before
    raise_if_stopped()


class Swallows:
    """Gets a signal in its destructor, which cannot raise."""

    def __del__(self):
        signal.raise_signal(signal.SIGUSR1)
        time.sleep(0)


def swallow_and_wait():
    Swallows()
    for _ in range(500):
        time.sleep(0.01)


def test_a_signal_that_a_destructor_swallows_comes_a_moment_later(capfd):
    before = signal.getsignal(signal.SIGALRM), sys.unraisablehook
    with stoppable():
        with pytest.raises(Stopped) as stop:
            swallow_and_wait()
        assert stop.value.number == signal.SIGUSR1
        with pytest.raises(Stopped):
            raise_if_stopped()
    assert (signal.getsignal(signal.SIGALRM), sys.unraisablehook) == before
    assert "Traceback" not in capfd.readouterr().err


def test_a_block_that_ends_in_that_moment_is_not_stopped_after_its_end():
    with stoppable():
        Swallows()
    time.sleep(3 * stopping._MOMENT)


def stopped_in_its_middle(done, number):
    with held():
        signal.raise_signal(number)
        with held():
            done.append(1)
        done.append(2)


def test_a_block_that_is_held_ends_first():
    done = []
    with stoppable():
        with pytest.raises(Stopped) as stop:
            stopped_in_its_middle(done, signal.SIGUSR1)
        done.append(3)
    assert (done, stop.value.number) == ([1, 2, 3], signal.SIGUSR1)


def test_a_block_that_is_held_in_a_program_without_our_signals():
    done = []
    with pytest.raises(KeyboardInterrupt):
        stopped_in_its_middle(done, signal.SIGINT)
    assert done == [1, 2]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("first(); time.sleep(.2); signal.raise_signal(2); print('lives')", 0),
        ("first(); stopping.SECOND_PRESS = .1; time.sleep(.2); signal.raise_signal(2)", -2),
        ("first(); stopping.SECOND_PRESS = .1; time.sleep(.2); signal.raise_signal(15)", 0),
    ],
)
def test_only_a_second_press_ends_at_once(code, status):
    begin = """
import signal, time
from medfl import stopping
def first():
    try:
        signal.raise_signal(2)
    except KeyboardInterrupt:
        pass
with stopping.stoppable():
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", begin + code], env=environment, check=False)
    assert done.returncode == status


def test_a_signal_that_is_ignored_stays_so():
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, old)


def test_another_thread_is_not_asked():
    import threading

    seen = []

    def run():
        with stoppable(), held():
            seen.append(stopping._ours())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [None]
