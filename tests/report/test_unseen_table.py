"""The table over hospitals never seen: numbers worked out by hand, the worst hospital first."""

from __future__ import annotations

import csv
import json

import pytest

from medfl.report.client_tables import client_table
from medfl.report.grid_results import GridResults
from medfl.report.unseen import unseen_table, write_unseen
from medfl.results.runs import read_grid_runs

# Accuracy of each arm at each hospital with seed 0; with seed 1 it is .02 more.
VALUES = {
    "leave-out-East_1": {"fedavg": 0.7, "fedbn": 0.6},
    "leave-out-S~C3~A3o~20Paulo": {"fedavg": 0.5, "fedbn": 0.64},
    "leave-out-West": {"fedavg": 0.8, "fedbn": 0.8},
}
BY = {"fedavg": "server", "fedbn": "average"}


@pytest.fixture
def results(tmp_path, fake):
    cells = fake.grid(["toy"], ["site", *VALUES], list(BY), [0, 1])
    for cell in cells:
        unseen = cell.partition != "site"
        value = VALUES[cell.partition][cell.arm] if unseen else 0.9
        path = fake.write_run(
            tmp_path,
            cell,
            [0.1, value + 0.02 * cell.seed],
            evaluated="personal" if cell.arm == "fedbn" else "global",
            **({"unseen_by": BY[cell.arm]} if unseen else {}),
        )
        if unseen:
            record = json.loads((path / "metrics.json").read_text())
            for name in ("0", "2"):
                record["clients"][name] |= {"n_test": 0, "test_patients": 0, "test": None}
            record["clients"]["1"]["n_train"] = 0
            (path / "metrics.json").write_text(json.dumps(record))
    return GridResults(read_grid_runs(cells, tmp_path))


def test_the_worst_hospital_stands_first(results):
    made = unseen_table(results, "toy")
    # Means over arms: 0.58, 0.66 and 0.81.
    assert made.header == ("Arm", "Worst hospital", "Mean", "São Paulo", "East_1", "West")
    rows = {row.label: [entry.text for entry in row.entries] for row in made.rows}
    assert rows["fedavg"] == [
        "51.0 (São Paulo)",
        *["67.7 ± 1.4", "51.0 ± 1.4"],
        "71.0 ± 1.4",
        "81.0 ± 1.4",
    ]
    assert rows["fedbn †"] == [
        "61.0 (East_1)",
        *["69.0 ± 1.4", "65.0 ± 1.4"],
        "61.0 ± 1.4",
        "81.0 ± 1.4",
    ]
    said = " ".join(made.notes)
    assert "Cells: mean ± sample standard deviation over 2 seeds" in said
    assert "fedavg: judged by the server's model" in said
    assert "fedbn: judged by the server's shared entries, and the weighted mean" in said


def test_a_hospital_of_which_nothing_may_be_published_is_named(tmp_path, fake):
    cells = fake.grid(["toy"], ["leave-out-East", "leave-out-West"], ["fedavg"], [0, 1])
    for cell in cells:
        path = fake.write_run(tmp_path, cell, [0.1, 0.6], minimum_cell=10, unseen_by="server")
        if cell.partition.endswith("West"):
            record = json.loads((path / "metrics.json").read_text())
            for name in ("test", "everyone"):
                record["last"][name] = dict.fromkeys(record["last"][name])
            (path / "metrics.json").write_text(json.dumps(record))
    made = unseen_table(GridResults(read_grid_runs(cells, tmp_path)), "toy")
    (row,) = [row for row in made.rows if row.label == "fedavg"]
    assert [entry.text for entry in row.entries] == ["60.0 (East)", "–", "60.0", "–"]
    assert any(
        note.startswith("Not published: West, whose test samples or patients are fewer than")
        for note in made.notes
    )


def test_the_files_have_both_questions(results, tmp_path):
    write_unseen(results, tmp_path)
    with (tmp_path / "unseen.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2
    first = rows[0]
    assert (first["site"], first["arm"], first["metric"]) == (
        "São Paulo",
        "fedavg",
        "test_accuracy",
    )
    assert float(first["mean"]) == pytest.approx(0.51)
    assert (first["n"], first["test_samples"], first["unseen_by"]) == ("2", "100", "server")
    assert {row["metric"] for row in rows} == {"test_accuracy", "everyone_accuracy"}
    assert "São Paulo" in (tmp_path / "unseen.md").read_text("utf-8")
    assert r"East\_1" in (tmp_path / "unseen.tex").read_text("utf-8")


def test_the_hospital_that_is_left_out_is_the_first_client(results):
    made = client_table(results, "toy", "leave-out-West")
    assert [row.label for row in made.rows] == ["1", "0", "2"]
    assert [row.label for row in client_table(results, "toy", "site").rows] == ["0", "1", "2"]


def test_without_such_partitions_there_is_none(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [0.3, 0.6])
    (tmp_path / "unseen.csv").write_text("of an earlier grid")
    write_unseen(GridResults(read_grid_runs(cells, tmp_path)), tmp_path)
    assert not list(tmp_path.glob("unseen.*"))


def test_datasets_have_their_own_partitions(tmp_path, fake):
    cells = [
        *fake.grid(["one"], ["iid"], ["fedavg"], [0]),
        *fake.grid(["two"], ["site", "leave-out-West"], ["fedavg"], [0]),
    ]
    for cell in cells:
        fake.write_run(tmp_path, cell, [0.1, 0.6])
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert results.partitions_of("one") == ["iid"]
    assert results.partitions_of("two") == ["site", "leave-out-West"]
    assert unseen_table(results, "one") is None
    # One hospital is its own worst and mean.
    assert unseen_table(results, "two").header == ("Arm", "West")
