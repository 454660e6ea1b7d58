"""A mistake on the command line: one line on standard error, status 2, nothing left behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml

from medfl.cli import main
from medfl.commands.call import parser
from medfl.config import FederatedLearning, Model, SplitConfig, Training
from medfl.datasets.registry import get
from medfl.grid import GridConfig
from medfl.store import Sample, write_store
from medfl.store.raw import RawData

RUN = {
    "dataset": "phantom",
    "partition": "iid",
    "federated_learning": {"num_clients": 2, "rounds": 1, "local_steps": 1},
    "model": {"name": "logistic"},
    "training": {"device": "cpu"},
}
GRID = {
    "arms_file": None,
    "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg"],
    "seeds": [0],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A small store under the name of a dataset of the catalog."""
    root = tmp_path_factory.mktemp("prepared")
    info = get("phantom").info(RawData([], [], len, ""))
    samples = [Sample(f"s{i}", (info.classes[i % 5],), group=f"p{i // 2}") for i in range(200)]
    images = np.random.default_rng(0).integers(0, 256, (200, 1, 16, 16), dtype=np.uint8)
    write_store(root / "prepared" / "phantom", info, samples, images)
    return root


@pytest.fixture
def place(prepared, tmp_path, monkeypatch):
    """A working folder with that store under ``data/``, a run file and a grid."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDFL_DATA", raising=False)
    (tmp_path / "data").symlink_to(prepared)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RUN))
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    return tmp_path


def refused(capsys, command):
    """The one line that a wrong command prints."""
    try:
        status = main(shlex.split(command))
    except SystemExit as stop:  # argparse's own
        status = stop.code
    printed = capsys.readouterr()
    assert status == 2, printed
    assert printed.out == ""
    lines = [line for line in printed.err.splitlines() if ": error: " in line]
    assert len(lines) == 1
    assert "Traceback" not in printed.err
    return lines[0]


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


SPLIT = "split phantom --output out/s.csv --num-clients 3 --partition"
TRAIN = "run --output-dir out"
CELL = f"{TRAIN} --grid grid.yaml --dataset phantom --partition iid --arm fedavg --seed 0"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("prepare phantm", "did you mean `phantom`"),
        ("prepare phantom --size 0", "from 8 to 2048 pixels, not 0"),
        ("prepare phantom --size -8", "from 8 to 2048 pixels, not -8"),
        ("prepare phantom --size x", "--size"),
        ("prepare ham10000", "Expected at"),
        ("prepare phantom-16 --work-root run.yaml", "run.yaml"),
        (f"{SPLIT} dirichlet-0", "alpha must be more than 0"),
        (f"{SPLIT} dirichlet-nan", "alpha must be finite"),
        (f"{SPLIT} dirichlet-", "lacks alpha"),
        (f"{SPLIT} site", "names no sites"),
        (f"{SPLIT} zzz", "unknown partition `zzz`"),
        (f"{SPLIT} iid --num-clients 0", "num_clients must be 1 or more"),
        (f"{SPLIT} iid --num-clients 101", "101 clients are more than"),
        (f"{SPLIT} iid --min-samples 999", "smaller min_samples"),
        (f"{SPLIT} iid --seed -1", "`seed`: Input should be greater than or equal to 0 (got -1)"),
        (f"{SPLIT} iid --seed x", "--seed"),
        (f"{SPLIT} iid --minimum-cell=-1", "`minimum_cell`: Input should be greater than or equal"),
        ("inspect phantom --minimum-cell=-1", "`minimum_cell`: Input should be greater than or"),
        ("prepare phantom --output-dir run.yaml/x", "run.yaml is a file, and a folder is meant"),
        ("schema --output-dir run.yaml", "run.yaml is a file, and a folder is meant"),
        ("attack inversion --arms ,", "argument --arms: ',' names nothing"),
        ("audit --output-dir run.yaml", "run.yaml is a file, and a folder is meant"),
        ("publish --grid grid.yaml --to folder", "folder is there already and was not written by"),
        (f"{TRAIN} --config grid.yaml", "grid.yaml is the params file of a grid: give it with --g"),
        ("publish --grid grid.yaml --to run.yaml", "run.yaml is a file, and a folder is meant"),
        ("verify --results run.yaml", "run.yaml is a file, and a folder is meant"),
        (
            f"{SPLIT} iid --val-fraction 1.5",
            "`val_fraction`: Input should be less than 1",
        ),
        (f"{SPLIT} iid --output folder", "must name the split's table"),
        (f"{SPLIT} iid --output ''", "argument --output: '' names no file or folder"),
        (f"{SPLIT} iid --output run.yaml/s.csv", "cannot write run.yaml/s.csv"),
        (f"{SPLIT} iid --work-root nowhere", "medfl prepare phantom --work-root nowhere"),
        ("split phantom-16 --output out/s.csv --partition iid", "`medfl prepare phantom-16`"),
        (TRAIN, "give --config RUN.yaml, or --grid"),
        (f"{TRAIN} --config run.yaml --grid grid.yaml", "give --config RUN.yaml, or --grid"),
        (f"{TRAIN} --config nowhere.yaml", "nowhere.yaml does not exist"),
        (f"{TRAIN} --config folder", "folder cannot be read"),
        (f"{TRAIN} --config run.yaml --arm fedavg", "--arm names a run of --grid"),
        (f"{TRAIN} --config run.yaml --device quantum", "choose auto, cpu, cuda"),
        (f"{TRAIN} --config run.yaml --device ''", "choose auto, cpu, cuda"),
        (f"{TRAIN} --config run.yaml --cores 0", "'0' is neither all nor a number of processors"),
        (f"{TRAIN} --grid grid.yaml --dataset phantom", "--grid needs --partition too"),
        (f"{CELL} --seed 7", "has no run phantom/iid/fedavg/seed7; did you mean"),
        (f"{CELL} --arm fedvag", "did you mean `phantom/iid/fedavg/seed0`"),
        (CELL, "phantom/iid/clients10/seed0.csv does not exist: make it with `medfl split`"),
        ("aggregate --grid grid.yaml", "no run of the grid is under results/runs"),
        ("aggregate --grid grid.yaml --partial", "no run of the grid is under results/runs"),
        ("report --grid grid.yaml", "no run of the grid is under results/runs"),
        ("aggregate --grid folder", "folder cannot be read"),
        ("aggregate --grid nowhere.yaml", "nowhere.yaml does not exist"),
        ("report --grid ''", "argument --grid: '' names no file or folder"),
        ("", "COMMAND"),
        ("splt", "did you mean `split`?"),
        (f"{SPLIT} iid --seeed 1", "unknown option --seeed; did you mean `--seed`?"),
        ("benchmark --algoritms=x", "unknown option --algoritms; did you mean `--algorithms`?"),
        ("attack inversio", "did you mean `inversion`?"),
        ("benchmark --zzz", "unknown option --zzz"),
    ],
)
def test_a_mistake(place, capsys, command, message):
    before = contents(place)
    assert message in refused(capsys, command)
    kept = [name for name in contents(place) if name not in ("out", "raw")]
    assert kept == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--alpha 0,abc", "alpha must be more than 0"),
        ("--alpha abc", "`abc` is not a number"),
        ("--alpha 0.5,0.5", "dirichlet-0.5 stands there twice"),
        ("--seeds x", "no whole number in plain digits"),
        ("--seeds 4-0", "'4-0' is no range of up to 1000 numbers"),
        ("--seeds 0-99999999", "is no range of up to 1000 numbers"),
        ("--seeds 0-2,1", "1 stands there twice"),
        ("--partition dirichlt-0.5", "did you mean `dirichlet-0.5`?"),
        ("--seeds=-1", "seeds are 0 or more"),
        ("--seeds 0,0", "0 stands there twice"),
        ("--seeds ''", "argument --seeds: '' names nothing"),
        ("--rounds -1", "rounds"),
        ("--rounds 0", "rounds"),
        ("--num-clients 0", "num_clients"),
        ("--clients-per-round 50", "clients_per_round is 50, but there are only 10 clients"),
        ("--algorithms fedvag", "unknown algorithm `fedvag`; did you mean `fedavg`"),
        ("--algorithms fedavg,fedavg", "fedavg stands there twice"),
        ("--algorithms nowhere:Mine", "the algorithm `nowhere:Mine` cannot be loaded"),
        ("--dataset phantm", "did you mean `phantom`"),
        ("--model rsnet18", "did you mean `resnet18`"),
        ("--partition zzz", "unknown partition `zzz`"),
        ("--learning-rate nan", "no number in plain digits"),
        ("--batch-size 0", "batch_size"),
        ("--seeds ,", "argument --seeds: ',' names nothing"),
        ("--seeds 0-999,1000", "these are 1,001 numbers, and 1000 the most"),
        ("--alpha ''", "argument --alpha: '' names nothing: give a name, or leave the option out"),
        ("--partition ,", "argument --partition: ',' names nothing"),
        ("--algorithms ' '", "argument --algorithms: ' ' names nothing"),
        ("--dry-run --unlock", "argument --unlock: not allowed with argument --dry-run"),
        ("--cores 100001", "'100001' is neither all nor a number of processors from 1 to 100,000"),
        ("--output-dir run.yaml/x", "--output-dir: run.yaml is a file, and a folder is meant"),
        ("--output-dir 'a{x}'", "`output_dir`: { stands for other letters in the workflow's names"),
        ("--output-dir=-x", "`output_dir`: a name that begins with - is taken for an option"),
        ("--output-dir 'a\nb'", "holds a line's end"),
        ("--work-root run.yaml", "--work-root: run.yaml is a file, and a folder is meant"),
        ("--data-root run.yaml", "--data-root: run.yaml is a file, and a folder is meant"),
        ("--profile empty.yaml", "--profile empty.yaml holds no settings by name"),
        ("--output-dir ''", "argument --output-dir: '' names no file or folder"),
        ("--work-root ''", "argument --work-root: '' names no file or folder"),
    ],
)
def test_a_benchmark_that_is_not_begun(place, capsys, options, message):
    before = contents(place)
    assert message in refused(capsys, f"benchmark --output-dir out {options}")
    assert contents(place) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainig": {}}, "run.yaml: unknown key `trainig`; did you mean `training`?"),
        ({"training": {"lerning_rate": 1}}, "did you mean `learning_rate`"),
        ({"dataset": "phantm"}, "run.yaml: unknown dataset `phantm`"),
        ({"partition": "dirichlet-0"}, "run.yaml: partition `dirichlet-0`: alpha"),
        ({"federated_learning": {"algorithm": "fedvag"}}, "run.yaml: unknown algorithm `fedvag`"),
        (
            {"federated_learning": {"algorithm_params": {"mu": 1}}},
            "run.yaml: algorithm_params: unknown key `mu`; none is known",
        ),
        ({"model": {"name": "cn"}}, "unknown model `cn`; did you mean `cnn`"),
        ({"federated_learning": {"num_clients": 101}}, "101 clients are more than"),
        ({"training": {"device": "cuda:x"}}, "choose auto, cpu, cuda"),
    ],
)
def test_a_run_file_is_checked_before_anything_is_made(place, capsys, change, message):
    (place / "run.yaml").write_text(yaml.safe_dump({**RUN, **change}))
    before = contents(place)
    assert message in refused(capsys, f"{TRAIN} --config run.yaml")
    assert contents(place) == before


def test_another_run_costs_a_folder_nothing(place, capsys):
    assert main(shlex.split(f"{TRAIN} --config run.yaml")) == 0
    before = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    changed = {**RUN, "federated_learning": {**RUN["federated_learning"], "num_clients": 3}}
    (place / "run.yaml").write_text(yaml.safe_dump(changed))
    capsys.readouterr()
    line = refused(capsys, f"{TRAIN} --config run.yaml")
    assert "out holds a run of another configuration" in line
    assert "federated_learning.num_clients: 2, now 3" in line
    after = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    assert after == before, "its split too"


def test_an_error_of_the_system_is_one_line_too(place, capsys, monkeypatch):
    def forbidden(*args):
        raise PermissionError(13, "Permission denied", "data/file")

    monkeypatch.setattr("medfl.datasets.prepare.prepare", forbidden)
    assert refused(capsys, "prepare phantom").endswith("data/file: Permission denied.")


def test_no_line_of_options_stands_before_what_is_wrong(place, capsys):
    for command in ("benchmark --seeds x", "benchmark a\\nb", "plan", ""):
        with pytest.raises(SystemExit) as stop:
            main([word.replace("\\n", "\n") for word in command.split()])
        assert stop.value.code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert said.startswith("medfl")
        assert said.endswith("--help` lists what there is)\n")


def test_signs_that_a_terminal_would_obey_are_written_out(place, capsys):
    said = refused(capsys, "prepare " + shlex.quote("a\x1b[31mb\n\u202eé🦠"))
    assert said.startswith("medfl: error: unknown dataset `a\\x1b[31mb\\n\\u202eé🦠`; known: ")


@pytest.mark.parametrize(
    "take",
    [lambda: bytearray(1 << 62), lambda: torch.empty(1 << 60)],  # Python's error, and PyTorch's
)
def test_memory_that_ends_is_one_line(place, capsys, monkeypatch, take):
    monkeypatch.setattr("medfl.datasets.prepare.prepare", lambda *args, **options: take())
    assert "memory is exhausted, and nothing is half done" in refused(capsys, "prepare phantom")


SLOW_TO_STOP = f"""#!{sys.executable}
import os, signal, sys, time

def stop(*args):
    time.sleep(0.6)
    os.rename("locked", "unlocked")
    sys.exit(1)

signal.signal(signal.SIGTERM, stop)
open("locked", "w").close()
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(60)
"""


def test_a_stopped_benchmark_lets_snakemake_unlock_the_folder(place, capsys, monkeypatch):
    (place / "snakemake").write_text(SLOW_TO_STOP)
    (place / "snakemake").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(place / "snakemake"))
    assert main(shlex.split("benchmark --output-dir out --algorithms fedavg")) == 143
    assert (place / "unlocked").exists()
    said = "medfl: interrupted; the same command goes on with the runs that are left.\n"
    assert capsys.readouterr().err.endswith(said)


def test_a_benchmark_that_is_stopped_while_it_starts_snakemake_ends_it(place, monkeypatch):
    """The signal comes before the process is known; nobody would end it."""
    script = SLOW_TO_STOP.replace("os.kill(os.getppid(), signal.SIGTERM)", "")
    (place / "snakemake").write_text(script)
    (place / "snakemake").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(place / "snakemake"))

    class Starting(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            while not (place / "locked").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Starting)
    assert main(shlex.split("benchmark --output-dir out --algorithms fedavg")) == 143
    assert (place / "unlocked").exists()


STOPPED = """
import os, sys
from medfl import cli
from medfl.datasets import prepare as preparing
from medfl.files import atomic_path

def prepare(*args):
    with atomic_path("store") as folder:
        folder.mkdir()
        (folder / "half").write_text("x")
        os.kill(os.getpid(), int(sys.argv[1]))

preparing.prepare = prepare
sys.exit(cli.main(["prepare", "phantom"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_stopped_command_leaves_nothing_half_written(tmp_path, number):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + number
    said = "medfl: interrupted; nothing is left half done: call the same command again.\n"
    assert done.stderr == said
    assert contents(tmp_path) == []


def test_defaults_are_those_of_the_configuration():
    """Options take type, default and words from the fields; only their names stand in commands."""
    parse = parser().parse_args
    split = parse(["split", "x", "--partition", "iid", "--output", "o"])
    benchmark = parse(["benchmark"])
    for field, value in SplitConfig().model_dump().items():
        assert getattr(split, field) == value, field
    assert (split.seed, split.num_clients) == (0, None)
    assert benchmark.num_clients == FederatedLearning().num_clients
    assert benchmark.num_clients == GridConfig.model_fields["num_clients"].default
    assert benchmark.rounds == FederatedLearning().rounds
    assert (benchmark.local_epochs, benchmark.clients_per_round) == (1, None)
    assert benchmark.model == Model().name
    training = Training()
    assert benchmark.batch_size == training.batch_size
    assert benchmark.learning_rate == training.learning_rate
    assert (benchmark.dataset, benchmark.seeds) == (["phantom"], [0])


@pytest.mark.usefixtures("place")
def test_a_split_takes_the_configurations_number_of_clients(capsys):
    assert main(["split", "phantom", "--partition", "iid", "--output", "s.csv"]) == 0
    assert capsys.readouterr().out == "s.csv: 200 samples, 10 clients\n"
    # Sites decide by themselves: a number would be refused before the lack of sites is seen.
    assert "names no sites" in refused(capsys, "split phantom --partition site --output s.csv")


def test_a_split_by_divided_sites_has_two_clients_per_site(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    info = get("phantom").info(RawData([], [], len, ""))
    samples = [Sample(f"s{i}", (info.classes[i % 5],), f"p{i}", f"h{i % 3}") for i in range(150)]
    write_store(tmp_path / "data/prepared/phantom", info, samples, np.zeros((150, 1, 8, 8), "u1"))
    for partition, clients in (("site", 3), ("site-dirichlet-5", 6), ("quantity-1", 10)):
        assert main(["split", "phantom", "--partition", partition, "--output", "s.csv"]) == 0
        assert capsys.readouterr().out == f"s.csv: 150 samples, {clients} clients\n"
