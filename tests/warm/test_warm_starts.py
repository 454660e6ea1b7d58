"""Jobs that are forked from a process which stands ready: as if each had started by itself."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from warm_jobs import Start, is_there, until

from medfl import stopping
from medfl.warm import OFF, VARIABLE, offer
from medfl.warm.address import SIGNALS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    one = Start(tmp_path)
    yield one
    for caller in one.called:
        caller.kill()
        caller.communicate()
    one.end()
    for server in one.servers:
        until(lambda server=server: not is_there(server))


def who(lines: list[str]) -> tuple[int, int]:
    """The process that did a job, and its parent."""
    process, parent = lines[0].split()[:2]
    return int(process), int(parent)


def test_one_process_gets_ready_for_all_jobs(start):
    done = [start.done("exit", "0")[1] for _ in range(3)]
    assert len(start.servers) == 1
    assert [who(lines)[1] for lines in done] == start.servers * 3
    assert len({who(lines)[0] for lines in done}) == 3


def test_jobs_that_begin_at_one_time_share_a_server(start):
    callers = [start.call("exit", str(number)) for number in range(8)]
    lines = [caller.communicate(timeout=30)[0].splitlines() for caller in callers]
    assert [caller.returncode for caller in callers] == list(range(8))
    assert {who(one)[1] for one in lines} == set(start.servers)
    assert len(start.servers) == 1


def test_nothing_of_a_job_is_felt_in_the_next(start):
    assert [start.done("exit", "0")[1][0].split()[2:] for _ in range(2)] == [["begun"]] * 2


def test_the_server_looks_about_before_each_job_and_outlives_what_it_meets(start):
    done = [start.done("exit", str(number), LOOKS="1") for number in (3, 4)]
    assert [status for status, *_ in done] == [3, 4]
    assert len(start.servers) == 1
    assert [who(lines)[1] for _, lines, _ in done] == start.servers * 2
    assert (start.folder / "looks").read_text().split() == [str(start.servers[0])] * 2


def test_a_job_has_its_callers_arguments_folder_mask_and_streams(start):
    (start.folder / "below").mkdir()
    start.done("exit", "0")
    before = os.umask(0o027)
    try:
        status, lines, errors = start.done("say", "two words", cwd="below")
    finally:
        os.umask(before)
    assert status == 0
    assert lines[1:] == [f"{start.folder}/below 0o27 False given two words", "ignored:"]
    assert errors == "to stderr\n"
    assert who(lines)[1] == start.servers[0]


def test_a_job_does_what_is_left_for_its_end(start):
    for _ in range(2):
        assert start.done("later")[1][1:] == ["not flushed", "a thread", "at the end", "finalised"]
    assert len(start.servers) == 1


def test_signals_that_a_caller_ignores_are_ignored_in_its_job(start):
    start.done("exit", "0")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert start.done("say")[1][-1] == "ignored: SIGHUP"
    finally:
        signal.signal(signal.SIGHUP, before)
    assert start.done("say")[1][-1] == "ignored:"


def test_process_lists_show_who_does_what(start):
    start.done("exit", "0")
    caller, process = start.waiting("job")
    assert shown(process) == shown(caller.pid)[: len(shown(process))]
    assert shown(process).endswith("wait\0j"), "the first one had two letters less"
    assert shown(start.servers[0]) == "medfl: jobs are forked from this process"


def shown(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text().rstrip("\0")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_dies_costs_no_other(start, number):
    other, process = start.waiting("other")
    assert start.done("die", str(int(number)))[0] == -number
    assert start.done("exit", "3")[0] == 3
    assert is_there(process)
    other.send_signal(signal.SIGTERM)
    assert other.wait(timeout=30) == 128 + signal.SIGTERM
    assert len(start.servers) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU, signal.SIGHUP])
def test_a_callers_signal_reaches_its_job(start, number):
    caller, _ = start.waiting("job")
    caller.send_signal(number)
    assert caller.wait(timeout=30) == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGXCPU])
def test_a_signal_that_every_process_gets_ends_jobs_in_order(start, number):
    """As a cluster sends them: a server that died of one would take its jobs with it."""
    caller, process = start.waiting("job")
    for one in (caller.pid, start.servers[0], process):
        os.kill(one, number)
    assert caller.wait(timeout=30) == 128 + number
    assert who(start.done("exit", "0")[1])[1] == start.servers[0]


def test_the_signals_are_those_that_runs_know():
    assert SIGNALS == stopping.SIGNALS


def test_a_job_is_suspended_and_goes_on_with_its_caller(start):
    caller, process = start.waiting("job")
    caller.send_signal(signal.SIGTSTP)
    until(lambda: state(process) == "T")
    assert state(caller.pid) == "T"
    caller.send_signal(signal.SIGCONT)
    until(lambda: state(process) != "T")
    caller.send_signal(signal.SIGTERM)
    assert caller.wait(timeout=30) == 128 + signal.SIGTERM


def state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_job_ends_with_a_caller_that_is_killed(start):
    caller, process = start.waiting("job")
    caller.kill()
    until(lambda: not is_there(process))
    assert start.done("exit", "3")[0] == 3
    assert len(start.servers) == 1


def test_jobs_end_with_a_server_that_is_killed_and_the_next_one_has_another(start):
    caller, process = start.waiting("job")
    os.kill(start.servers[0], signal.SIGKILL)
    assert caller.wait(timeout=30) == 128 + signal.SIGKILL
    until(lambda: not is_there(process))
    assert caller.stderr.read() == "medfl: error: the process that did this job was killed.\n"
    assert start.done("exit", "3")[0] == 3
    assert len(start.servers) == 2


def test_a_server_ends_with_the_start_but_not_before_its_jobs(start):
    caller, process = start.waiting("job")
    start.end()
    with pytest.raises(AssertionError):
        until(lambda: not is_there(start.servers[0]), seconds=2.5)
    caller.send_signal(signal.SIGTERM)
    assert caller.wait(timeout=30) == 128 + signal.SIGTERM
    until(lambda: not is_there(start.servers[0]), seconds=5)
    assert not is_there(process)


@pytest.mark.parametrize("fails", ["import", "thread"])
def test_where_no_server_gets_ready_jobs_are_done_without(start, fails):
    for _ in range(2):
        caller = start.call("exit", "3", FAILS=fails)
        out, errors = caller.communicate(timeout=30)
        assert (caller.returncode, errors) == (3, "")
        assert who(out.splitlines())[0] == caller.pid
    assert len(start.servers) == 2


def test_no_server_does_a_job_of_another_environment_or_other_sources(start):
    servers = [who(start.done("exit", "0")[1])[1]]
    servers.append(who(start.done("exit", "0", OMP_NUM_THREADS="7")[1])[1])
    (start.folder / "sources" / "module.py").write_text("edited = True\n")
    servers.append(who(start.done("exit", "0")[1])[1])
    (start.folder / "sources" / "module.py").write_text("edited = None\n")  # as long as before
    servers.append(who(start.done("exit", "0")[1])[1])
    assert servers == start.servers
    assert len(set(servers)) == 4


def test_two_starts_do_not_meet(start, tmp_path):
    other = Start(tmp_path)
    one, two = (who(each.done("exit", "0")[1])[1] for each in (start, other))
    other.end()
    assert one != two
    until(lambda: not is_there(two))
    assert is_there(one)


def test_without_an_offer_nothing_is_started(start, monkeypatch):
    caller = start.call("exit", "3", **{VARIABLE: OFF})
    assert who(caller.communicate(timeout=30)[0].splitlines())[0] == caller.pid
    assert start.servers == []
    monkeypatch.setenv(VARIABLE, OFF)
    assert offer() == {VARIABLE: OFF}


def test_a_server_without_jobs_ends_by_itself(start):
    assert start.done("exit", "0", IDLE="1.5")[0] == 0
    server = start.servers[0]
    with pytest.raises(AssertionError):
        until(lambda: not is_there(server), seconds=1)
    until(lambda: not is_there(server), seconds=10)


def test_a_job_may_start_the_server_for_later_ones_and_is_done_without(start):
    caller = start.call("foresee")
    assert who(caller.communicate(timeout=30)[0].splitlines())[0] == caller.pid
    done = start.done("exit", "3")
    assert (done[0], who(done[1])[1]) == (3, start.servers[0])
    assert start.call("foresee").wait(timeout=30) == 0
    assert len(start.servers) == 1
