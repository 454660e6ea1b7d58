"""What `medfl run` says of a run that diverged, and `medfl aggregate` of runs that are missing."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import yaml
from toy_stores import write_small_phantom

from medfl.cli import main

ROOT = Path(__file__).resolve().parents[2]
RUN = "found/runs/phantom/iid/fedprox/seed1"
GRID = {
    "arms_file": None,
    "arm_settings": {"fedavg": {"algorithm": "fedavg"}, "fedprox": {"algorithm": "fedprox"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg", "fedprox"],
    "seeds": [0, 1],
    "num_clients": 2,
    "run": {
        "federated_learning": {"rounds": 1, "local_steps": 1},
        "model": {"name": "logistic"},
        "training": {"device": "cpu"},
    },
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a small store under the phantom's name."""
    monkeypatch.chdir(tmp_path)
    write_small_phantom(tmp_path)
    return tmp_path


def test_a_run_that_diverges_is_a_result_and_says_when(place, capsys):
    run = {
        "dataset": "phantom",
        "partition": "iid",
        "federated_learning": {"num_clients": 2, "rounds": 3, "local_steps": 2},
        "model": {"name": "mlp"},
        "training": {"device": "cpu", "learning_rate": 1e30},
    }
    (place / "run.yaml").write_text(yaml.safe_dump(run))
    assert main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 0
    record = json.loads((place / "one" / "metrics.json").read_text())
    assert record["status"] == "diverged"
    assert record["reason"].startswith("round 1")
    assert f"one: diverged ({record['reason']})" in capsys.readouterr().out


PARAMS = "federated_learning.algorithm_params"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"training": {"learning_rate": 1e300}}, "`training.learning_rate` is 1e+300"),
        ({"training": {"weight_decay": 1e300}}, "`training.weight_decay` is 1e+300"),
        (
            {"algorithm": "fedprox", "algorithm_params": {"mu": "1.7e308"}},
            f"`{PARAMS}.mu` is 1.7e+308",
        ),
        # Python's own powers end beyond double precision: τ², and a loss to the power of q.
        ({"algorithm": "fedadam", "algorithm_params": {"tau": 1e308}}, f"`{PARAMS}.tau` is 1e+308"),
        (
            {"algorithm": "qfedavg", "algorithm_params": {"q": 10**18}},
            "algorithm_params: `q`: Input should be less than or equal to 1000",
        ),
    ],
)
def test_what_the_arithmetic_cannot_hold_is_named_before_it_begins(place, capsys, settings, said):
    (place / "run.yaml").write_text(yaml.safe_dump(_small_run(settings)))
    assert main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"medfl: error: run.yaml: {said}")
    assert not (place / "one").exists()


def test_a_product_that_the_arithmetic_cannot_hold_is_one_sentence_with_its_factors(place, capsys):
    """Adam's first step is its rate divided by 1 - 0.9, which is 10^39."""
    settings = {"training": {"learning_rate": 1e38, "optimizer": "adam"}}
    (place / "run.yaml").write_text(yaml.safe_dump(_small_run(settings)))
    assert main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("medfl: error: a number of the settings is beyond what the network's")
    assert said.endswith("Of the settings, `training.learning_rate` is 1e+38.")
    assert not (place / "one" / "metrics.json").exists()


def _small_run(settings):
    run = {
        "dataset": "phantom",
        "partition": "iid",
        "federated_learning": {"num_clients": 2, "rounds": 1, "local_steps": 1},
        "model": {"name": "logistic"},
        "training": {"device": "cpu", **settings.pop("training", {})},
    }
    run["federated_learning"] |= settings
    return run


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rounds": 10**6 + 1}, "`federated_learning.rounds`: Input should be less than or equal"),
        ({"local_steps": 10**9}, "`federated_learning.local_steps`: Input should be less"),
        ({"local_steps": None, "local_epochs": 10**18}, "local_epochs`: Input should be less"),
        (
            {"algorithm": "finetune", "algorithm_params": {"epochs": 10**9}},
            "`epochs`: Input should be less than or equal to 10000000",
        ),
        (
            {"algorithm": "fedrep", "algorithm_params": {"head_epochs": 10**9}},
            "`head_epochs`: Input should be less than or equal to 10000000",
        ),
        (
            {"chain": {"rule": "centred_clipping", "rule_params": {"steps": 10**6}}},
            "`steps`: Input should be less than or equal to 10000",
        ),
        (
            {"chain": {"attackers": 1, "links": {"adaptive_ipm": {"tries": 10**6}}}},
            "`tries`: Input should be less than or equal to 1000",
        ),
        (
            {
                "augmentation": {"preset": "auto"},
                "chain": {"links": {"dp_image": {"noise_multiplier": 1, "views": 10**6}}},
            },
            "`views`: Input should be less than or equal to 1000",
        ),
    ],
)
def test_a_count_that_would_never_end_is_named_before_a_run_begins(place, capsys, settings, said):
    parts = {key: settings[key] for key in ("chain", "augmentation") if key in settings}
    learning = {key: value for key, value in settings.items() if key not in parts}
    run = {
        "dataset": "phantom",
        "partition": "iid",
        "federated_learning": {"num_clients": 4, "rounds": 1, "local_steps": 1, **learning},
        "model": {"name": "logistic"},
        **parts,
    }
    (place / "run.yaml").write_text(yaml.safe_dump(run))
    assert main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not (place / "one").exists()


def test_a_run_takes_the_cores_that_it_is_given(place, monkeypatch):
    """By default all of its job; the number changes no file but its own record and the seconds."""
    monkeypatch.setattr("medfl.federated.worker_count.cpu_count", lambda: 3)
    run = {
        "dataset": "phantom",
        "partition": "iid",
        "federated_learning": {"num_clients": 3, "rounds": 2, "algorithm": "scaffold"},
        "training": {"device": "cpu"},
    }
    (place / "run.yaml").write_text(yaml.safe_dump(run))
    found = {}
    for words, number in (([], 3), (["--cores", "all"], 3), (["--cores", "1"], 1)):
        folder = place / f"out{len(found)}"
        command = ["run", "--config", "run.yaml", "--output-dir", str(folder), *words]
        assert main(command) == 0
        stretches = json.loads((folder / "metrics.json").read_text())["provenance"]["stretches"]
        assert [one["workers"] for one in stretches] == [number]
        said = "up to 3 clients train side by side" in (folder / "run.log").read_text()
        assert said == (number == 3)
        files = ("model.safetensors", "clients.csv", "predictions.npz", "config.yaml")
        found[folder] = [(folder / name).read_bytes() for name in files]
    assert len({tuple(content) for content in found.values()}) == 1


@pytest.fixture
def one_of_four(place, capsys):
    """A grid of four runs, of which one is there: the arm fedprox with seed 1."""
    (place / "grid.yaml").write_text(yaml.safe_dump(GRID))
    options = ["--partition", "iid", "--seed", "1", "--num-clients", "2"]
    split = "data/splits/phantom/iid/clients2/seed1.csv"
    assert main(["split", "phantom", *options, "--output", split]) == 0
    cell = ["--dataset", "phantom", "--partition", "iid", "--arm", "fedprox", "--seed", "1"]
    assert main(["run", "--grid", "grid.yaml", *cell, "--output-dir", str(place / RUN)]) == 0
    capsys.readouterr()
    return place


def header(path):
    with path.open(newline="") as file:
        return next(csv.reader(file))


def test_partial_tables_show_what_is_there_and_what_is_missing(one_of_four, capsys):
    command = ["aggregate", "--grid", "grid.yaml", "--results", "found"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "3 of 4 runs" in error
    assert not (one_of_four / "found" / "summary.csv").exists()
    assert main([*command, "--partial"]) == 0
    with (one_of_four / "found" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    status = {(row["arm"], row["seed"]): row["status"] for row in rows}
    assert status == {
        ("fedavg", "0"): "missing",
        ("fedavg", "1"): "missing",
        ("fedprox", "0"): "missing",
        ("fedprox", "1"): "completed",
    }
    assert [bool(row["test_accuracy"]) for row in rows] == [False, False, False, True]


def test_one_command_makes_tables_and_report_of_what_is_there(one_of_four, capsys):
    """They have no metrics.json, which stands for a whole grid, and one from before goes."""
    found = one_of_four / "found"
    command = ["report", "--grid", "grid.yaml", "--results", "found"]
    assert main(command) == 0  # draws alone
    assert not (found / "summary.csv").exists()
    (found / "metrics.json").write_text("{}")
    assert main([*command, "--partial"]) == 0
    with (found / "summary.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)].count("missing") == 3
    assert (found / "report.html").exists()
    assert not (found / "metrics.json").exists()
    assert "Of 4 runs, 3 runs missing." in capsys.readouterr().out


def test_the_pages_name_every_file_and_every_column_that_is_written(one_of_four):
    """docs/results-files.md has the columns, results/README.md the tree of files."""
    assert main(["aggregate", "--grid", "grid.yaml", "--results", "found", "--partial"]) == 0
    page = (ROOT / "docs" / "results-files.md").read_text(encoding="utf-8")
    other_grids = re.compile(r"^\| (`\w+`) \| \| in a grid with attackers alone.*\n", re.MULTILINE)
    attacked, page = other_grids.findall(page), other_grids.sub("", page)
    _, *parts = re.split(r"^### ([\w./]+\.csv).*\n", page, flags=re.MULTILINE)
    columns = {
        name: re.findall(r"^\| `(\w+)` \|", text.split("\n### ")[0], re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
    for folder, names in {
        one_of_four / RUN: ("rounds.csv", "clients.csv"),
        one_of_four / "found": ("summary.csv", "tables/convergence.csv", "tables/paired.csv"),
    }.items():
        for name in names:
            assert columns[name] == header(folder / name), name
    assert attacked == ["`attacked`"]
    tree = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    metrics = {name.removeprefix("test_") for name in columns["summary.csv"]} | {"megabytes"}
    for path in (one_of_four / "found").rglob("*"):
        named = path.name in tree or f"{path.stem}.{{" in tree or path.stem in metrics
        assert path.is_dir() or named, f"{path.name} stands on no page"
