"""The clients' accuracies for papers."""

from __future__ import annotations

import json

from medfl.report.client_tables import client_table
from medfl.report.grid_results import GridResults
from medfl.results.runs import read_grid_runs


def test_a_row_for_each_client_with_its_mean_over_seeds(tmp_path, fake):
    """Client 0 has .5 and .7 with two seeds: 60 ± 14.1; client 1 has .8 twice."""
    cells = fake.grid(["toy"], ["site"], ["fedavg", "fedprox", "centralized"], [0, 1])
    for cell in cells:
        clients = {"0": 0.5 + 0.2 * cell.seed, "1": 0.8}
        names = {"client_names": ["North_1", "South"]}
        path = fake.write_run(tmp_path, cell, [0.3, 0.6], clients=clients, heterogeneity=names)
        if cell.arm == "centralized":
            record = json.loads((path / "metrics.json").read_text()) | {"clients": {}}
            (path / "metrics.json").write_text(json.dumps(record))
    results = GridResults(read_grid_runs(cells, tmp_path))
    made = client_table(results, "toy", "site")
    assert made.header == ("Client", "n_test", "fedavg", "fedprox"), "pooled samples know no client"
    rows = {row.label: [entry.text for entry in row.entries] for row in made.rows}
    assert rows == {
        "0 North_1": ["20", "60.0 ± 14.1", "60.0 ± 14.1"],
        "1 South": ["20", "80.0", "80.0"],
    }


def test_a_client_whose_numbers_are_not_published_is_a_dash(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    hidden = {"n_train": 5, "n_test": None, "steps": 3, "test_patients": None, "test": None}
    told = {"n_train": 9, "n_test": 30, "steps": 3, "test": {"n": 30, "accuracy": 0.75}}
    path = fake.write_run(tmp_path, cells[0], [0.3, 0.6])
    record = json.loads((path / "metrics.json").read_text()) | {"clients": {"0": hidden, "1": told}}
    (path / "metrics.json").write_text(json.dumps(record))
    made = client_table(GridResults(read_grid_runs(cells, tmp_path)), "toy", "iid")
    rows = {row.label: [entry.text for entry in row.entries] for row in made.rows}
    assert rows == {"0": ["–", "–"], "1": ["30", "75.0"]}
