"""What a report says of numbers that no accountant saw, and does without those not published."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from medfl.report.clients import client_notes
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import Subject
from medfl.report.plots.clients import client_accuracies
from medfl.report.plots.confusion import Confusion, mean_confusion
from medfl.report.releases import RELEASES, release_notes
from medfl.report.steps import aggregate
from medfl.results.runs import read_grid_runs


def edit(results_dir, cell, **changes):
    path = results_dir / f"runs/{cell.dataset}/{cell.partition}/{cell.arm}/seed{cell.seed}"
    path /= "metrics.json"
    record = json.loads(path.read_text())
    change = record | changes
    path.write_text(json.dumps(change))
    return change


@pytest.fixture
def held_back(cells, results_dir):
    """Runs on people's own data, of which client 1 has too few test samples."""
    for cell in cells:
        path = results_dir / f"runs/{cell.dataset}/{cell.partition}/{cell.arm}/seed{cell.seed}"
        if not (path / "metrics.json").exists():
            continue
        record = json.loads((path / "metrics.json").read_text())
        record["clients"]["1"] = {
            "n_train": 10,
            "n_test": None,
            "test_patients": None,
            "test": None,
        }
        record["fairness"]["left_out"] = {"1": None}
        record["last"]["test"]["confusion"] = [[20, None, None], [2, 26, 2], [None, None, 20]]
        edit(results_dir, cell, minimum_cell=10, clients=record["clients"], last=record["last"],
             fairness=record["fairness"])  # fmt: skip
    return GridResults(read_grid_runs(cells, results_dir, partial=True))


def test_published_sets_without_an_epsilon_need_no_words(cells, results_dir):
    assert release_notes(GridResults(read_grid_runs(cells, results_dir, partial=True)), "toy") == []


def test_own_data_and_an_epsilon_are_said_to_be_released(cells, results_dir, held_back):
    notes = release_notes(held_back, "toy")
    assert notes[0] == RELEASES
    assert "hyper-parameters, clipping norms, the best round" in RELEASES
    assert "counts of fewer than 10 samples or patients" in notes[1]
    aggregate(cells, results_dir, partial=True)
    assert RELEASES in (results_dir / "tables/comparison.md").read_text().replace("\\", "")


def test_an_epsilon_on_a_published_set_is_of_the_training_alone(cells, results_dir):
    for cell in cells:
        if cell.arm == "fedavg":
            edit(results_dir, cell, privacy={"mechanism": "dp_image", "epsilon": 8.0})
    results = GridResults(read_grid_runs(cells, results_dir, partial=True))
    assert release_notes(results, "toy") == [RELEASES]


def test_tables_and_figures_leave_out_clients_that_are_not_published(cells, results_dir, held_back):
    aggregate(cells, results_dir, partial=True)
    with (results_dir / "tables/clients.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["client"] == "1"]
    assert rows
    for row in rows:
        assert (row["n_train"], row["n_test"], row["test_accuracy"]) == ("10", "", "")
        assert row["decides"] == "no"
    run = next(run for run in held_back.runs if run.completed)
    assert len(client_accuracies(run)) == 2
    assert "client 1 (seed 0, not published)" in client_notes(held_back, "toy")[1]


def test_the_shares_of_a_confusion_matrix_are_of_all_samples_of_the_class(held_back):
    """Row 0 is 20 of 30; its other cells are not known, and are not the whole of what is left."""
    matrix = mean_confusion(held_back, "toy", "iid", "fedavg")
    assert matrix[0, 0] == pytest.approx(20 / 30)
    assert matrix[1].tolist() == pytest.approx([2 / 30, 26 / 30, 2 / 30])
    assert np.isnan(matrix[0, 1:]).all()
    subject = Subject(held_back, "toy", "iid")
    assert Confusion().caption(subject).endswith("Other grey cells are not published.")
