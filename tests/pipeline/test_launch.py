"""`medfl benchmark` as it starts and stops Snakemake."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from medfl import cli
from medfl.grid import read_grid
from medfl.pipeline import launch


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


def test_without_conda_it_says_so_and_writes_no_grid(tmp_path, monkeypatch, capsys):
    """A grid that lies there would keep one of other settings from being started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["benchmark", "--use-conda", "--output-dir", "out"]) == 2
    assert "--use-conda needs conda 24.7.1 or newer" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_which_images_are_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDFL_DATA", str(tmp_path / "raw"))

    class Planned:
        def __init__(self, command, env, pass_fds):
            pass

        def wait(self):
            return 0

    monkeypatch.setattr(launch.subprocess, "Popen", Planned)
    monkeypatch.setattr(launch, "_tell_cost", lambda grid, cores: None)
    monkeypatch.setenv("MEDFL_DATASETS", "")
    (tmp_path / "own.yaml").write_text("folder: nowhere\nsize: 8\n", encoding="utf-8")
    asked = ["benchmark", "--dataset", "ham10000-64,phantom,own.yaml", "--dry-run"]
    assert cli.main([*asked, "--output-dir", "out"]) == 0
    lines = [one for one in capsys.readouterr().err.splitlines() if " is not there" in one]
    line, own = lines
    assert own.startswith(
        f"medfl: {tmp_path}/own.yaml: the folder that `folder` names is not there"
    )
    assert line.startswith("medfl: HAM10000 (10,015 images")
    assert f"Expected at {tmp_path / 'raw'}" in line
    assert "MEDFL_DATA" in line


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


FIRST = "benchmark --output-dir out --algorithms fedavg,fedprox --seeds 0,1 --rounds 5"


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ("--rounds 7", "federated_learning.rounds: 5, now 7)"),
        ("--rounds 7 --dry-run", "federated_learning.rounds: 5, now 7)"),
        ("--seeds 1", "(seeds: 0 left out)"),
        ("--algorithms fedprox,scaffold", "(arms: fedavg left out)"),
        ("--tune 2", "(tune)"),
        ("--seeds 0,1,2 --algorithms fedprox,fedavg,scaffold --alpha 0.5,1", ""),  # only more
        ("--rounds 7 --overwrite", ""),
        ("--seeds 0,1 --cores 1", ""),
    ],
)
def test_another_benchmark_does_not_take_the_place_of_one(
    tmp_path, monkeypatch, capsys, options, differs
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch.subprocess, "Popen", Interrupted)
    words = [*FIRST.split(), "--alpha", "0.5"]
    assert cli.main(words) == 130
    file = tmp_path / "out/benchmark.yaml"
    before = file.read_bytes()
    capsys.readouterr()
    assert cli.main([*words, *options.split()]) == (2 if differs else 130)
    error = capsys.readouterr().err
    assert differs in error
    assert ("out/benchmark.yaml is of another benchmark" in error) is bool(differs)
    assert (file.read_bytes() == before) is bool(differs or "--cores" in options)


def test_unlock_asks_snakemake_and_writes_no_grid(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = []

    class Unlocking:
        def __init__(self, command, env, pass_fds):
            given.extend(command)

        def wait(self):
            return 0

    monkeypatch.setattr(launch.subprocess, "Popen", Unlocking)
    assert cli.main([*FIRST.split(), "--unlock"]) == 0
    assert "--unlock" in given
    assert not (tmp_path / "out/benchmark.yaml").exists()
    assert "give the same command again" in capsys.readouterr().out
    _lock = launch.Workflow.open([given[given.index("--configfile") + 1]], {}).start()
    assert cli.main([*FIRST.split(), "--unlock"]) == 2, "another start is at work there"
    assert "another grid is at work in out" in capsys.readouterr().err


def test_sites_of_own_data_are_learned_before_the_grid_is_made(tmp_path, monkeypatch, capsys):
    """Only preparing tells them, and each is a partition of the grid."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDFL_DATASETS", "")
    monkeypatch.setattr(launch.subprocess, "Popen", Interrupted)
    (tmp_path / "raw").mkdir()
    rows = ["file,label,patient,site"]
    for k in range(24):
        Image.new("L", (8, 8), 10 * k).save(tmp_path / f"raw/{k}.png")
        rows.append(f"{k}.png,{'ab'[k % 2]},p{k},{('east', 'west')[k // 12]}")
    (tmp_path / "raw/labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "own.yaml").write_text(
        "folder: raw\ntable: labels.csv\nsize: 8\n", encoding="utf-8"
    )
    asked = ["benchmark", "--dataset", "own.yaml", "--partition", "leave-one-out"]
    asked += ["--algorithms", "fedavg", "--output-dir", "out"]
    assert cli.main([*asked, "--dry-run"]) == 2  # which makes nothing, and so cannot know
    assert "known once it is prepared: `medfl prepare own`" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert cli.main(asked) == 130
    assert read_grid("out/benchmark.yaml").partitions == ["leave-out-east", "leave-out-west"]
