"""What tables say of single clients."""

from __future__ import annotations

import csv
import json

from medfl.report.clients import beside, client_notes
from medfl.report.grid_results import GridResults
from medfl.report.steps import aggregate
from medfl.results.columns import ACCURACY, WORST
from medfl.results.runs import read_grid_runs


def edit(results_dir, arm, seed, **fairness):
    path = results_dir / f"runs/toy/iid/{arm}/seed{seed}/metrics.json"
    record = json.loads(path.read_text())
    record["fairness"] |= fairness
    path.write_text(json.dumps(record))


def test_the_worst_client_stands_with_its_test_samples_and_interval(cells, results_dir):
    edit(results_dir, "fedavg", 2, worst_n_test=41)
    results = GridResults(read_grid_runs(cells, results_dir))
    # The worst clients of seeds 0, 1 and 2 have .70, .72 and .74; the interval is .70's.
    words = beside(results, "toy", "iid", "fedavg", WORST)
    assert words == " (n_test = 20–41; interval of the lowest 45.0 to 85.0)"
    assert beside(results, "toy", None, "fedavg", WORST) == " (n_test = 20–41)"
    assert beside(results, "toy", "iid", "fedavg", ACCURACY) == ""
    one = GridResults(read_grid_runs([c for c in cells if c.seed == 0], results_dir))
    assert beside(one, "toy", "iid", "fedavg", WORST) == " (n_test = 20; interval 45.0 to 85.0)"
    aggregate(cells, results_dir)
    table = (results_dir / "tables/worst_client_accuracy.md").read_text()
    assert "72.0 ± 2.0 (n_test = 20–41; interval of the lowest 45.0 to 85.0)" in unmarked(table)


def unmarked(text):
    return text.replace("\\", "").replace("**", "")


def test_notes_name_who_decides_and_who_is_left_out(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    notes = client_notes(results, "toy")
    assert len(notes) == 1
    assert "clients with at least 10 test samples of at least 2 patients." in notes[0]
    many = {str(client): 1 for client in range(3, 20)}
    edit(results_dir, "fedavg", 0, left_out=many, n=2)
    edit(results_dir, "fedprox", 0, left_out=many, n=2)  # the same split
    reason = "no client has at least 10 test samples of at least 2 patients"
    edit(results_dir, "fedavg", 1, worst=None, worst_n_test=None, n=0, reason=reason)
    results = GridResults(read_grid_runs(cells, results_dir))
    _, left_out, blank = client_notes(results, "toy")
    assert "IID: client 3 (seed 0, n_test = 1), client 4 (seed 0, n_test = 1)," in left_out
    assert left_out.endswith("client 14 (seed 0, n_test = 1) and 5 more.")
    assert blank == f"No worst client in IID (in some runs or all): {reason}."
    # Two seeds are left of the cell.
    assert results.state("toy", "iid", "fedavg", WORST).describe(WORST) == "72.0 ± 2.8 (n = 2 of 3)"


def test_every_client_has_its_row(cells, results_dir):
    edit(results_dir, "fedavg", 0, left_out={"0": 20}, n=2)
    aggregate(cells, results_dir)
    with (results_dir / "tables/clients.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 3 * 3  # partitions, arms, seeds, clients
    row = next(r for r in rows if (r["partition"], r["arm"]) == ("iid", "fedavg"))
    assert {key: row[key] for key in ("seed", "client", "n_train", "n_test", "test_patients")} == {
        **{"seed": "0", "client": "0", "n_train": "10", "n_test": "20", "test_patients": "15"}
    }
    assert (round(float(row["test_accuracy"]), 9), row["decides"]) == (0.7, "no")
    assert round(float(row["test_accuracy_low"]), 9) == 0.5
    assert round(float(row["test_accuracy_high"]), 9) == 0.8
    assert [row["decides"] for row in rows].count("no") == 1


def test_a_client_that_is_a_site_goes_by_its_name(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed0/metrics.json"
    record = json.loads(path.read_text())
    record["heterogeneity"]["client_names"] = ["north", "south"]  # and one that has none
    record["fairness"] |= {"left_out": {"1": 4, "2": 3}, "n": 1}
    path.write_text(json.dumps(record))
    results = GridResults(read_grid_runs(cells, results_dir))
    note = client_notes(results, "toy")[1]
    assert "client 1 south (seed 0, n_test = 4), client 2 (seed 0, n_test = 3)" in note
    aggregate(cells, results_dir)
    with (results_dir / "tables/clients.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["partition"] == "iid"]
    names = {
        arm: [r["client_name"] for r in rows if r["arm"] == arm] for arm in ("fedavg", "local")
    }
    assert names["fedavg"][:3] == ["north", "south", ""]
    assert set(names["local"]) == {""}
