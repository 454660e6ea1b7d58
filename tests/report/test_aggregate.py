from __future__ import annotations

import csv
import json
import shutil

import pytest

from medfl.errors import MedflError
from medfl.report.grid_results import GridResults
from medfl.report.html import write_report
from medfl.report.main_tables import main_table
from medfl.report.origin import arm_rows
from medfl.report.steps import aggregate
from medfl.results import paths
from medfl.results.columns import SUMMARY, columns_in, names_in
from medfl.results.runs import read_grid_runs


def summary(results_dir):
    with (results_dir / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_summary_has_a_row_a_cell_with_the_records_numbers(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    record = json.loads(path.read_text())
    record["last"]["val"] |= {"accuracy": 0.85, "balanced_accuracy": 0.75}
    path.write_text(json.dumps(record))
    aggregate(cells, results_dir)
    rows = summary(results_dir)
    assert tuple(rows[0]) == names_in(SUMMARY)
    assert [(row["partition"], row["arm"], int(row["seed"])) for row in rows] == [
        (cell.partition, cell.arm, cell.seed) for cell in cells
    ]
    row = next(r for r in rows if (r["partition"], r["arm"], r["seed"]) == ("iid", "fedavg", "1"))
    assert row["status"] == "completed"
    assert float(row["val_accuracy"]) == pytest.approx(0.85)
    assert float(row["val_balanced_accuracy"]) == pytest.approx(0.75)
    assert float(row["test_accuracy"]) == pytest.approx(0.82)
    assert float(row["test_balanced_accuracy"]) == pytest.approx(0.72)
    assert float(row["worst_client_accuracy"]) == pytest.approx(0.72)
    assert (row["rounds"], row["best_round"]) == ("2", "1")
    assert (row["bytes_up"], row["bytes_down"]) == ("2000000", "2000000")
    assert row["steps"] == "21"
    assert row["rounds_to_target"] == row["epsilon"] == ""


def test_personal_arm_shows_its_personal_models_not_the_servers(cells, results_dir):
    runs = read_grid_runs(cells, results_dir)
    fedbn = next(run for run in runs if run.arm == "fedbn" and run.partition == "iid")
    assert fedbn.role == "personal"
    row = fedbn.row(columns_in(SUMMARY))
    assert row["test_accuracy"] == pytest.approx(0.85)
    assert row["everyone_accuracy"] == pytest.approx(0.55)
    assert (row["everyone_by"], row["primary"]) == ("clients", "accuracy")
    assert (row["chance_own"], row["chance_everyone"]) == (0.62, 0.5)


def test_missing_runs_are_refused_with_their_names_and_the_way_out(cells, results_dir):
    for seed in range(3):
        shutil.rmtree(results_dir / "runs/toy/iid/local" / f"seed{seed}")
    (results_dir / "runs/toy/iid/fedavg/seed2/metrics.json").unlink()
    with pytest.raises(MedflError) as error:
        aggregate(cells, results_dir)
    assert "4 of 30 runs are missing" in str(error.value)
    assert "runs/toy/iid/local/seed0" in str(error.value)
    assert "and 1 more" in str(error.value)
    assert "--partial" in str(error.value)
    assert not (results_dir / "summary.csv").exists()


def test_partial_summary_shows_missing_cells_empty(cells, results_dir):
    shutil.rmtree(results_dir / "runs/toy/iid/fedavg/seed2")
    aggregate(cells, results_dir, partial=True)
    rows = summary(results_dir)
    assert len(rows) == 30
    missing = [row for row in rows if row["status"] == "missing"]
    assert len(missing) == 1
    known = {"dataset", "partition", "arm", "seed", "status"}
    assert {key for key, value in missing[0].items() if value} == known


def test_a_run_under_other_settings_is_missing(cells, results_dir):
    wanted = {cell: {"config_sha256": "c" * 64} for cell in cells}
    wanted[cells[4]] = {"config_sha256": "now others"}
    runs = read_grid_runs(cells, results_dir, partial=True, wanted=wanted)
    assert [run.status for run in runs].index("missing") == 4
    assert sum(run.completed for run in runs) == len(cells) - 1
    with pytest.raises(MedflError, match="1 of 30 runs are missing"):
        read_grid_runs(cells, results_dir, wanted=wanted)


@pytest.mark.parametrize("key", ["split_sha256", "store_fingerprint"])
def test_a_run_of_another_split_or_store_is_missing_and_the_reason_is_told(cells, results_dir, key):
    folder = paths.run_folder(results_dir, cells[4])
    record = json.loads((folder / paths.RECORD).read_text())
    now = {cells[4]: {key: record["provenance"][key]}}
    assert all(run.completed for run in read_grid_runs(cells, results_dir, wanted=now))
    now[cells[4]][key] = "e" * 64
    with pytest.raises(MedflError, match=r"1 of 30 runs are missing.* of other settings,"):
        read_grid_runs(cells, results_dir, wanted=now)


def test_no_run_at_all_is_an_error_even_for_a_partial_table(cells, tmp_path):
    with pytest.raises(MedflError, match="no run of the grid"):
        aggregate(cells, tmp_path, partial=True)


def test_runs_outside_the_grid_are_not_read(cells, results_dir):
    (results_dir / "runs/toy/iid/old-arm/seed0").mkdir(parents=True)
    (results_dir / "runs/toy/iid/old-arm/seed0/metrics.json").write_text("broken")
    assert len(read_grid_runs(cells, results_dir)) == 30


@pytest.mark.parametrize("content", ["{half a rec", "[]", '{"schema": 1, "status": "running"}'])
def test_unreadable_record_is_named(cells, results_dir, content):
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    path.write_text(content)
    with pytest.raises(MedflError, match=r"iid/fedavg/seed1/metrics\.json"):
        read_grid_runs(cells, results_dir, partial=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"last": None}, "holds no metrics"),
        ({"last": "x"}, "`last`"),
        ({"last": {"test": {"accuracy": "high"}}}, r"last\.test\.accuracy"),
        ({"last": {"test": {"accuracy": float("nan")}}}, "is damaged or was edited"),
        ({"fairness": 5}, "`fairness`"),
        ({"clients": {"0": 5}}, r"clients\.0"),
        ({"communication": {"bytes_up": "x"}}, r"communication\.bytes_up"),
        ({"provenance": [1]}, "`provenance`"),
    ],
)
def test_damaged_record_is_named(cells, results_dir, change, message):
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(MedflError, match=rf"iid/fedavg/seed1/metrics\.json.*{message}") as error:
        aggregate(cells, results_dir, partial=True)
    assert "train it again" in str(error.value)
    assert not (results_dir / "summary.csv").exists()


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "round,test_accuracy\n0,0.5\n1\n"])
def test_damaged_rounds_are_named(cells, results_dir, content):
    (results_dir / "runs/toy/iid/fedavg/seed1/rounds.csv").write_text(content)
    with pytest.raises(MedflError, match=r"iid/fedavg/seed1/rounds\.csv .*train this run again"):
        aggregate(cells, results_dir)


def test_a_runs_configuration_that_is_none_is_named(cells, results_dir):
    path = results_dir / "runs/toy/iid/fedavg/seed0/config.yaml"
    path.write_text("federated_learning: 5\n")
    with pytest.raises(MedflError, match=r"iid/fedavg/seed0/config\.yaml does not describe a run"):
        arm_rows(GridResults(read_grid_runs(cells, results_dir)))


@pytest.mark.parametrize(("key", "value"), [("seed", 7), ("partition", "site"), ("schema", 99)])
def test_record_of_another_configuration_is_refused(cells, results_dir, key, value):
    path = results_dir / "runs/toy/iid/fedavg/seed1/metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(MedflError, match=r"iid/fedavg/seed1/metrics\.json"):
        read_grid_runs(cells, results_dir)


def test_the_table_of_arms_says_what_each_minimises(cells, results_dir):
    """Where partitions differ, as equal and unequal clients do, it says which has what."""
    said = {"iid": "Σ p_i F_i", "dirichlet-0.5": "Σ p_i τ_i F_i"}
    for cell in cells:
        if cell.arm in ("fedavg", "fedprox"):
            path = (
                results_dir / f"runs/toy/{cell.partition}/{cell.arm}/seed{cell.seed}/metrics.json"
            )
            words = said[cell.partition] if cell.arm == "fedavg" else "Σ p_i F_i"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"objective": words}))
    results = aggregate(cells, results_dir)
    rows = {row["arm"]: row["objective"] for row in arm_rows(results)}
    assert rows["fedavg"] == "toy, IID: Σ p_i F_i — toy, Dirichlet α = 0.5: Σ p_i τ_i F_i"
    assert rows["fedprox"] == "Σ p_i F_i"
    assert rows["local"] == ""  # of an older medfl
    found = {(row["partition"], row["arm"]): row["objective"] for row in summary(results_dir)}
    assert found["dirichlet-0.5", "fedavg"] == "Σ p_i τ_i F_i"
    page = results_dir / "report.html"
    write_report(results, page, figures=[], splits={}, prepared_dir=None, configuration={})
    note = "Not all arms minimise the same mean of the clients' losses"
    assert any(one.startswith(note) for one in main_table(results, "toy").notes)
    for path in results_dir.rglob("fedavg/*/metrics.json"):
        path.write_text(path.read_text().replace(json.dumps("Σ p_i τ_i F_i"), '"Σ p_i F_i"'))
    same = aggregate(cells, results_dir)
    assert not any(one.startswith(note) for one in main_table(same, "toy").notes)
    assert "<td>Σ p_i F_i</td>" in page.read_text(encoding="utf-8")
