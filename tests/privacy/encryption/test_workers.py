"""Processes that encrypt beside a run: the same sums, no orphans, and one sentence if one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from chains import build, runs_alike
from encrypted_rounds import ROUND, Federation, number_of, one_fails, told_to_end
from torch import nn

from medfl.errors import MedflError
from medfl.privacy.encryption import CkksSettings, EncryptingHospital, SimulatedEncryption, link
from medfl.privacy.encryption import workers as module
from medfl.privacy.encryption.workers import CkksWorkers, WorkerDiedError
from medfl.privacy.sealed.envelope import OVERHEAD
from medfl.stopping import SIGNALS, Stopped, stoppable

pytestmark = pytest.mark.slow  # each starts processes, which import TenSEAL anew
LENGTH = 7 * 2044 - 5  # seven ciphertexts, in parts of 2, 2, 2 and 1


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 2)
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    monkeypatch.setattr(link, "cpu_count", lambda: 2)


@pytest.fixture(scope="module")
def three():
    return Federation()


@pytest.fixture
def two(three):
    """Two processes with the keys of ``three``."""
    workers = CkksWorkers(three.keys, processes=2)
    yield workers
    workers.close()


def ask(workers, function, parts=2):
    """What ``function`` gives in the processes, called for each part."""
    return workers._spread(function, 2 * parts, lambda part: ())


def test_each_number_comes_back_in_its_place(three, two):
    """What two processes encrypted one reads, and the other way round."""
    numbers = np.arange(7 * 2044).reshape(7, 2044) - 7000
    checks = np.arange(28).reshape(7, 4)
    one = CkksWorkers(three.keys)
    for writer, reader in ((one, two), (two, one), (two, two)):
        found, found_checks = reader.decrypt(writer.encrypt(numbers, checks))
        assert (found == numbers).all()
        assert (found_checks == checks).all()
    assert (len(two._started), one._started) == (2, [])


def test_the_work_is_done_elsewhere_by_as_many_as_are_asked_for(two):
    numbers = set(ask(two, number_of))
    assert len(numbers) == 2
    assert os.getpid() not in numbers
    assert numbers == set(ask(two, number_of))  # they stay for the next round


def test_few_ciphertexts_are_not_worth_a_process(two, monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 5)
    assert ask(two, number_of) == [os.getpid()]
    assert two._started == []


@pytest.mark.parametrize("processes", [1, 2])
def test_sums_are_exact_and_messages_as_long_for_any_number(processes):
    updates = np.random.default_rng(0).integers(-(2**27), 2**27, (3, LENGTH))
    rounds = SimulatedEncryption(range(3), CkksSettings(3), processes=processes)
    rounds.open(1, range(3), bytes(32))
    for client, update in enumerate(updates):
        message = rounds.encrypt(client, update)
        assert len(message) == 7 * 62464 + 4 + OVERHEAD
        rounds.add(message)
    assert (rounds.finish(LENGTH) == updates.sum(axis=0)).all()
    rounds.close()


def test_a_damaged_ciphertext_is_refused_in_the_words_of_one_process(three, two):
    hospital = EncryptingHospital(three.hospitals[0].identity, three.directory, three.keys, two)
    pieces = three.pieces(hospital.encrypt(ROUND, np.arange(LENGTH)))
    pieces[3] = pieces[3][:1000]
    for reader in (hospital, three.hospitals[1]):
        with pytest.raises(MedflError, match="a ciphertext is damaged") as told:
            reader.read_sum(ROUND, three.signed(pieces, [0, 1, 2]), LENGTH)
        assert not isinstance(told.value, WorkerDiedError)
    assert len(set(ask(two, number_of))) == 2


class Wide(nn.Sequential):
    """With Δc, 4,806 numbers: three ciphertexts, in two parts."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(36, 60), nn.ReLU(), nn.Linear(60, 3))


def run(threads):
    chain = {"links": {"ckks": {"bounds": {"delta_c": 3.0}}}}
    return build("scaffold", chain, sizes=(8, 16, 12, 6), model=Wide, threads=threads)


def workers_of(trainer):
    return trainer.server.chain.links[0]._rounds._workers


def counting(trainer, seen):
    """The close of a round, which notes how many processes there are."""
    close = trainer.server.chain.close

    def call(*arguments):
        seen.append(len(workers_of(trainer)._started))
        return close(*arguments)

    return call


def test_a_run_is_the_same_for_one_process_and_two(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    one, two = run(threads=1), run(threads=2)
    seen = []
    for trainer in (one, two):
        monkeypatch.setattr(trainer.server.chain, "close", counting(trainer, seen))
    runs_alike(one, two)
    assert seen == 3 * [0] + 3 * [2]
    assert workers_of(two)._started == []  # they end with the training
    for row, other in zip(one.history, two.history, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    records = [trainer.server.chain.record() for trainer in (one, two)]
    assert records[0] == records[1]


@pytest.mark.parametrize(("threads", "processes"), [(1, 1), (2, 2), (64, 2)])
def test_a_run_has_no_more_processes_than_threads_and_cores(threads, processes):
    assert workers_of(run(threads)).processes == processes


@pytest.mark.parametrize("place", ["encrypt", "read"])
def test_a_process_that_dies_ends_the_run_with_one_sentence(place, monkeypatch):
    """The round is not given up: what comes of a run does not depend on its processes."""
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    trainer, died = run(threads=2), []
    rounds = trainer.server.chain.links[0]._rounds
    original = getattr(rounds, place)

    def call(*arguments):
        if len(trainer.history) == 2 and not died:  # round 2
            died.append(workers_of(trainer)._started[0]._process)
            died[0].kill()
            died[0].wait()
        return original(*arguments)

    monkeypatch.setattr(rounds, place, call)
    with pytest.raises(MedflError) as told:
        trainer.train()
    assert str(told.value) == (
        "encryption: a process that encrypts beside this one has ended with status -9, perhaps for "
        "want of memory: run the same again, with `training.threads: 1` if need be, which needs no "
        "such process."
    )
    assert [row["given_up"] for row in trainer.history[1:]] == [0.0]
    assert workers_of(trainer)._started == []


def test_a_run_that_is_stopped_leaves_no_process(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    trainer, seen = run(threads=2), []

    def stop(row):
        seen.extend(one._process for one in workers_of(trainer)._started)
        if seen:
            raise Stopped(signal.SIGTERM)

    trainer.on_round = stop
    with pytest.raises(Stopped):
        trainer.train()
    assert [one.returncode for one in seen] == [-signal.SIGKILL] * 2
    assert workers_of(trainer)._started == []


def test_after_one_has_died_others_can_be_started(two):
    before = set(ask(two, number_of))
    os.kill(min(before), signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="status -9"):
        ask(two, number_of)
    assert [one for one in before if psutil.pid_exists(one)] == []
    after = set(ask(two, number_of))
    assert (len(after), after & before) == (2, set())


def test_no_process_at_all_is_refused(three):
    with pytest.raises(MedflError, match="processes is 0: it must be 1 or more"):
        CkksWorkers(three.keys, processes=0)


def test_a_process_that_cannot_be_started_is_told(two, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WorkerDiedError, match=r"could not be started \(.*/no/such/python"):
        ask(two, number_of)


def test_a_signal_ends_the_call_and_leaves_the_processes_as_they_were(two):
    """Whoever stops a run may still read with it what a round came to."""
    before = set(ask(two, number_of))
    with stoppable(), pytest.raises(Stopped):
        ask(two, told_to_end)
    assert set(ask(two, number_of)) == before


@pytest.mark.parametrize("moment", ["start", "join"])
def test_a_signal_at_any_moment_leaves_no_part_under_way(two, moment, monkeypatch):
    """The next call would read its answer, and a second signal would meet nobody."""
    ask(two, number_of)
    threads, original = [], getattr(threading.Thread, moment)

    def told(thread, *arguments):
        threads.append(thread)
        if moment == "start":
            original(thread)
        os.kill(os.getpid(), signal.SIGTERM)
        if moment == "join":
            original(thread)

    monkeypatch.setattr(threading.Thread, moment, told)
    with stoppable(), pytest.raises(Stopped):
        two._spread(one_fails, 4, lambda part: (part.start,))
    # One thread may serve both processes, where it is free again before the second part is given.
    assert threads
    assert not any(one.is_alive() for one in threads)


def test_the_processes_do_not_heed_signals_that_are_for_the_run(two):
    before = set(ask(two, number_of))
    for one in before:
        assert os.getsid(one) != os.getsid(0)  # the terminal's go to the run alone
        for sign in SIGNALS:
            os.kill(one, sign)
    assert set(ask(two, number_of)) == before


SCRIPT = """
import signal
import numpy as np
from medfl.privacy.encryption import CkksSettings, SimulatedEncryption, workers
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell has it ignored
workers.FEWEST = workers._AT_ONCE = 1
rounds = SimulatedEncryption(range(3), CkksSettings(3), processes=2)
rounds.open(1, range(3), bytes(32))
rounds.encrypt(0, np.arange(5000))
print(*[one._process.pid for one in rounds._workers._started], flush=True)
signal.alarm(120)
while True:
    rounds.encrypt(0, np.arange(500_000))
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_the_run_ends_no_process_is_left(sign, tmp_path):
    """A script that does not ask whether it is the main module; nothing is written anywhere."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-B", path],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        numbers = [int(word) for word in process.stdout.readline().split()]
        assert len(numbers) == 2
        assert all(runs(one) for one in numbers)
        process.send_signal(sign)
        said = process.communicate()[1]
    assert process.returncode == -sign
    until = time.monotonic() + 60
    while any(runs(one) for one in numbers) and time.monotonic() < until:
        time.sleep(0.02)
    assert [one for one in numbers if runs(one)] == []
    assert said.count("Traceback") == (sign == signal.SIGINT)  # the script's own
    assert list(tmp_path.iterdir()) == [Path(path)]


def runs(number):
    """Whether the process is there, and does not only wait for somebody to take notice."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
