"""A pooled run is trained once a seed for all partitions that leave images and folds alone."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from federations import Linear, small_store, split_of
from toy_stores import write_small_phantom

from medfl.cli import main
from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.fingerprint import fingerprint
from medfl.files import OWN_HASH, own_hash
from medfl.grid import Cell, load_grid
from medfl.grid.shared import holds, run_of, runs_of
from medfl.pipeline.workflow import Workflow
from medfl.results import load

OWN = """
from medfl.partition import Partition

class Plain(Partition):
    title = "plain"

class Dimmed(Plain):
    def transform(self, client, num_clients, seed):
        return lambda images: images // 2
"""


def grid_of(partitions, learning=None, arms=("centralized", "fedavg"), **changes):
    content = {
        "arms_file": None,
        "arm_settings": {name: {"algorithm": name} for name in arms},
        "datasets": ["phantom"],
        "partitions": list(partitions),
        "arms": list(arms),
        "seeds": [0, 1],
        "num_clients": 4,
        "run": {
            "federated_learning": {"rounds": 1} | (learning or {}),
            "model": {"name": "logistic"},
            "training": {"device": "cpu"},
        },
    }
    return {**content, **changes}


def shared(partition, learning=None, arm="centralized", **changes):
    grid = load_grid(grid_of([partition], learning, **changes))
    return run_of(grid, Cell("phantom", grid.partitions[0], arm, 1)).partition == "pooled"


def test_partitions_share_where_they_leave_images_and_folds_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    for word in ("iid", "dirichlet-0.5", "pathological-2", "quantity-1", "site-dirichlet-0.5"):
        assert shared(word), word
    assert shared("site")
    assert shared("own_parts:Plain")
    for word in ("noise-0.1", "scanner-0.5", "own_parts:Dimmed"):
        assert not shared(word), word
    assert not shared("iid", arm="fedavg")
    assert not shared("iid", arm="local", arms=("local",))


def test_steps_that_depend_on_clients_are_shared_where_their_number_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for learning in ({"local_steps": 3}, {"local_steps": 3, "clients_per_round": 2}):
        assert shared("iid", learning)
        assert not shared("site", learning), "the data say how many sites there are"
    # Passes over all samples are the same for any number of clients, sampled or not.
    for learning in ({"local_epochs": 3}, {"clients_per_round": 2}):
        assert shared("site", learning)
    grid = load_grid(grid_of(["iid"], {"local_steps": 3}))
    assert (
        grid.run_config(Cell("phantom", "pooled", "centralized", 0)).federated_learning.num_clients
        == 4
    )
    own = {"phantom": {"num_clients": 6}}
    grid = load_grid(grid_of(["iid"], {"local_steps": 3}, dataset_settings=own))
    assert (
        grid.run_config(Cell("phantom", "pooled", "centralized", 0)).federated_learning.num_clients
        == 6
    )
    # Else it does not count, so that grids of other numbers of clients share the run, too.
    cell = Cell("phantom", "pooled", "centralized", 0)
    prints = {
        fingerprint(load_grid(grid_of(["iid"], num_clients=n)).run_config(cell)) for n in (4, 6)
    }
    assert len(prints) == 1


def test_a_persons_split_may_have_other_folds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = grid_of(["iid", "dirichlet-0.5"])
    place = tmp_path / "data/splits/phantom/iid/seed0.csv"
    place.parent.mkdir(parents=True)
    rows = [f"s{k},{k % 4},{('train', 'val', 'test')[k % 3]}" for k in range(24)]
    place.write_text("\n".join(["sample,client,fold", *rows]) + "\n")
    found = runs_of(load_grid(content))
    assert [
        (cell.partition, cell.seed)
        for cell, run in found.items()
        if cell.arm == "centralized" and run == cell
    ] == [("iid", 0)]


@pytest.mark.parametrize(
    "learning",
    [
        {"local_epochs": 2},
        {"local_steps": 5},
        {"local_steps": 5, "clients_per_round": 2},
        {"local_epochs": 2, "clients_per_round": 1},
    ],
)
def test_it_is_bit_for_bit_the_run_that_each_partition_would_have(learning):
    sizes = [8, 16, 12]
    store = small_store(60)
    dealt = split_of(store, sizes)
    together = replace(
        dealt, clients=np.zeros_like(dealt.clients), num_clients=1, partition="pooled"
    )
    ends = []
    for split in (dealt, together):
        data = FederatedData(store, split).double()
        counted = split is dealt or "local_steps" in learning
        config = FederatedConfig(
            algorithm="centralized",
            num_clients=3 if counted else None,  # as a grid says it
            rounds=3,
            batch_size=4,
            evaluate_every=100,
            **learning,
        )
        torch.manual_seed(0)
        server = FederatedServer(config, data, model=Linear().double())
        clients = [FederatedClient(client, data) for client in data.clients]
        trainer = FederatedTrainer(config, server, clients)
        trainer.train()
        ends.append((server.vector, [row["steps"] for row in trainer.history], str(server.work)))
        test = trainer.last[1].pooled["test"]
        ends[-1] += (test["n"], test["accuracy"], round(test["log_loss"], 12))
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1:] == ends[1][1:]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a small store under the phantom's name, and a grid."""

    monkeypatch.chdir(tmp_path)
    write_small_phantom(tmp_path)
    content = grid_of(["iid", "dirichlet-0.5"], seeds=[0], num_clients=2)
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def train(partition, arm):
    """Make a run of the grid and its split as Snakemake does; give its folder."""
    clients = [] if partition == "pooled" else ["--num-clients", "2"]
    dealt = "natural" if partition == "pooled" else "clients2"
    split = f"data/splits/phantom/{partition}/{dealt}/seed0.csv"
    if not Path(split).exists():
        words = ["--partition", partition, *clients, "--seed", "0", "--output", split]
        assert main(["split", "phantom", *words]) == 0
    folder = f"results/runs/phantom/{partition}/{arm}/seed0"
    words = ["--dataset", "phantom", "--partition", partition, "--arm", arm, "--seed", "0"]
    assert main(["run", "--grid", "grid.yaml", *words, "--output-dir", folder]) == 0
    return folder


def test_it_stands_in_every_partition_and_counts_once(place, capsys):
    for partition in ("iid", "dirichlet-0.5"):
        train(partition, "fedavg")
    train("pooled", "centralized")
    assert main(["aggregate", "--grid", "grid.yaml"]) == 0
    with open("results/summary.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["arm"] == "centralized"]
    assert [(row["partition"], row["run"]) for row in rows] == [
        ("iid", "phantom/pooled/centralized/seed0"),
        ("dirichlet-0.5", "phantom/pooled/centralized/seed0"),
    ]
    record = json.loads(
        Path("results/runs/phantom/pooled/centralized/seed0/metrics.json").read_text()
    )
    for row in rows:
        assert float(row["test_accuracy"]) == record["last"]["test"]["accuracy"]
        assert (row["status"], int(row["steps"])) == ("completed", record["steps"])
    assert record["heterogeneity"]["num_clients"] == 1
    with open("results/summary.csv", newline="") as file:
        chances = [row["chance_own"] for row in csv.DictReader(file) if row["arm"] == "fedavg"]
    assert [row["chance_own"] for row in rows] == chances
    assert "that partitions share" in Path("results/tables/comparison.md").read_text()
    assert main(["report", "--grid", "grid.yaml"]) == 0
    page = Path("results/report.html").read_text()
    assert "All in one place" in page or "pooled" in page
    found = load("results").runs
    assert found["partition"].tolist() == ["dirichlet-0.5", "iid", "pooled"]


def aggregated(arm="centralized"):
    """The rows of an arm in summary.csv and in clients.csv, by partition."""
    assert main(["aggregate", "--grid", "grid.yaml"]) == 0
    found = []
    for name in ("summary.csv", "tables/clients.csv"):
        with open(f"results/{name}", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["arm"] == arm]
        assert {row["partition"] for row in rows} <= {"iid", "dirichlet-0.5"}
        found.append(rows)
    return found


def test_its_numbers_by_client_are_those_of_the_run_that_each_partition_would_have(place):
    content = yaml.safe_load((place / "grid.yaml").read_text())
    content["run"]["fairness"] = {"min_test_samples": 3}  # each client has five
    (place / "grid.yaml").write_text(yaml.safe_dump(content))
    for partition in ("iid", "dirichlet-0.5"):
        train(partition, "fedavg")
        train(partition, "centralized")
    own = aggregated()  # a run in the partition's folder knows its clients
    shared_run = Path(train("pooled", "centralized"))
    summary, clients = aggregated()
    # The run in place of two others is the same, but for what it took and where it lies.
    for row, other in zip(summary, own[0], strict=True):
        assert row["run"] == "phantom/pooled/centralized/seed0" != other["run"]
        assert row["worst_client_accuracy"]
        for name in row.keys() - {"run", "seconds", "work"}:
            # Samples stand in another order, so sums round in another way.
            same = row[name] == other[name]
            assert same or abs(float(row[name]) - float(other[name])) < 1e-12, name
    assert len(clients) == 4  # two clients in each of two partitions
    assert clients == own[1]
    # Clients are called as the split calls them.
    other = Path("results/runs/phantom/iid/fedavg/seed0/metrics.json")
    content = json.loads(other.read_text())
    content["heterogeneity"]["client_names"] = ["north", "south"]
    del content[OWN_HASH]
    other.write_text(json.dumps(content | {OWN_HASH: own_hash(content)}))
    names = [row["client_name"] for row in aggregated()[1]]
    assert names == ["north", "south", "", ""]
    # Without predictions nobody knows whose samples are whose, and nothing is said.
    (shared_run / "predictions.npz").rename(shared_run / "elsewhere.npz")
    summary, clients = aggregated()
    assert clients == []
    assert [row["worst_client_accuracy"] for row in summary] == ["", ""]
    (shared_run / "elsewhere.npz").rename(shared_run / "predictions.npz")
    for partition in ("iid", "dirichlet-0.5"):
        Path(f"results/runs/phantom/{partition}/fedavg/seed0/predictions.npz").unlink()
    assert aggregated()[1] == []
    # Damaged ones are refused.
    (shared_run / "predictions.npz").write_bytes(b"no predictions")
    train("iid", "fedavg")
    assert main(["aggregate", "--grid", "grid.yaml"]) == 2


def test_a_missing_one_is_missed_once_and_one_by_hand_stands_in_its_own_place(place, capsys):
    for partition in ("iid", "dirichlet-0.5"):
        train(partition, "fedavg")
    assert main(["aggregate", "--grid", "grid.yaml"]) == 2
    said = capsys.readouterr().err
    assert "1 of 3 runs are missing" in said
    assert "runs/phantom/pooled/centralized/seed0" in said
    train("iid", "centralized")
    train("dirichlet-0.5", "centralized")
    assert main(["aggregate", "--grid", "grid.yaml"]) == 0
    with open("results/summary.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["arm"] == "centralized"]
    assert [row["run"].split("/")[1] for row in rows] == ["iid", "dirichlet-0.5"]
    assert all(row["chance_own"] for row in rows), "such a run knows its partition's clients"


def test_the_workflow_asks_for_it_once_and_names_what_is_left_unused(place):
    train("iid", "centralized")
    flow = Workflow.open(["grid.yaml"], {})
    runs = [path.removeprefix("results/runs/phantom/") for path in flow.runs]
    assert runs == [
        "pooled/centralized/seed0/metrics.json",
        "iid/fedavg/seed0/metrics.json",
        "dirichlet-0.5/fedavg/seed0/metrics.json",
    ]
    assert "data/splits/phantom/pooled/natural/seed0.csv" in flow.splits()
    assert len(flow.notes) == 1
    assert flow.notes[0].startswith("results/runs/phantom/iid/centralized/seed0: not used any more")


@pytest.mark.parametrize("partitions", [["iid"], ["dirichlet-0.5", "iid"], ["own_parts:Dimmed"]])
def test_a_grid_holds_its_cells_and_the_runs_that_stand_in_them(tmp_path, monkeypatch, partitions):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_parts.py").write_text(OWN)
    grid = load_grid(grid_of(partitions))
    asked = [
        Cell(dataset, partition, arm, seed)
        for dataset in ("phantom", "phantom-16")
        for partition in (*grid.partitions, "pooled", "dirichlet-7")
        for arm in ("centralized", "fedavg", "fedprox")
        for seed in (0, 1, 2)
    ]
    known = {run for both in runs_of(grid).items() for run in both}
    assert {cell for cell in asked if holds(grid, cell)} == known
    pooled = {cell for cell in known if cell.partition == "pooled"}
    assert len(pooled) == (0 if partitions == ["own_parts:Dimmed"] else 2)


def test_a_run_looks_at_no_split_but_its_own(monkeypatch):
    grid = load_grid(grid_of(["iid", "dirichlet-0.5"]))
    monkeypatch.setattr(type(grid), "split", None)
    assert holds(grid, Cell("phantom", "iid", "centralized", 0))
    assert holds(grid, Cell("phantom", "dirichlet-0.5", "fedavg", 1))
    assert not holds(grid, Cell("phantom", "dirichlet-0.1", "fedavg", 1))
