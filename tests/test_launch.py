"""`medfl benchmark` as it starts and stops Snakemake."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from medfl import cli, launch


class Interrupted:
    """A process that Ctrl-C reaches while it is waited for; it notes what is done to it."""

    pid = 2**31 - 1  # no process has this number, so there are no jobs to end

    def __init__(self, command, env, pass_fds):
        self.command, self.env, self.locks, self.done = command, env, pass_fds, []

    def wait(self):
        self.done.append("wait")
        if self.done == ["wait"]:
            raise KeyboardInterrupt
        return 1

    def terminate(self):
        self.done.append("terminate")


def test_ctrl_c_lets_snakemake_end_its_jobs_before_the_command_ends(tmp_path, monkeypatch, capsys):
    """Snakemake that is left alone, or killed at once, would keep the folder locked."""
    monkeypatch.chdir(tmp_path)
    started = []

    def start(command, env, pass_fds):
        started.append(Interrupted(command, env, pass_fds))
        return started[0]

    monkeypatch.setattr(launch.subprocess, "Popen", start)
    assert cli.main(["benchmark", "--output-dir", "out", "--algorithms", "fedavg"]) == 130
    assert started[0].done == ["wait", "terminate", "wait"]
    assert started[0].env["PYTHONPATH"].startswith(str(launch.ROOT))
    first = (tmp_path / "out/benchmark.yaml").read_text().splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")  # for editors
    assert (tmp_path / "out" / schema).samefile(launch.ROOT / "schemas/grid.json")
    assert "the same command goes on" in capsys.readouterr().err


# It says when it is told to end; Snakemake then still waits for what it started.
STARTER = """
import signal, subprocess, sys
name, session, *command = sys.argv[1:]
def told(number, frame):
    print(name, flush=True)
    if name == "run":
        sys.exit()
signal.signal(signal.SIGTERM, told)
subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=session == "new").wait()
"""
HELPER = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.alarm(30)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_run_is_told_to_end_also_where_processes_help_it():
    """Snakemake starts a shell, which starts a run, which starts a helper with its own session."""
    starter = [sys.executable, "-c", STARTER]
    run = [*starter, "run", "new", sys.executable, "-c", HELPER]
    command = [*starter, "snakemake", "same", "sh", "-c", '"$@"; exit 0', "sh", *run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        launch._end(process)
        assert sorted(process.stdout.read().split()) == ["run", "snakemake"]


def test_without_a_checkout_it_says_how_to_get_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "ROOT", tmp_path)
    assert cli.main(["benchmark", "--output-dir", "out"]) == 2
    assert "holds no Snakefile" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("word", "hint"), [("fedavgg", "did you mean `fedavg`"), ("zzz", "known")])
def test_an_unknown_algorithm_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, capsys, word, hint
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["benchmark", "--output-dir", "out", "--algorithms", word]) == 2
    error = capsys.readouterr().err
    assert f"unknown algorithm `{word}`" in error
    assert hint in error
    assert not (tmp_path / "out").exists()


def test_errors_of_failed_jobs_are_told_once_with_their_log(tmp_path, capsys):
    for name, text in {
        "train/a.log": "progress\nmedfl: error: no such network.\n",
        "train/b.log": "medfl: error: no such network.\n",
        "split/c.log": "medfl: warning: few\nmedfl: error: 3 patients are too few.\n",
        "train/old.log": "medfl: error: mended since.\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    os.utime(tmp_path / "train/old.log", (1, 1))
    launch.tell_errors(tmp_path, 1000.0)
    assert capsys.readouterr().err.splitlines() == [
        f"medfl: error: 3 patients are too few. ({tmp_path / 'split/c.log'})",
        f"medfl: error: no such network. ({tmp_path / 'train/a.log'})",
    ]
    for number in range(12):
        (tmp_path / f"{number}.log").write_text(f"medfl: error: {number}.\n")
    launch.tell_errors(tmp_path, 1000.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == f"medfl: error: 4 more in {tmp_path}."
