"""What a start says of jobs that failed, from what Snakemake logs of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from medfl.pipeline.failed import Failures, partial_command

SHELL = """RuleException:
CalledProcessError in file "rules/train.smk", line 52:
Command 'set -euo pipefail;  medfl run > a.log 2>&1' returned non-zero exit status {}."""


def record(event, said="", **more):
    made = logging.makeLogRecord({"msg": said, "levelno": logging.ERROR, "event": event, **more})
    return made


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job of a rule that fails with a status, as Snakemake tells it; its log holds a text."""
    monkeypatch.chdir(tmp_path)
    failures = Failures(Path("results/logs"))
    ids = iter(range(99))

    def fail(name, text, rule="train", status=2):
        log = Path("results/logs", rule, f"{name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        number = next(ids)
        assert not failures.filter(record("error", SHELL.format(status), thread=number))
        told = {"rule_name": rule, "log": [str(log)], "jobid": number, "thread": number}
        assert failures.filter(record("job_error", **told)), "Snakemake may show it"

    fail.failures = failures
    return fail


def test_the_end_of_each_log_is_told_and_how_to_go_on(job, capsys):
    lines = "".join(f"round {number}\n" for number in range(1, 21))
    bar = "reading: 100%|██████████| 16/16 [00:00<00:00, 311.71file/s]"
    job("phantom/iid/fedavg/seed0", f"{lines}\n{bar}\nmedfl: error: no such network.\n")
    assert capsys.readouterr().err == "medfl: the run phantom/iid/fedavg/seed0 failed.\n"
    job.failures.tell("snakemake partial --cores 1")
    assert capsys.readouterr().err.splitlines() == [
        "",
        "medfl: the run phantom/iid/fedavg/seed0 failed; the end of "
        "results/logs/train/phantom/iid/fedavg/seed0.log:",
        *[f"  round {number}" for number in range(14, 21)],
        "  medfl: error: no such network.",
        "",
        "medfl: the same command makes what is missing, and nothing else again.",
        "medfl: `snakemake partial --cores 1` makes tables of the runs that are there.",
    ]


def test_what_befell_several_is_told_once_and_few_are_named(job, capsys):
    for seed in range(13):
        job(f"a/iid/fedavg/seed{seed}", "medfl: error: no such network.\n")
    job("own", "medfl: error: one class.\n", rule="prepare")
    for number in range(10):
        job(f"b/iid/fedavg/seed{number}", f"medfl: error: {number}.\n", status=1)
    capsys.readouterr()
    job.failures.tell("")
    error = capsys.readouterr().err
    assert error.count("no such network") == 1
    named = ", ".join(f"the run a/iid/fedavg/seed{seed}" for seed in range(1, 11))
    assert f"  The same befell {named} and 2 more.\n" in error
    assert "the preparation of own failed; the end of results/logs/prepare/own.log" in error
    assert "medfl: 2 more failed; their logs are in results/logs." in error
    assert "partial" not in error, "there is no run"


@pytest.mark.parametrize(
    ("status", "said"),
    [(137, "(its process was ended by SIGKILL, as by the system"), (139, "by SIGSEGV)"), (2, "")],
)
def test_a_job_that_was_killed_cannot_say_so_itself(job, capsys, status, said):
    job("a/iid/fedavg/seed0", "", status=status)
    job.failures.tell("")
    assert (said or "(it has said nothing)") in capsys.readouterr().err


def test_stopped_jobs_and_those_that_end_well_at_a_second_attempt_are_no_failures(job, capsys):
    job("a/iid/fedavg/seed0", "medfl: error: busy.\n")
    assert job.failures.filter(record("job_finished", job_id=0))
    capsys.readouterr()
    job.failures.tell("partial")
    assert capsys.readouterr().err == ""
    job("a/iid/fedavg/seed1", "medfl: interrupted; the same command goes on after round 3.\n")
    job.failures.tell("")
    assert "medfl: 1 job was stopped.\n" in capsys.readouterr().err


@pytest.mark.parametrize("number", [15, 2, 1])
def test_a_shell_that_was_ended_with_all_others_is_a_stopped_job(job, capsys, number):
    """`timeout` signals every process of a start: the shell ends before its run has said so."""
    job("a/iid/fedavg/seed0", "round 4\n", status=128 + number)
    assert capsys.readouterr().err == "medfl: the run a/iid/fedavg/seed0 was stopped.\n"
    job.failures.tell("")
    said = capsys.readouterr().err
    assert "medfl: 1 job was stopped.\n" in said
    assert "failed" not in said


def test_the_last_line_says_all_that_it_has_to_say(job, capsys):
    """It was cut before it said where the data are to be had."""
    last = f"medfl: error: it is not there. Expected at {'x' * 400}, from https://doi.org/1."
    job("ham10000-32", f"{'y' * 400}\n{last}\n", rule="prepare")
    job("b/iid/fedavg/seed0", "z" * 9000)
    job.failures.tell("")
    lines = capsys.readouterr().err.splitlines()
    assert f"  {last}" in lines
    assert f"  {'y' * 299}…" in lines
    assert f"  {'z' * 1999}…" in lines


def test_a_line_of_a_failed_job_is_written_in_one_piece(job, monkeypatch):
    """Jobs that end at the same time write in threads: words of theirs stood on one line."""
    pieces = []
    monkeypatch.setattr("sys.stderr.write", pieces.append)
    job("a/iid/fedavg/seed0", "medfl: error: busy.\n")
    assert [piece for piece in pieces if piece] == ["medfl: the run a/iid/fedavg/seed0 failed.\n"]


def test_other_words_of_snakemakes_are_shown(job):
    last = "WorkflowError:\nAt least one job did not complete successfully."
    show = job.failures.filter
    assert show(record("error", last)), "nothing is known of what failed"
    job("a/iid/fedavg/seed0", "medfl: error: busy.\n")
    assert not show(record("error", last))
    assert show(record("error", "MissingOutputException in rule train"))
    assert not show(record("job_started", "Execute 1 jobs..."))
    locked = record("error", "It can be removed with --unlock.", exception="LockException")
    assert show(locked)
    assert locked.msg.endswith("`medfl benchmark` takes --unlock, too.")


@pytest.mark.parametrize(
    ("named", "changes", "started", "command"),
    [
        ("params/default.yaml", {}, False, "snakemake partial --cores 1"),
        ("params/x.yaml", {}, False, "snakemake partial --cores 1 --configfile params/x.yaml"),
        ("params/x.yaml", {"seeds": [1]}, False, "medfl report --partial --grid fixed/grid.yaml"),
        ("out/benchmark.yaml", {}, True, "medfl report --partial --grid out/benchmark.yaml"),
    ],
)
def test_the_command_for_tables_of_what_is_there(
    tmp_path, monkeypatch, named, changes, started, command
):
    monkeypatch.delenv("MEDFL_STARTED", raising=False)
    if started:
        monkeypatch.setenv("MEDFL_STARTED", "alone")
    monkeypatch.chdir(tmp_path)
    found = (str(tmp_path), [Path(named).absolute()], Path("fixed/grid.yaml"), changes)
    assert partial_command(*found) == ""
    folder = tmp_path / "runs/phantom/iid/fedavg/seed0"
    folder.mkdir(parents=True)
    (folder / "metrics.json").touch()
    assert partial_command(*found) == command
